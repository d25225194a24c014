"""What is said when a run has ended: it fits the terminal, tells what failed and why, and names the next step."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import data_designer.config as dd
from data_designer.engine.protocol.spending import Spending
from data_designer.interface.ending import Ending, named
from data_designer.interface.ending_views import as_html, as_text
from data_designer.interface.outcome_table import fields_of, fitted
from data_designer.interface.outcomes import RunOutcomes
from data_designer.object_storage import ObjectPath
from data_designer.values import Usage

WIDTHS = [60, 80, 120, 200]
HOSTILE = "\x1b[2J[bold]x[/bold] :smile: <script>alert(1)</script>"


def spending(alias: str, cells: int, failed: int = 0, usd: float = 0.0) -> Spending:
    """A column, each cell of which took a request."""
    return Spending(alias, Usage(cells, 3, 300 * cells, 40 * cells), cells, cells - failed, usd, failed)


def reason(count: int, message: str = "no", **columns: int) -> Any:
    """Cells that failed in one way."""
    return {"count": count, "column": next(iter(columns)), "record": 17, "message": message, "columns": columns}


OUTCOMES = RunOutcomes(
    requested=1000,
    generated=992,
    rejected=8,
    unfinished=0,
    reasons={"RefusalError": reason(2, review=2), "FormatError": reason(6, "no JSON " * 99, review=1, summary=5)},
    usage={},
    columns={
        "review": spending("writer", 1000, 3, 0.0123),
        "summary": spending("writer", 997, 5, 0.5),
        "a_column_with_a_name_that_takes_half_of_the_line": spending("a-judge-with-a-long-name", 992, 0, 12.0),
    },
    usd=12.5123,
    retried={"writer": {"RateLimitError": {"count": 12, "message": "HTTP 429"}}},
)


def ending(outcomes: RunOutcomes = OUTCOMES, dataset: str | None = "artifacts/d", **more: Any) -> Ending:
    """A run that has ended."""
    return Ending(outcomes, dataset, **more)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_line_fits_the_terminal(width: int) -> None:
    """Nothing but a command may be longer, since it is to be copied."""
    one = ending(seconds=124.0, stopped="the endpoint was down " * 9, advice=["ask more at once " * 9])
    lines = as_text(one, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert lines[0] == "992 of 1,000 records in artifacts/d"
    assert lines[1] == "8 rejected, 2 min 4 s, $12.51"


def test_a_command_is_never_broken() -> None:
    """However long the path is."""
    path = "/somewhere/" + "far/" * 30 + "d"
    assert f"\n  data-designer retry-failed {path}" in as_text(ending(dataset=path), 60)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_row_tells_of_each_column(width: int) -> None:
    """Cells that came out, those that did not, and money, at every width; models and requests where there is room."""
    text = as_text(ending(), width)
    [row] = [line.split() for line in text.splitlines() if line.startswith("review ")]
    whole = ["review", "writer", "997", "3", "99.7%", "1,003", "300k/40k", "$0.0123"]
    assert row == [cell for cell in whole if width > 60 or cell not in ("writer", "1,003")]
    [total] = [line.split() for line in text.splitlines() if line.startswith("total")]
    assert total[-2:] == ["897k/120k", "$12.51"]


def test_names_share_the_room_that_numbers_leave() -> None:
    """One that is short is whole; the others are cut."""
    names = {field.title: field for field in fitted(fields_of(OUTCOMES), 80) if field.is_name}
    assert names["column"].width + names["model"].width <= 80
    short = fitted(fields_of(replace(OUTCOMES, columns={"review": spending("w", 5)}, reasons={})), 80)
    assert [field.width for field in short if field.is_name] == [len("column"), len("model")]


def test_the_time_of_all_runs_is_told_where_there_were_several() -> None:
    """Beside that of this one."""
    assert ending(seconds=3.0, seconds_in_all=3.1).facts[1:2] == ["3.00 s"]
    assert ending(seconds=3.0, seconds_in_all=60.5).facts[1:3] == ["3.00 s", "60.5 s in all runs"]


def test_a_dataset_without_models_has_no_table() -> None:
    """There is nothing to say but how many records there are."""
    plain = RunOutcomes(requested=5, generated=5, rejected=0, unfinished=0, reasons={}, usage={})
    assert as_text(ending(plain, None)) == "5 of 5 records"


def test_a_column_that_asks_no_model_is_told_of_where_its_cells_failed() -> None:
    """A function of the user, for instance."""
    outcomes = replace(OUTCOMES, reasons={"CustomError": reason(8, loud=8)})
    [row] = [line.split() for line in as_text(ending(outcomes), 120).splitlines() if line.startswith("loud")]
    assert row == ["loud", "8"]


def test_what_an_earlier_version_did_not_count_is_not_claimed() -> None:
    """Kinds of failure without columns leave it open whose cells they were."""
    earlier = {kind: {**one} for kind, one in OUTCOMES.reasons.items()}
    for one in earlier.values():
        one.pop("columns")
    outcomes = replace(OUTCOMES, reasons=earlier)  # type: ignore[arg-type]
    [row] = [line.split() for line in as_text(ending(outcomes), 120).splitlines() if line.startswith("review ")]
    assert row[2:4] == ["-", "-"]


def test_causes_are_told_with_an_example_the_most_frequent_first() -> None:
    """How often, in which columns, and what it was in one record."""
    text = as_text(ending(), 80)
    first, second = text.index("6x FormatError in summary (5), review (1)"), text.index("2x RefusalError in review")
    assert first < second
    assert "record 17: no JSON" in text
    assert text.count("no JSON") < 40
    assert "12x RateLimitError from writer" in text


def lacking(**counts: int) -> RunOutcomes:
    """Ten records that were asked for, not all of which are there."""
    fates = {"generated": 0, "rejected": 0, "unfinished": 0, **counts}
    return RunOutcomes(requested=10, reasons={}, usage={}, **fates)


SPENT = "the budget is used up: 5 of 5 requests"
STEPS: dict[str, tuple[Ending, str]] = {
    "whole": (ending(lacking(generated=10)), "data-designer show artifacts/d"),
    "rejected": (ending(lacking(generated=9, rejected=1)), "data-designer retry-failed artifacts/d"),
    "stopped": (ending(lacking(generated=7, rejected=1, unfinished=2)), "data-designer resume artifacts/d"),
    "out of money": (
        ending(lacking(generated=7, unfinished=3), stopped=SPENT, budget=dd.Budget(usd=0.5, requests=5)),
        "data-designer resume artifacts/d --set 'budget={usd: 1, requests: 10}'",
    ),
    "out of time": (
        ending(lacking(generated=7, unfinished=3), stopped="the seconds are over", budget=dd.Budget(seconds=5)),
        "data-designer resume artifacts/d",
    ),
    "out of candidates": (
        ending(lacking(generated=7, rejected=5, refilled=2)),
        "data-designer resume artifacts/d --set refill_candidates=4",
    ),
    "refilled": (ending(lacking(generated=10, rejected=2, refilled=2)), "data-designer show artifacts/d"),
}


@pytest.mark.parametrize("what", STEPS)
def test_the_next_step_is_the_one_that_helps(what: str) -> None:
    """One command, the last line of what is said."""
    one, command = STEPS[what]
    assert one.next_step is not None
    assert one.next_step[1] == command
    assert as_text(one).splitlines()[-1] == f"  {command}"


def test_a_preview_has_no_next_step() -> None:
    """No command could take it up."""
    assert ending(dataset=None).next_step is None


def test_what_others_say_neither_steers_nor_is_interpreted() -> None:
    """On a terminal, and in a notebook."""
    outcomes = replace(
        OUTCOMES,
        columns={HOSTILE: spending(HOSTILE, 5)},
        reasons={HOSTILE: reason(8, HOSTILE, **{HOSTILE: 8})},
        retried={HOSTILE: {HOSTILE: {"count": 1, "message": HOSTILE}}},
    )
    one = ending(outcomes, stopped=HOSTILE, advice=[HOSTILE])
    text, page = as_text(one, 200), as_html(one)
    assert "\x1b" not in text + page
    assert text.count(":smile:") >= 6
    assert text.count("[bold]x[/bold]") >= 6
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") >= 8


def test_a_value_in_a_notebook_is_a_table() -> None:
    """What Jupyter asks for, of outcomes too."""
    assert OUTCOMES._repr_html_().count("<tr>") == 5
    assert "a_column_with_a_name_that_takes_half_of_the_line" in OUTCOMES._repr_html_()


def test_outcomes_are_short_in_a_prompt_and_readable_when_printed() -> None:
    """The counts in one line, or the table."""
    assert repr(OUTCOMES) == "RunOutcomes(requested=1000, generated=992, rejected=8, usd=12.5123)"
    assert repr(replace(OUTCOMES, requested=10_000_000, unfinished=9_999_000)).startswith(
        "RunOutcomes(requested=10000000,"
    )
    assert str(OUTCOMES).startswith("992 of 1,000 records\n8 rejected")


def test_a_dataset_is_named_as_a_shell_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Briefly where it is below the working directory, quoted where it has to be."""
    monkeypatch.chdir(tmp_path)
    assert named(tmp_path / "artifacts" / "my d") == "'artifacts/my d'"
    assert named(tmp_path.parent / "d") == str(tmp_path.parent / "d")
    assert shlex.split(named(ObjectPath("s3://bucket/all/d"))) == ["s3://bucket/all/d"]
