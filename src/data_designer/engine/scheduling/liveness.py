"""Whether a run still moves: what it waits for is said, and a run that can move no more is ended."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

IDLE_SECONDS = 5.0
"""Without anything that happens until it is said what is waited for, where no work is under way."""
FUNCTION_SECONDS = 10.0
"""The same where nothing but CPU tasks is under way, such as functions of the user."""
BUSY_SECONDS = 30.0
"""The same where models are asked, which may take their time."""
STALLED_SECONDS = 60.0
"""Without anything that happens, or can, until a run is ended: longer than any lease."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a scheduler waits for."""

    tasks: tuple[int, ...] = ()
    """Stages of the CPU tasks that are to run."""
    held: Mapping[int, int] = field(default_factory=dict)
    """Replica to the number of rows that it was given and has not reported."""
    batches: tuple[int, ...] = ()
    """Batches that are to be written."""
    rest: str = ""
    """What waits, and for which pools, where none of these is under way."""


@dataclass(frozen=True, slots=True)
class Computing:
    """The CPU tasks of a stage."""

    rows: int
    seconds: float
    """Since the first of them was given out."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What a driver waits for."""

    computes: Mapping[int, Computing] = field(default_factory=dict)
    """Stage to its CPU tasks."""
    writes: bool = False
    """Whether a batch is being written."""
    models: Mapping[int, str] = field(default_factory=dict)
    """Replica to its model's alias."""
    starting: Collection[int] = ()
    """Replicas that have not come up."""
    empty: Collection[int] = ()
    """Replicas that say that they hold nothing."""
    lacks: str = ""
    """What keeps work from being placed, and what helps; nothing where there is room."""
    joins: str = ""
    """What is to join the run and may end the wait; nothing where that is there, or does not come."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to say."""

    text: str
    is_hopeless: bool = False
    """Whether nothing is under way that could end the wait."""
    is_end: bool = False
    """Whether it has lasted for so long that the run is to be ended."""


class Liveness:
    """Watches how long nothing has happened.

    Args:
        columns: for each stage, the names of its columns.
        now: seconds on any clock; the same clock from then on.
    """

    def __init__(self, columns: Sequence[str], now: float) -> None:
        self._columns = columns
        self._moved_at = now
        self._next = 1.0
        """What the time until something is said is multiplied by: said once, it is said again after twice as long."""

    def moved(self, now: float) -> None:
        """Something happened."""
        self._moved_at, self._next = now, 1.0

    def look(self, now: float, waiting: Waiting, under_way: UnderWay) -> Notice | None:
        """What is to be said at this moment, if anything."""
        quiet = now - self._moved_at
        asks = bool(set(waiting.held) - set(under_way.empty))
        hopeless = not (asks or under_way.computes or under_way.writes or under_way.starting or under_way.joins)
        is_end = hopeless and quiet >= STALLED_SECONDS
        if not is_end and quiet < _patience(under_way, asks=asks) * self._next:
            return None
        self._next *= 2
        text = f"nothing has happened for {quiet:.0f} s: waiting for {self._words(waiting, under_way)}"
        if under_way.joins:
            text += f"; and for {under_way.joins}"
        if is_end:
            text += ", which cannot come any more"
        elif hopeless:
            text += f"; if that does not come the run ends in {STALLED_SECONDS - quiet:.0f} s"
        elif under_way.lacks and (under_way.computes or under_way.writes or under_way.starting):
            text += f"; {under_way.lacks}"
        return Notice(text, hopeless, is_end)

    def _words(self, waiting: Waiting, under_way: UnderWay) -> str:
        words = [
            f"{_counted(number, 'CPU task')} of {self._columns[stage]}{_since(under_way.computes.get(stage))}"
            for stage, number in Counter(waiting.tasks).items()
        ]
        words += [f"batch {batch} to be written" for batch in waiting.batches]
        for replica, rows in waiting.held.items():
            says = ", which says that it has none" if replica in under_way.empty else ""
            words.append(f"{_counted(rows, 'row')} at replica {replica} of model '{under_way.models[replica]}'{says}")
        starting = Counter(under_way.models[replica] for replica in under_way.starting)
        words += [f"{_counted(number, 'replica')} of model '{model}' to start" for model, number in starting.items()]
        return "; ".join(words) or waiting.rest


def _patience(under_way: UnderWay, *, asks: bool) -> float:
    """Seconds without anything until it is said."""
    works = bool(under_way.computes) or under_way.writes
    if asks or (under_way.writes and not under_way.lacks):
        return BUSY_SECONDS
    return FUNCTION_SECONDS if works and not under_way.lacks else IDLE_SECONDS


def _since(computing: Computing | None) -> str:
    return "" if computing is None else f" ({_counted(computing.rows, 'row')}, for {computing.seconds:.0f} s)"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
