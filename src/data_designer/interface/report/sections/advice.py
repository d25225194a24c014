"""What to change for a faster run."""

from dataclasses import dataclass

from data_designer.interface.report.facts import Facts
from data_designer.interface.report.section import Section
from data_designer.interface.report.texts import clipped

_MOST = 10
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Advice:
    """What was found, the most effective first."""

    lines: tuple[tuple[str, ...], ...]
    """Each in parts: at odd places those that stood in backticks."""


def section(facts: Facts) -> Section | None:
    """The advice; nothing where nobody has looked for any."""
    advice = facts.extras.advice
    if advice is None:
        return None
    lines = tuple(tuple(clipped(one, _LONGEST).split("`")) for one in advice[:_MOST])
    return Section("advice", "Advice", Advice(lines))
