"""Statistics of a finished dataset: what is common in its columns, and what its judges gave."""

from typing import Any

from tests.fakes import model
from tests.plans import compiled

import data_designer.config as dd
from data_designer.config.analysis.column_statistics import GeneralColumnStatistics, LLMJudgedColumnStatistics
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.profile import profile_columns
from data_designer.engine.dataset.totals import Totals
from data_designer.plan.model import Plan

OPTIONS: dict[int | str, str] = {1: "bad", 2: "so", 3: "good"}


def plan() -> Plan:
    """A text and what a judge says of it."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="hi")
    scores = [dd.Score(name="helpful", description="how much", options=OPTIONS)]
    made.add_column(name="quality", column_type="llm-judge", model_alias="m", prompt="{{ text }}", scores=scores)
    return compiled(made, 10)


def known(**columns: list[Any]) -> dict[str, GeneralColumnStatistics]:
    """The statistics of columns, by name."""
    results = analyse(plan(), Totals(generated=10, profile=profile_columns(columns, {})), 12)
    return {one.column_name: one for one in results.column_statistics}


def judged(score: int) -> dict[str, Any]:
    """A judgement."""
    return {"helpful": {"reasoning": "so", "score": score}}


def test_common_values_are_ranked() -> None:
    """The most common first; as many as each other in the order of their letters."""
    found = known(text=["b", "a", "c", "c", None, "b", "c", "a"])["text"]
    assert list((found.most_common or {}).items()) == [("c", 3), ("a", 2), ("b", 2)]


def test_values_of_which_each_is_there_once_have_none_that_is_common() -> None:
    """Nor have those that are many."""
    assert known(text=["a", "b", "c"])["text"].most_common is None
    assert known(text=[f"text {number % 100}" for number in range(1000)])["text"].most_common is None


def test_scores_are_told_by_option_in_the_order_of_the_judge() -> None:
    """Those that were never given are there too; a judgement is no common value."""
    found = known(quality=[judged(3), judged(1), judged(3), None])["quality"]
    assert isinstance(found, LLMJudgedColumnStatistics)
    assert list((found.score_counts or {})["helpful"].items()) == [("1", 1), ("2", 0), ("3", 2)]
    assert found.most_common is None
    assert round(found.score_means["helpful"], 2) == 2.33


def test_a_dataset_of_an_earlier_version_has_no_scores() -> None:
    """They were not counted, which is not the same as that there are none."""
    profile = profile_columns({"quality": [judged(3)]}, {})
    del profile["quality"]["scores"]
    [found] = analyse(plan(), Totals(generated=1, profile=profile), 1).column_statistics
    assert isinstance(found, LLMJudgedColumnStatistics)
    assert found.score_counts is None
