"""What is known of the runs of a plan, and what may be found in it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from data_designer.engine.observe.forecast import Scenario
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, ColumnAccounts, RunAccounts
from data_designer.engine.protocol.spending import Spending
from data_designer.plan.model import Plan

SEEN = 0.05
"""Share of the time from which something counts."""
FULL = 0.5
"""Share of their time from which slots or workers may be too few."""


class Bottleneck(StrEnum):
    """What holds a run up."""

    SLOTS = "slots"
    """Too few requests of an alias may be in flight."""
    REFUSED = "refused"
    """An endpoint takes fewer requests than are sent."""
    SHARED = "shared"
    """Aliases of one provider may have too few requests in flight together."""
    RATE = "rate"
    """A rate or a budget that was set holds requests back."""
    BATCHES = "batches"
    """Too few batches, or rows, may be under way."""
    MEMORY = "memory"
    """Values of open batches fill what they may."""
    DISK = "disk"
    """Batches are not written fast enough."""
    CPU = "cpu"
    """A column that asks no model."""
    TAIL = "tail"
    """The last rows take long."""
    FIRST_REPLY = "first reply"
    """Replies that cannot be used, so that it is asked again."""
    DOWN = "down"
    """An endpoint that answered nothing."""
    STARTUP = "startup"
    """The time before slots are there."""
    ENGINE = "engine"
    """The engine's own work."""
    NOTHING = "nothing"
    """Slots were busy, and nothing that can be set would make it much faster."""


@dataclass(frozen=True, slots=True)
class Change:
    """Of one setting."""

    setting: str
    """Its name; of no setting, what is to change."""
    of: str = ""
    """The alias or column that has it; empty where it is the run's."""
    before: str | int | None = None
    after: str | int | None = None

    def __str__(self) -> str:
        whose = f" of '{self.of}'" if self.of else ""
        if self.after is None:
            return f"{self.setting}{whose}"
        return f"{self.setting}{whose} {'unset' if self.before is None else self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that holds a run up, and what would change it."""

    bottleneck: Bottleneck
    subject: str
    """Alias or column; several joined by `, `; empty where it is all of the run."""
    seen: str
    """With figures."""
    changes: tuple[Change, ...]
    most: float
    """Share of the time that it costs, of which no more can be saved."""
    changed: Scenario | None = None
    """With what was changed; None where virtual time has no such thing, and `most` is what is saved."""
    least: float = 0.0
    """Share that is saved whatever virtual time says, which may not have the few things that really took long."""
    at_most: bool = False
    """Whether the change goes further than can be hoped for, such as a disk that needs no time."""
    note: str = ""
    """What else there is to say of the change."""
    a_record: bool = False
    """Whether it saves time a record, since it changes how many there are."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of the runs of a plan."""

    plan: Plan
    accounts: RunAccounts
    usual: Scenario
    """What was measured, for virtual time."""
    spent: Mapping[str, Spending]
    """Column to what its cells cost, with how many took the first reply."""
    cores: int | None
    """CPUs that the workers may use; None where that is not known."""

    @property
    def few_rows_out(self) -> bool:
        """Whether fewer rows may be out, as the user has set it, than keep all slots full."""
        most = self.usual.shape.max_rows_out
        return most is not None and most < 2 * sum(self.usual.shape.slots.values())

    @property
    def workers(self) -> int:
        """CPU tasks that may run at once."""
        return max(1, self.accounts.workers or self.plan.run.non_inference_max_parallel_workers)

    @property
    def workers_busy(self) -> float:
        """Share of the workers' time in which they worked."""
        return sum(self.accounts.worker_seconds.values()) / (self.workers * self.accounts.seconds)

    @property
    def aliases(self) -> dict[str, AliasAccounts]:
        """Those of the plan that were asked or waited."""
        known = self.accounts.aliases
        return {alias: known[alias] for alias in self.plan.pools if alias in known and known[alias].slot_seconds > 0}

    def share(self, alias: str, account: Account) -> float:
        """Of an alias's slot time that was in an account."""
        one = self.accounts.aliases[alias]
        return one.seconds.get(account, 0.0) / one.slot_seconds

    def most(self, account: Account) -> tuple[str, float]:
        """The alias with the largest share in an account."""
        shares = {alias: self.share(alias, account) for alias in self.aliases}
        return max(shares.items(), key=lambda item: item[1], default=("", 0.0))

    def least(self, account: Account) -> tuple[str, float]:
        """The alias with the smallest."""
        shares = {alias: self.share(alias, account) for alias in self.aliases}
        return min(shares.items(), key=lambda item: item[1], default=("", 0.0))

    def closed_meanwhile(self, alias: str) -> float:
        """Share of an alias's time in which no batch was opened, but for the end, when the last ones are written."""
        timeline = self.accounts.timeline
        last = max((place for place, sample in enumerate(timeline) if sample.cells), default=0)
        end = sum(sample.slots.get(alias, {}).get(Account.STORAGE, 0.0) for sample in timeline[last:])
        one = self.accounts.aliases.get(alias)
        return 0.0 if one is None else (one.seconds.get(Account.STORAGE, 0.0) - end) / one.slot_seconds

    def columns_of(self, alias: str) -> dict[str, ColumnAccounts]:
        """Columns for which an alias was asked."""
        columns = self.accounts.columns.items()
        return {name: column for name, column in columns if column.alias == alias and column.latency}

    def feeds(self, alias: str, other: str) -> bool:
        """Whether what one alias is asked needs what another was answered."""
        stages = self.plan.stages
        reached = {stage.number for stage in stages if stage.pool == alias}
        for stage in stages:
            if reached.intersection(stage.upstream):
                reached.add(stage.number)
        return any(stages[number].pool == other for number in reached)

    def place(self, column: str) -> tuple[int, int] | None:
        """The stage of a column that asks a model, and which of its columns that is."""
        for stage in self.plan.stages:
            asking = [one.name for one in stage.steps if one.name in self.columns_of(stage.pool)]
            if column in asking:
                return stage.number, asking.index(column)
        return None


def percent(share: float) -> str:
    """A share as text."""
    return f"{100 * share:.0f} %" if share >= 0.095 or not share else f"{100 * share:.1f} %"
