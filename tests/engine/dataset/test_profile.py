"""Statistics of columns say what counting cell by cell says."""

import hashlib
import math
import sys
from collections import Counter
from typing import Any

import pytest
from tests.odd_values import KEPT

from data_designer.engine.dataset.encoding import json_text, kept
from data_designer.engine.dataset.profile import SKETCH_SIZE, merge_profiles, profile_columns
from data_designer.plan.profile import stddev

CELLS = [kept(given) for given, _ in KEPT.values()]
COLUMNS: dict[str, list[Any]] = {
    "nothing": [],
    "nulls": [None, None],
    "floats": [0.1 * number for number in range(700)],
    "floats that are no numbers": [1.0, math.nan, math.inf],
    "small and large floats": [5e-324, 1e100, -0.0, 1e16, 123456789.123],
    "integers": [*range(-30, 30)] * 3,
    "long integers": [2**63, 10**20, 10**400],
    "integers and floats": [1, 2.5, None],
    "truths": [True, False, None, True],
    "texts": [f"text {number % 60}" for number in range(300)],
    "long texts": ["x" * 200, "y" * 101, "z", "z"],
    "verdicts": [{"is_valid": True}, {"is_valid": False}, {"is_valid": None}, None],
    "everything": CELLS,
}


def moments(numbers: list[float]) -> dict[str, float]:
    """Count, mean and so on, exactly."""
    mean = math.fsum(numbers) / len(numbers)
    squares = math.fsum((number - mean) ** 2 for number in numbers)
    return {"count": len(numbers), "mean": mean, "m2": squares, "min": min(numbers), "max": max(numbers)}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_profile_counts_what_there_is(name: str) -> None:
    """Nulls, hashes of distinct values, lengths, numbers and the most common texts."""
    cells = COLUMNS[name]
    profile = profile_columns({name: cells}, {})[name]
    present = [cell for cell in cells if cell is not None]
    texts = [cell if isinstance(cell, str) else json_text(cell) for cell in present]
    counts = Counter(text for text in texts if len(text) <= 100)
    hashes = {int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) for text in texts}
    assert profile["rows"] == len(cells)
    assert profile["nulls"] == len(cells) - len(present)
    assert profile["smallest_hashes"] == sorted(hashes)[:SKETCH_SIZE]
    assert profile["categories"] == (dict(counts) if len(counts) <= 50 else None)
    assert profile["characters"] == (moments([float(len(text)) for text in texts]) if texts else None)
    numbers = [cell for cell in present if type(cell) in (int, float) and abs(cell) <= sys.float_info.max]
    assert profile.get("numbers") == (moments([*map(float, numbers)]) if present and numbers == present else None)


def test_verdicts_are_counted() -> None:
    """Those that are valid, and those that are not; only columns that hold some have counts."""
    profiles = profile_columns({name: COLUMNS[name] for name in ("verdicts", "texts")}, {})
    assert (profiles["verdicts"]["valid"], profiles["verdicts"]["invalid"]) == (1, 1)
    assert "valid" not in profiles["texts"]
    assert "invalid" not in profiles["texts"]


def test_verdicts_of_batches_add_up() -> None:
    """Those that are false only where every batch that has verdicts counted them."""
    verdicts, nulls = (profile_columns({"c": COLUMNS[name]}, {}) for name in ("verdicts", "nulls"))
    old = {"c": verdicts["c"].copy()}
    del old["c"]["invalid"]
    for others, invalid in (([verdicts], 2), ([nulls], 1), ([old], None)):
        merged = merge_profiles([verdicts, *others])["c"]
        assert merged.get("invalid") == invalid
        assert merged["valid"] == (1 if others == [nulls] else 2)


def judged(helpful: Any, tone: Any = "casual") -> dict[str, Any]:
    """A judgement of two scores."""
    return {name: {"reasoning": "so", "score": score} for name, score in (("helpful", helpful), ("tone", tone))}


def scores(*cells: Any) -> dict[str, dict[str, int]] | None:
    """What a profile counts of scores."""
    return profile_columns({"c": cells}, {})["c"].get("scores")


def test_scores_are_counted_by_option() -> None:
    """Of every score of a judge; cells that are null give none, and truths are no scores."""
    assert scores(judged(5), judged(4, "formal"), None, judged(5), judged(True)) == {
        "helpful": {"5": 2, "4": 1},
        "tone": {"casual": 3, "formal": 1},
    }


@pytest.mark.parametrize(
    "cells",
    [
        [{"is_valid": True}],
        [{"a": {"score": 5}}],
        [{"a": {"score": 0.5, "reasoning": "so"}}],
        ["text"],
        [{"a": {"score": number, "reasoning": "so"}} for number in range(60)],
        [{"a": {"score": "long " * 50, "reasoning": "so"}}],
        [{f"name {number}": {"score": 1, "reasoning": "so"}} for number in range(60)],
    ],
    ids=["verdict", "no reasoning", "no option", "text", "many options", "long options", "many scores"],
)
def test_what_is_no_judgement_has_no_scores(cells: list[Any]) -> None:
    """Also where a model was free to write what looks like one: a profile stays small."""
    assert scores(*cells) is None


def test_scores_of_batches_add_up() -> None:
    """Also with those of a version that counted none."""
    one, other = ({"c": profile_columns({"c": [judged(5), judged(score)]}, {})["c"]} for score in (4, 5))
    assert merge_profiles([one, other])["c"]["scores"] == {"helpful": {"5": 3, "4": 1}, "tone": {"casual": 4}}
    del other["c"]["scores"]
    merged = merge_profiles([one, other])["c"]
    assert merged["scores"] == {"helpful": {"5": 1, "4": 1}, "tone": {"casual": 2}}
    assert merged["rows"] == 4


LARGE = sys.float_info.max * 0.95


@pytest.mark.parametrize("numbers", [[LARGE] * 3, [LARGE, -LARGE], [1e200, 2e200, -3e200], [LARGE, 1.0]])
def test_numbers_near_the_largest_have_a_mean_and_no_spread(numbers: list[float]) -> None:
    """Nothing overflows, in one batch or in several; what no float holds is null."""
    whole = profile_columns({"x": numbers}, {})["x"]["numbers"]
    assert whole is not None
    parts = [profile_columns({"x": [number]}, {}) for number in numbers]
    merged = merge_profiles(parts)["x"]["numbers"]
    assert merged is not None
    for found in (whole, merged):
        mean = math.fsum(number / len(numbers) for number in numbers)
        assert found["mean"] == pytest.approx(mean, abs=1e-9 * max(numbers))
        assert (found["min"], found["max"]) == (min(numbers), max(numbers))
        assert stddev(found) is None or len(set(numbers)) == 1
    again = merge_profiles([{"x": {**parts[0]["x"], "numbers": whole}}, parts[0]])["x"]["numbers"]
    assert again is not None
    assert stddev(again) is None or len(set(numbers)) == 1
