"""What is said when a run has ended, and of a dataset that is looked at: what became of it, and what to do next."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_designer.config.run_config import Budget
from data_designer.engine.protocol.receipt import FailureCount
from data_designer.interface import figures
from data_designer.interface.outcomes import RunOutcomes, ranked
from data_designer.object_storage import Location

_LONGER = 1.1
"""How many times as long as one run several take of which it is said."""
_LIMITS = ("usd", "tokens", "requests")


@dataclass(frozen=True, slots=True)
class Ending:
    """A dataset, or a preview, and the run that has ended."""

    outcomes: RunOutcomes
    """What became of every record."""
    dataset: str | None = None
    """What a command calls the dataset; None of a preview."""
    seconds: float | None = None
    """Seconds that the run took; None where that is not recorded."""
    seconds_in_all: float | None = None
    """Seconds that all runs of the dataset took; None where they have left no accounts."""
    stopped: str | None = None
    """Why the run ended before its last batch, if it did."""
    budget: Budget | None = None
    """What it may cost."""
    advice: Sequence[str] = ()
    """What to change, the most effective first."""

    @property
    def first_line(self) -> str:
        """How many records are where."""
        outcomes = self.outcomes
        where = "" if self.dataset is None else f" in {self.dataset}"
        records = "record" if outcomes.requested == 1 else "records"
        return f"{figures.count(outcomes.there)} of {figures.count(outcomes.requested)} {records}{where}"

    @property
    def facts(self) -> list[str]:
        """What else there is to say of all records together: those that lack something, time, cost."""
        outcomes, count = self.outcomes, figures.count
        counted = (
            (outcomes.rejected, "rejected"),
            (outcomes.null_filled, "with nulls for what failed"),
            (outcomes.unfinished, "not made yet"),
            (outcomes.refilled, "drawn for those rejected"),
        )
        told = [f"{count(number)} {what}" for number, what in counted if number]
        told += [] if self.seconds is None else [figures.seconds(self.seconds)]
        if self.seconds_in_all is not None and self.seconds_in_all > _LONGER * (self.seconds or 0.0):
            told.append(f"{figures.seconds(self.seconds_in_all)} in all runs")
        if outcomes.usd is not None:
            # What is answered for records that are not made yet is paid for too, and not counted here.
            told.append(f"{figures.usd(outcomes.usd)}{' for what is made' if outcomes.unfinished else ''}")
        return told

    @property
    def causes(self) -> list[tuple[str, str]]:
        """What made cells fail, the most frequent first: how often and where, and one example."""
        return [
            (f"{figures.count(found['count'])}x {kind} in {_columns(found)}", _example(found))
            for kind, found in ranked(self.outcomes.reasons)
        ]

    @property
    def retried(self) -> list[tuple[str, str]]:
        """Requests of this run that failed: how many of which model, and one example."""
        return [
            (f"{figures.count(found['count'])}x {kind} from {alias}", found["message"])
            for alias, kinds in self.outcomes.retried.items()
            for kind, found in ranked(kinds)
        ]

    @property
    def next_step(self) -> tuple[str, str] | None:
        """The one thing to do now, and its command; None where there is no dataset to do it with."""
        if self.dataset is None:
            return None
        outcomes, resume = self.outcomes, f"data-designer resume {self.dataset}"
        lacking = outcomes.requested - outcomes.there
        if outcomes.unfinished and self._spent_budget is not None:
            return "go on with a larger budget", f"{resume} --set 'budget={self._spent_budget}'"
        if outcomes.unfinished:
            return "go on; what was answered is not asked again", resume
        if outcomes.refilled and lacking > 0:
            candidates = 2 * outcomes.refilled
            return f"draw further records for the {lacking:,} missing", f"{resume} --set refill_candidates={candidates}"
        if outcomes.rejected and lacking > 0:
            what = "the rejected record" if outcomes.rejected == 1 else f"the {outcomes.rejected:,} rejected records"
            return f"make {what} again", f"data-designer retry-failed {self.dataset}"
        return "look at it", f"data-designer show {self.dataset}"

    @property
    def _spent_budget(self) -> str | None:
        """A budget of twice as much, as a setting, where this one has stopped the run."""
        if self.budget is None or self.stopped is None or "budget is used up" not in self.stopped:
            return None
        limits = {name: getattr(self.budget, name) for name in _LIMITS}
        return f"{{{', '.join(f'{name}: {2 * limit:.6g}' for name, limit in limits.items() if limit is not None)}}}"


def _columns(found: FailureCount) -> str:
    counts = found.get("columns", {})
    if len(counts) < 2:
        return found["column"]
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _example(found: FailureCount) -> str:
    return f"record {found['record']}: {found['message']}"


def named(place: Location) -> str:
    """A dataset as a command of the shell calls it: briefly where it is below the working directory."""
    if isinstance(place, Path) and place.is_relative_to(Path.cwd()):
        return shlex.quote(str(place.relative_to(Path.cwd())))
    return shlex.quote(os.fspath(place))
