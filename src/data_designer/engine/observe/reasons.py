"""What holds a run up, in words: a line each, the most important first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from data_designer.engine.execution.driver import DRAIN_SECONDS
from data_designer.engine.execution.observation import Standing
from data_designer.engine.scheduling.holds import Lasting
from data_designer.plan.model import Stage

_STARTS = 2.0
_COMPUTES, _COMPUTES_ALONE = 2.0, 10.0
_WRITES = 5.0
"""Seconds for which replicas may start, CPU tasks run and a batch be written without a word."""
_NAMED = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """How an alias is asked at one moment."""

    left: bool
    """Whether there is anything left to ask it."""
    in_flight: int = 0
    limit: int = 0
    granted: int = 0
    """Slots of its replicas that are up."""
    rises_in: float | None = None
    """Seconds until the limit may rise, where refusals have brought it down."""
    hold: Lasting | None = None

    @property
    def has_room(self) -> bool:
        """Whether it could take further requests, if there were any."""
        return self.left and 2 * self.in_flight < self.limit


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the reasons are read off."""

    aliases: Mapping[str, Asked]
    stages: Sequence[Stage] = ()
    standing: Standing | None = None
    elapsed: float = 0.0
    """Seconds since work began."""
    unwritten: Mapping[int, str] = field(default_factory=dict)
    """Batches that could not be written, and are tried again, to why."""
    stopping: str | None = None
    """Why the run is being stopped, if it is."""


def reasons(situation: Situation) -> tuple[str, ...]:
    """What holds it up."""
    standing = situation.standing
    if situation.stopping is not None:
        return (
            f"stopping: {situation.stopping}",
            f"what is under way has {DRAIN_SECONDS:.0f} s to finish; what is complete is kept",
        )
    words = [*_models(situation), *_disk(situation)]
    if standing is not None:
        words += [*_memory(situation, standing), *_cpu(situation, standing), *_joins(situation, standing)]
    return tuple(words)


def _models(situation: Situation) -> Iterator[str]:
    held = {alias: word for alias, asked in situation.aliases.items() if (word := _held(asked)) is not None}
    yield from (
        f"{alias}: {word}" for _, alias, word in sorted((rank, alias, word) for alias, (rank, word) in held.items())
    )


def _held(asked: Asked) -> tuple[int, str] | None:
    """What holds an alias up, and how much that matters: 0 most."""
    hold, trouble = asked.hold, None if asked.hold is None else asked.hold.hold
    is_long = hold is not None and trouble is not None and hold.seconds >= trouble.worth_saying_after
    if hold is not None and trouble is not None and trouble.is_trouble and is_long:
        what = "endpoint down" if trouble.kind == "down" else "only 429"
        again = f", asked again in {duration(hold.until)}" if hold.until >= 1 else ""
        return 0, f"{what} for {duration(hold.seconds)}{again}, waiting up to {duration(trouble.patience)}"
    if asked.rises_in is not None and asked.limit < asked.granted:
        rises = f"rises again in {duration(asked.rises_in)}" if asked.rises_in >= 1 else "rising"
        return 1, f"429, limit {asked.granted} → {asked.limit}, {rises}"
    if hold is not None and trouble is not None and trouble.kind in ("rest", "rate") and hold.until >= 1:
        return 2, trouble.text
    if trouble is not None and hold is not None and is_long:
        return 3, f"no reply for {duration(hold.seconds)}, {asked.in_flight} under way"
    return None


def _disk(situation: Situation) -> Iterator[str]:
    for batch, why in situation.unwritten.items():
        yield f"disk: batch {batch} could not be written and is tried again: {why}"
    standing = situation.standing
    is_idle = not any(asked.in_flight for asked in situation.aliases.values())
    if standing is not None and standing.writing >= _WRITES and is_idle and not situation.unwritten:
        yield f"waiting for the disk: a batch is being written for {duration(standing.writing)}"


def _memory(situation: Situation, standing: Standing) -> Iterator[str]:
    held = standing.work.held_back_by
    if held is not None and any(asked.has_room for asked in situation.aliases.values()):
        yield f"memory: batch {held[0]} and others hold {size(held[1])}; no further one is opened"


def _cpu(situation: Situation, standing: Standing) -> Iterator[str]:
    """CPU tasks, where models that have work left could take more than they have, or none has any left."""
    asks = [asked for asked in situation.aliases.values() if asked.left]
    if asks and not any(asked.has_room for asked in asks):
        return
    for stage, computing in standing.computing.items():
        if computing.seconds >= (_COMPUTES if asks else _COMPUTES_ALONE):
            columns = situation.stages[stage].makes
            more = f" +{len(columns) - _NAMED}" if len(columns) > _NAMED else ""
            names = f"column {', '.join(columns[:_NAMED])}{more}"
            rows = f"{computing.rows} row{'' if computing.rows == 1 else 's'}"
            yield f"waiting for CPU: {names} ({rows}, for {duration(computing.seconds)})"


def _joins(situation: Situation, standing: Standing) -> Iterator[str]:
    if standing.opening:
        yield standing.opening
    elif situation.elapsed >= _STARTS:
        for alias in dict.fromkeys(standing.starting):
            asked = situation.aliases.get(alias)
            if asked is not None and asked.left and not asked.granted:
                yield f"{alias}: starting"
    if standing.lacks and (standing.computing or standing.starting):
        yield standing.lacks


def duration(seconds: float) -> str:
    """Seconds as a person says them: `40 s`, `3 min`, `1 h 20 min`."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(number: int) -> str:
    """Bytes as a person says them."""
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"
