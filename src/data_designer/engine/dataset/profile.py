"""Mergeable column statistics: each batch makes its own, and a fold over the receipts gives the dataset's."""

import hashlib
import math
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from data_designer.columns.seeds.large_cells import has_large
from data_designer.engine.dataset.encoding import json_text, json_texts
from data_designer.plan.profile import Moments, Profile
from data_designer.values import LargeCell

SKETCH_SIZE = 512
"""Smallest hashes kept to estimate the number of distinct values; exact up to this many (error about 4 % above)."""

_MOST_CATEGORIES = 50
_LONGEST_CATEGORY = 100
"""Characters."""
_MOST_SCORES = 50
"""Of a judgement, and options of each of them: more are no judge's."""
_OPTIONS = frozenset({int, str})
"""Types of what a score may be."""
_SCALARS = frozenset({str, int, float, bool})
_HASH_SPACE = float(1 << 64)
_NOTHING = "null"
"""Arrow type of a column without any value."""
_LARGEST = sys.float_info.max


def profile_columns(columns: Mapping[str, Sequence[object]], types: Mapping[str, str]) -> dict[str, Profile]:
    """Statistics of a batch's columns, JSON-able: rows, nulls, distinct values, numbers, most common texts.

    Args:
        columns: cells by column.
        types: Arrow types of the columns that are stored, as text.
    """
    return {name: _profile(values, types.get(name, "dropped")) for name, values in columns.items()}


def merge_profiles(profiles: Iterable[Mapping[str, Profile]]) -> dict[str, Profile]:
    """Statistics of several batches together; the order does not matter."""
    merged: dict[str, Profile] = {}
    for profile in profiles:
        for name, other in profile.items():
            merged[name] = _merge(merged[name], other) if name in merged else other
    return merged


def distinct(profile: Profile) -> int:
    """Number of distinct values: exact for few, estimated by the k-th smallest hash for many (Bar-Yossef 2002)."""
    smallest: list[int] = profile["smallest_hashes"]
    if len(smallest) < SKETCH_SIZE:
        return len(smallest)
    return round((SKETCH_SIZE - 1) * _HASH_SPACE / max(smallest))


def _profile(values: Sequence[object], arrow: str) -> Profile:
    present = [value for value in values if value is not None]
    if has_large(present):
        # Distinct ones have names of their own; how long they are is not looked at.
        names = [value.name if isinstance(value, LargeCell) else value for value in present]
        return {**_profile(names, arrow), "rows": len(values), "nulls": len(values) - len(present), "characters": None}
    kinds = set(map(type, present))
    texts = _texts(present, kinds)
    distinct = set(texts)
    few = sum(len(text) <= _LONGEST_CATEGORY for text in distinct) <= _MOST_CATEGORIES
    profile: Profile = {
        "rows": len(values),
        "nulls": len(values) - len(present),
        "arrow_type": arrow,
        "smallest_hashes": _smallest_hashes(distinct),
        "categories": dict(Counter(text for text in texts if len(text) <= _LONGEST_CATEGORY)) if few else None,
        "characters": _moments_of_lengths([*map(len, texts)]) if texts else None,
    }
    if present and (numbers := _numbers(present, kinds)) is not None:
        profile["numbers"] = _moments(numbers)
    if not kinds <= _SCALARS:
        verdicts = [value.get("is_valid") for value in present if isinstance(value, dict) and "is_valid" in value]
        if verdicts:
            profile["valid"] = sum(verdict is True for verdict in verdicts)
            profile["invalid"] = sum(verdict is False for verdict in verdicts)
        if scores := _scores(present):
            profile["scores"] = scores
    return profile


def _scores(present: Sequence[object]) -> dict[str, dict[str, int]]:
    """How often each option of each score was given, where values are judgements: scores with their reasoning."""
    counts: dict[str, dict[str, int]] = {}
    for value in present:
        for name, scored in value.items() if isinstance(value, dict) else ():
            if not isinstance(scored, dict) or "reasoning" not in scored:
                continue
            if type(option := scored.get("score")) in _OPTIONS:
                own = counts.setdefault(name, {})
                own[str(option)] = own.get(str(option), 0) + 1
        if len(counts) > _MOST_SCORES:
            return {}
    return _as_of_a_judge(counts)


