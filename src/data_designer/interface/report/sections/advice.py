"""What to change for a faster run."""

from dataclasses import dataclass

from data_designer.interface.report.facts import Facts
from data_designer.interface.report.section import Section
from data_designer.interface.report.texts import clipped

_MOST = 20
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Advice:
    """What was found, the most effective first."""

    lines: tuple[str, ...]


def section(facts: Facts) -> Section | None:
    """The advice; nothing where nobody has looked for any."""
    advice = facts.extras.advice
    if advice is None:
        return None
    return Section("advice", "Advice", Advice(tuple(clipped(one, _LONGEST) for one in advice[:_MOST])))
