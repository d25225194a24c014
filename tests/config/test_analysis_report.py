"""The printed form of a dataset's statistics: what is counted, at whatever width, with nothing of it obeyed."""

from io import StringIO

import pytest
from rich.console import Console

from data_designer.config.analysis.column_statistics import (
    GeneralColumnStatistics,
    LLMJudgedColumnStatistics,
    ValidationColumnStatistics,
)
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.analysis.distributions import distribution_tables

WHOLE = {"num_records": 20, "num_null": 0, "num_unique": 3, "pyarrow_dtype": "string", "simple_dtype": "string"}
TOKENS = {f"{side}_tokens_{figure}": "--" for side in ("input", "output") for figure in ("mean", "median", "stddev")}
LABELS = GeneralColumnStatistics(
    column_name="label", most_common={"[bold]fine[/]": 10, ":smile:": 6, "two\nlines": 4}, **WHOLE
)
JUDGED = LLMJudgedColumnStatistics(
    column_name="quality",
    column_type="llm-judge",
    score_counts={"helpful": {"1": 0, "2": 5, "3": 15}, "tone": {"formal": 20}},
    **TOKENS,
    **WHOLE,
)
VERDICTS = ValidationColumnStatistics(
    column_name="valid", column_type="validation", num_valid_records=15, **{**WHOLE, "num_null": 2}
)


def printed(*statistics: GeneralColumnStatistics, width: int = 80, filled: str = "#") -> str:
    """All tables, as a terminal shows them."""
    console = Console(width=width, record=True, file=StringIO())
    for table in distribution_tables(statistics, width, filled):
        console.print(table)
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_tables_fit_the_terminal(width: int) -> None:
    """However long names and values are; counts and shares are never cut."""
    long = GeneralColumnStatistics(
        column_name="a_name_that_is_far_longer_than_anybody_would_have_it",
        most_common={"value " * 30: 12_000, "b": 8_000},
        **{**WHOLE, "num_records": 20_000},
    )
    text = printed(long, JUDGED, VERDICTS, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "12,000" in text
    assert "60.0%" in text


def test_common_values_are_shown_as_they_are() -> None:
    """Markup and emoji codes are text, and a value has one line."""
    text = printed(LABELS)
    for value in ("[bold]fine[/]", ":smile:", "two lines"):
        assert value in text


def test_values_that_are_not_shown_are_counted() -> None:
    """Those beyond the first eight together."""
    many = {f"value {number}": 2 for number in range(10)}
    text = printed(GeneralColumnStatistics(column_name="c", most_common=many, **{**WHOLE, "num_unique": 10}))
    assert "value 7" in text
    assert "value 8" not in text
    assert "(2 other values)" in text
    assert "20.0%" in text


def test_scores_have_a_mean_where_they_are_numbers() -> None:
    """Each option has a line, those that were never given included."""
    text = printed(JUDGED)
    assert JUDGED.score_means == {"helpful": 2.75}
    assert "mean 2.75" in text
    assert "75.0%" in text
    assert "formal" in text


def test_verdicts_have_shares() -> None:
    """Of all records, those without a verdict included; in an earlier version these were told apart by nulls alone."""
    judged = VERDICTS.model_copy(update={"num_invalid_records": 1})
    for statistics, shares in ((VERDICTS, ("75.0%", "15.0%", "10.0%")), (judged, ("75.0%", "5.0%", "20.0%"))):
        text = printed(statistics)
        assert all(share in text for share in shares)


def test_where_nothing_is_known_nothing_is_shown() -> None:
    """As of datasets that were made before any of this was counted."""
    old = LLMJudgedColumnStatistics(column_name="quality", column_type="llm-judge", **TOKENS, **WHOLE)
    assert printed(old, GeneralColumnStatistics(column_name="text", **WHOLE)) == ""
    assert old.score_means == {}


def test_the_report_has_distributions_of_the_sections_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of columns of these types."""
    results = DatasetProfilerResults(
        num_records=20, target_num_records=20, column_statistics=[LABELS, JUDGED, VERDICTS]
    )
    results.to_report()
    everything = capsys.readouterr().out
    assert all(title in everything for title in ("Most common values", "Judge scores", "Verdicts"))
    results.to_report(include_sections=["llm-judge"])
    part = capsys.readouterr().out
    assert "Judge scores" in part
    assert "Verdicts" not in part