def _as_of_a_judge(counts: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Those scores that have as few options, and as short ones, as a judge's."""
    few = {name: own for name, own in counts.items() if len(own) <= _MOST_SCORES and _is_short(own)}
    return few if len(few) <= _MOST_SCORES else {}


def _is_short(options: Mapping[str, int]) -> bool:
    return all(len(option) <= _LONGEST_CATEGORY for option in options)


def _texts(present: list[object], kinds: set[type]) -> list[str]:
    """Each value as text."""
    if str not in kinds:
        return json_texts(present)
    return [value if isinstance(value, str) else json_text(value) for value in present]


def _numbers(present: list[object], kinds: set[type]) -> list[float] | None:
    """Values as floats; None where one is no number that a float can stand for."""
    if not kinds <= {int, float}:
        return None
    numbers = [value for value in present if isinstance(value, int | float) and abs(value) <= _LARGEST]
    return [*map(float, numbers)] if len(numbers) == len(present) else None


def _smallest_hashes(texts: Iterable[str]) -> list[int]:
    # Digests are in the order of their numbers, since the first byte counts most.
    digests = {hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts}
    return [int.from_bytes(digest) for digest in sorted(digests)[:SKETCH_SIZE]]


def _moments_of_lengths(lengths: Sequence[int]) -> Moments:
    """Moments of numbers of which many are the same."""
    mean = math.fsum(lengths) / len(lengths)
    squares = {length: (length - mean) ** 2 for length in set(lengths)}
    return {
        "count": len(lengths),
        "mean": mean,
        "m2": math.fsum(map(squares.__getitem__, lengths)),
        "min": float(min(lengths)),
        "max": float(max(lengths)),
    }


def _moments(numbers: Sequence[float]) -> Moments:
    mean = _mean(numbers)
    return {
        "count": len(numbers),
        "mean": mean,
        "m2": _squares(numbers, mean),
        "min": min(numbers),
        "max": max(numbers),
    }


def _mean(numbers: Sequence[float]) -> float:
    try:
        return math.fsum(numbers) / len(numbers)
    except OverflowError:  # The sum is beyond what a float holds, the mean is not.
        return math.fsum([number / len(numbers) for number in numbers])


def _squares(numbers: Sequence[float], mean: float) -> float | None:
    try:
        return _finite(math.fsum([(number - mean) ** 2 for number in numbers]))
    except OverflowError:
        return None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _merge(one: Profile, other: Profile) -> Profile:
    merged: Profile = {
        "rows": one["rows"] + other["rows"],
        "nulls": one["nulls"] + other["nulls"],
        "arrow_type": other["arrow_type"] if one["arrow_type"] == _NOTHING else one["arrow_type"],
        "smallest_hashes": _merge_hashes(one["smallest_hashes"], other["smallest_hashes"]),
        "categories": _merge_categories(one["categories"], other["categories"]),
        "numbers": _merge_moments(one.get("numbers"), other.get("numbers")),
        "characters": _merge_moments(one.get("characters"), other.get("characters")),
    }
    judged = [part for part in (one, other) if "valid" in part]
    if judged:
        merged["valid"] = sum(part["valid"] for part in judged)
        # An earlier version counted those that are valid alone.
        if all("invalid" in part for part in judged):
            merged["invalid"] = sum(part["invalid"] for part in judged)
    if "scores" in one or "scores" in other:
        merged["scores"] = _merge_scores(one.get("scores", {}), other.get("scores", {}))
    return merged


def _merge_hashes(one: list[int], other: list[int]) -> list[int]:
    """The smallest of two lists, each in order: after many batches, next to none of a further one is among them."""
    if len(one) == SKETCH_SIZE:
        other = other[: bisect_left(other, one[-1])]
    return list(dict.fromkeys(sorted([*one, *other])))[:SKETCH_SIZE] if other else one


def _merge_scores(one: Mapping[str, dict[str, int]], other: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    names = dict.fromkeys([*one, *other])
    return _as_of_a_judge({name: dict(Counter(one.get(name, {})) + Counter(other.get(name, {}))) for name in names})


def _merge_moments(one: Moments | None, other: Moments | None) -> Moments | None:
    """Parallel variance (Chan, Golub, LeVeque 1979)."""
    if not one or not other:
        return one or other
    count = one["count"] + other["count"]
    mean = one["mean"] + (other["mean"] - one["mean"]) * other["count"] / count
    if not math.isfinite(mean):
        mean = one["mean"] * (one["count"] / count) + other["mean"] * (other["count"] / count)
    return {
        "count": count,
        "mean": mean,
        "m2": _merge_squares(one, other),
        "min": min(one["min"], other["min"]),
        "max": max(one["max"], other["max"]),
    }


def _merge_squares(one: Moments, other: Moments) -> float | None:
    if one["m2"] is None or other["m2"] is None:
        return None
    try:
        between = (other["mean"] - one["mean"]) ** 2 * one["count"] * other["count"] / (one["count"] + other["count"])
    except OverflowError:
        return None
    return _finite(one["m2"] + other["m2"] + between)


def _merge_categories(one: dict[str, int] | None, other: dict[str, int] | None) -> dict[str, int] | None:
    if one is None or other is None:
        return None
    counts = Counter(one) + Counter(other)
    return dict(counts) if len(counts) <= _MOST_CATEGORIES else None
