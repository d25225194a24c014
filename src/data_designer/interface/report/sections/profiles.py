"""What the values of each column look like."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from data_designer.engine.dataset.profile import distinct
from data_designer.interface.figures import count, number, share
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.plots import Plot, equal_bins, histogram
from data_designer.interface.report.samples import Sample
from data_designer.interface.report.section import Section
from data_designer.interface.report.texts import name as shortened
from data_designer.plan.profile import Moments, Profile, stddev

MOST_COLUMNS = 100
_MOST_CATEGORIES = 10
_MOST_EACH = 2000
"""Of one number, in a histogram of all."""
_FEW = 12
"""Distinct values that are shown each, however few rows there are."""


@dataclass(frozen=True, slots=True)
class Share:
    """How often something is there."""

    label: str
    figure: str
    share: str
    percent: float
    """For its bar."""
    kind: str = "bar"


@dataclass(frozen=True, slots=True)
class Group:
    """Values and how often they are there."""

    title: str
    shares: tuple[Share, ...]
    rest: str = ""
    """What is left out."""


@dataclass(frozen=True, slots=True)
class Card:
    """One column."""

    name: str
    kind: str
    facts: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...] = ()
    plot: Plot | None = None
    caption: str = ""
    """Of the plot."""


@dataclass(frozen=True, slots=True)
class Cards:
    """All columns."""

    cards: tuple[Card, ...]
    more: int
    """Columns that are left out."""


def section(facts: Facts) -> Section:
    """The columns in the order of the configuration; those that are not declared come last."""
    profiles = facts.totals.profile
    kinds, names = facts.kinds, facts.declared_first(profiles)
    cards = tuple(_card(name, kinds.get(name, ""), profiles[name], facts.sample) for name in names[:MOST_COLUMNS])
    return Section("profiles", "Columns", Cards(cards, max(0, len(names) - MOST_COLUMNS)))


def _card(name: str, kind: str, profile: Profile, sample: Sample) -> Card:
    rows, filled = profile["rows"], profile["rows"] - profile["nulls"]
    different = min(distinct(profile), filled)
    facts = [
        ("Values", count(filled)),
        ("Nulls", share(profile["nulls"], rows) or "0 %"),
        ("Distinct", count(different)),
    ]
    groups = _groups(profile, different, filled) or _scores(sample.scores.get(name), sample)
    if groups:
        return Card(name, kind, tuple(facts), groups)
    plot, caption = None, ""
    numbers, characters = profile.get("numbers"), profile["characters"]
    if numbers:
        facts += _moments(numbers)
        plot, caption = _numbers(name, profile, sample)
    elif characters:
        written = "As JSON" if profile["arrow_type"].startswith(("struct", "list")) else "Length"
        shortest, longest = number(characters["min"]), number(characters["max"])
        lengths = shortest if shortest == longest else f"{shortest} to {longest}"
        facts += [(written, f"{lengths} characters")]
        facts += [] if shortest == longest else [("Mean", number(characters["mean"]))]
        plot, caption = _histogram(f"Lengths of {name}", sample.lengths.get(name), sample)
        caption = caption and f"Length in characters, {caption[0].lower()}{caption[1:]}"
    return Card(name, kind, tuple(facts), (), plot, caption)


def _numbers(name: str, profile: Profile, sample: Sample) -> tuple[Plot | None, str]:
    """A histogram of all numbers where they are counted, else of those of the first file."""
    counts = profile["categories"]
    if counts and len(counts) > 1:
        every = [_number(text) for text, many in counts.items() for _ in range(min(many, _MOST_EACH))]
        if max(counts.values()) <= _MOST_EACH and all(map(math.isfinite, every)):
            return histogram(f"Values of {name}", equal_bins(every)), ""
    return _histogram(f"Values of {name}", sample.numbers.get(name), sample)


def _scores(counts: Mapping[str, Mapping[str, int]] | None, sample: Sample) -> tuple[Group, ...]:
    rest = f"Of the first {count(sample.rows)} records"
    return tuple(replace(_group(name, found, sort=True), rest=rest) for name, found in (counts or {}).items())


def _moments(numbers: Moments) -> list[tuple[str, str]]:
    spread = stddev(numbers)
    if spread is None or not math.isfinite(numbers["mean"] + spread):
        return [("Range", "too wide to say")]
    return [
        ("Range", f"{number(numbers['min'])} to {number(numbers['max'])}"),
        ("Mean", f"{number(numbers['mean'])} ± {number(spread)}"),
    ]


def _histogram(label: str, numbers: list[float] | None, sample: Sample) -> tuple[Plot | None, str]:
    if not numbers or min(numbers) == max(numbers):
        return None, ""
    return histogram(label, equal_bins(numbers)), f"Of the first {count(sample.rows)} records"


def _groups(profile: Profile, different: int, filled: int) -> tuple[Group, ...]:
    if "valid" in profile:
        return (_verdicts(profile["valid"], filled),)
    scores = cast("Mapping[str, Any]", profile).get("scores")
    if scores:
        return tuple(_group(name, counts, sort=True) for name, counts in scores.items())
    categories = profile["categories"]
    numbers = profile.get("numbers")
    if not categories or (different > _FEW and (numbers or different > filled / 4)) or (different == filled > _FEW / 4):
        return ()
    return (_group("", categories, sort=bool(numbers), whole=filled),)


def _verdicts(valid: int, filled: int) -> Group:
    return Group(
        "Verdicts",
        (
            Share("valid", count(valid), share(valid, filled), 100 * valid / max(1, filled), "whole"),
            Share("not valid", count(filled - valid), share(filled - valid, filled),
                  100 * (filled - valid) / max(1, filled), "rejected"),
        ),
    )  # fmt: skip


def _group(title: str, counts: Mapping[str, int], *, sort: bool, whole: int | None = None) -> Group:
    """Counts of values: by the value where it is a number, else the most frequent first.

    Args:
        title: of the group.
        counts: value to how often it is there; long ones are not among them.
        sort: whether values are numbers.
        whole: how many values there are in all, where that is not the sum of the counts.
    """
    counted, most = sum(counts.values()), max(counts.values(), default=1)
    whole = counted if whole is None else max(whole, counted)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = ranked[:_MOST_CATEGORIES] if len(ranked) > _FEW else ranked
    left = len(ranked) - len(kept)
    others = whole - sum(number for _, number in kept)
    rest = f"{count(left)} further values: {share(others, whole)}" if left else ""
    if others and not left:
        rest = f"long values: {share(others, whole)}"
    if sort:
        kept = sorted(kept, key=lambda item: _number(item[0]))
    return Group(
        title,
        tuple(Share(shortened(value), count(many), share(many, whole), 100 * many / most) for value, many in kept),
        rest,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")
