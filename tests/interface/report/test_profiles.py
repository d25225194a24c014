"""What is shown of a column follows from its values."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.profile import profile_columns
from data_designer.engine.dataset.totals import Totals
from data_designer.interface.report.batch_line import BatchLine
from data_designer.interface.report.facts import Extras, Facts
from data_designer.interface.report.samples import Sample
from data_designer.interface.report.sections.profiles import Card, Cards, section
from data_designer.interface.report.state import State


def card(values: Sequence[object], sample: Sample | None = None, *, more: Mapping[str, Any] | None = None) -> Card:
    """What is shown of one column of these values."""
    totals = Totals(generated=len(values))
    totals.profile = profile_columns({"c": values}, {"c": "string"})
    totals.profile["c"].update(more or {})  # type: ignore[typeddict-item]
    rows = len(values)
    metadata = Metadata(
        target_num_records=rows, requested_num_records=rows, buffer_size=rows, earlier_geometry=(), seed=1
    )
    declared = {"columns": [{"name": "c", "column_type": "llm-text"}]}
    facts = Facts(
        "d", State("complete", ""), metadata, declared, totals, BatchLine(1), None, sample or Sample(), (), Extras()
    )
    cards = section(facts).data
    assert isinstance(cards, Cards)
    return cards.cards[0]


def test_few_values_are_counted() -> None:
    """Each by how often it is there, the most frequent first; nulls are told apart."""
    found = card([*["tea"] * 6, *["rain"] * 3, None])
    assert [(one.label, one.figure, one.share, one.percent) for one in found.groups[0].shares] == [
        ("tea", "6", "66.7 %", 100.0),
        ("rain", "3", "33.3 %", 50.0),
    ]
    assert found.facts == (("Values", "9"), ("Nulls", "10.0 %"), ("Distinct", "2"))


def test_numbers_that_are_few_are_in_their_order() -> None:
    """Ratings are read from the lowest to the highest, not by how frequent they are."""
    assert [one.label for one in card([5, 5, 5, 10, 10, 1] * 3).groups[0].shares] == ["1", "5", "10"]


def test_of_many_values_the_most_frequent_are_shown() -> None:
    """And how many others there are."""
    values = [f"v{place}" for place in range(40) for _ in range(40 - place)]
    found = card(values).groups[0]
    assert [one.label for one in found.shares][:2] == ["v0", "v1"]
    assert len(found.shares) == 10
    assert found.rest.startswith("30 further values: ")


def test_texts_that_differ_are_told_by_their_lengths() -> None:
    """A histogram of those of the first file, which says so."""
    texts = ["x" * length for length in range(100, 200)]
    found = card(texts, Sample(rows=100, lengths={"c": [float(len(one)) for one in texts]}))
    assert found.groups == ()
    assert found.plot is not None
    assert found.caption == "Length in characters, of the first 100 records"
    assert ("Length", "100 to 199 characters") in found.facts


def test_numbers_are_told_by_their_spread() -> None:
    """All of them where they are counted, else those of the first file."""
    counted = card([*range(40), *range(40)])
    assert counted.plot is not None
    assert counted.caption == ""
    assert ("Range", "0 to 39") in counted.facts
    many = [place / 7 for place in range(1000)]
    assert card(many, Sample(rows=20, numbers={"c": many[:20]})).caption == "Of the first 20 records"
    assert card(many).plot is None


def test_numbers_that_no_float_adds_up_are_no_error() -> None:
    """Of the largest there are, only how many there are is said."""
    moments = {"count": 100, "mean": 0.0, "m2": float("inf"), "min": -1e200, "max": 1e200}
    assert ("Range", "too wide to say") in card([*map(float, range(100))], more={"numbers": moments}).facts


@pytest.mark.parametrize(
    "sample", [Sample(), Sample(rows=2, scores={"c": {"other": {"9": 2}}})], ids=["alone", "with others"]
)
def test_scores_of_judges_are_counted(sample: Sample) -> None:
    """By option, in order, from the receipts where they have them; else from the first file."""
    judged = [{"style": {"score": 1 + place % 3, "reasoning": f"r{place}"}} for place in range(9)]
    found = card(judged, sample, more={"scores": {"style": {"3": 3, "1": 3, "2": 3}}})
    assert [group.title for group in found.groups] == ["style"]
    assert [one.label for one in found.groups[0].shares] == ["1", "2", "3"]


def test_verdicts_are_counted() -> None:
    """Valid or not, whatever else a validator says."""
    found = card([{"is_valid": place != 0, "n": place} for place in range(4)])
    assert [(one.label, one.figure, one.kind) for one in found.groups[0].shares] == [
        ("valid", "3", "whole"),
        ("not valid", "1", "rejected"),
    ]
