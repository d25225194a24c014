"""What became of the records that were asked for, and some that were rejected."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from data_designer.engine.dataset.failures import Failure
from data_designer.engine.protocol.receipt import FailureCount
from data_designer.interface.figures import count, share, usd
from data_designer.interface.report.facts import Conversation, Facts
from data_designer.interface.report.room import Room
from data_designer.interface.report.section import Section
from data_designer.interface.report.texts import Text, text

_ROOM = 600_000
_MOST_KINDS = 20
_MOST_LINES = 30
"""Of a reply, or of what was said, once its record is opened."""


@dataclass(frozen=True, slots=True)
class Fate:
    """How many records came to one end."""

    label: str
    kind: str
    """Its class in the style sheet."""
    number: int
    figure: str
    share: str
    percent: float
    """Of all records, for its bar."""
    offset: float = 0.0
    """Where its bar begins, in percent."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of failure."""

    kind: str
    column: str
    figure: str
    share: str
    percent: float
    example: Text
    record: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was rejected."""

    record: int
    column: str
    kind: str
    message: Text
    reply: Text | None
    attempts: int
    usd: str
    seed: Text | None
    conversation: Text | None


@dataclass(frozen=True, slots=True)
class Fates:
    """Of all records."""

    fates: tuple[Fate, ...]
    causes: tuple[Cause, ...]
    more_causes: int
    rejected: tuple[Rejected, ...]
    number_rejected: int


def section(facts: Facts) -> Section:
    """What became of the records."""
    room, totals = Room(_ROOM), facts.totals
    rows = [_rejected(one, facts.extras.conversation, room) for one in facts.rejected]
    kinds = sorted(totals.reasons.items(), key=lambda item: -item[1]["count"])
    causes = tuple(_causes(dict(kinds[:_MOST_KINDS]), room))
    fates = tuple(_fates(facts))
    return Section(
        "fates",
        "Outcomes",
        Fates(fates, causes, max(0, len(kinds) - _MOST_KINDS), tuple(rows), totals.rejected),
    )


def _fates(facts: Facts) -> Iterator[Fate]:
    totals, drawn = facts.totals, facts.metadata.target_num_records
    unfinished = max(0, drawn - totals.generated - totals.rejected)
    offset = 0.0
    for label, kind, number in (
        ("Generated", "whole", totals.generated - totals.null_filled),
        ("With a null for a cell that failed", "nulled", totals.null_filled),
        ("Rejected", "rejected", totals.rejected),
        ("Not made yet", "unfinished", unfinished),
    ):
        if number or kind in ("whole", "rejected"):
            percent = 100 * number / drawn if drawn else 0.0
            yield Fate(label, kind, number, count(number), share(number, drawn), percent, offset)
            offset += percent


def _causes(reasons: Mapping[str, FailureCount], room: Room) -> Iterator[Cause]:
    whole = sum(found["count"] for found in reasons.values())
    most = max((found["count"] for found in reasons.values()), default=1)
    for kind, found in reasons.items():
        number = found["count"]
        example = room.fit(text(found["message"]))
        yield Cause(
            kind, found["column"], count(number), share(number, whole), 100 * number / most, example, found["record"]
        )


def _rejected(one: Failure, conversation: Conversation | None, room: Room) -> Rejected:
    reason, said = one.reason, None if conversation is None else conversation(one.record, one.reason.column)
    return Rejected(
        one.record,
        reason.column,
        reason.kind,
        room.fit(text(reason.message, most_lines=_MOST_LINES)),
        None if reason.last_reply is None else room.fit(text(reason.last_reply, most_lines=_MOST_LINES)),
        one.attempts,
        "" if one.usd is None else usd(one.usd),
        None if one.seed is None else room.fit(text(one.seed, "data", _MOST_LINES)),
        None if said is None else room.fit(text(said, most_lines=_MOST_LINES)),
    )
