"""What may hold a run up, as its accounts show it, and the setting that would change it. Pure.

Each function below looks for one thing and says nothing where it is not there.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from data_designer.config.column_configs import ValidationColumnConfig
from data_designer.engine.observe.forecast import Scenario, stage_making
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, ColumnAccounts, RunAccounts
from data_designer.engine.protocol.spending import Spending
from data_designer.plan.model import LOCAL, Plan, Pool

_SEEN = 0.05
"""Share of the time from which something counts."""
_FULL = 0.5
"""Share of its slot time in which an alias asks from which more slots may help."""
_IDLE = 0.1
"""Share of the workers' time below which it is not them that are waited for."""
_FAR = 3
"""How many times as long as most the slowest take where that is worth a word."""
_MORE_RECORDS = 4
_OFTEN = 0.8
"""Share of cells that take the first reply below which that is worth a word."""


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


def percent(share: float) -> str:
    """A share as text."""
    return f"{100 * share:.0f} %" if share >= 0.095 or not share else f"{100 * share:.1f} %"


# --- what asks models ----------------------------------------------------------------------------------------


def too_few_slots(of: Evidence) -> Iterator[Finding]:
    """Slots that were full all the time, at an endpoint that never pushed back."""
    full = [alias for alias, one in of.aliases.items() if not one.refused and _may_have_more(of, alias)]
    for alias in full:
        yield _more_slots(of, (alias,))
    if len(full) > 1:
        yield _more_slots(of, tuple(full))


def _may_have_more(of: Evidence, alias: str) -> bool:
    """Whether more slots of an alias would be used, as far as can be seen from it alone."""
    slots = of.plan.pools[alias].slots
    shared = [(cap, aliases) for cap, aliases in of.usual.shape.shared if alias in aliases]
    room = all(cap > sum(of.usual.shape.slots[one] for one in aliases) for cap, aliases in shared)
    return room and slots < of.usual.records and of.share(alias, Account.ASKING) >= _FULL


def _more_slots(of: Evidence, aliases: tuple[str, ...]) -> Finding:
    slots = {alias: of.plan.pools[alias].slots for alias in aliases}
    changed = of.usual
    for alias, before in slots.items():
        changed = changed.with_slots(alias, 2 * before)
    shares = "; ".join(
        f"'{alias}' was full {percent(of.share(alias, Account.ASKING))} of the time" for alias in aliases
    )
    waiting = [
        f"'{other}' waited {percent(share)} of its time for its replies"
        for other in of.aliases
        if len(aliases) == 1 and (share := of.share(other, Account.UPSTREAM)) >= 0.2 and of.feeds(aliases[0], other)
    ]
    whose = "the endpoint never pushed back" if len(aliases) == 1 else "their endpoints never pushed back"
    return Finding(
        Bottleneck.SLOTS,
        ", ".join(aliases),
        "; ".join([f"{shares} and {whose}", *waiting]),
        tuple(Change("max_parallel_requests", alias, before, 2 * before) for alias, before in slots.items()),
        most=1.0,
        changed=changed,
        note="as long as the endpoint answers as fast",
    )


def refused(of: Evidence) -> Iterator[Finding]:
    """An endpoint that answered with 429."""
    for alias, one in of.aliases.items():
        held, slots = of.share(alias, Account.HELD), of.plan.pools[alias].slots
        if not one.refused:
            continue
        in_flight = one.seconds.get(Account.ASKING, 0.0) / max(one.slot_seconds / max(1, one.slots), 1e-9)
        taken = min(slots, max(one.lowest_limit or 1, math.ceil(in_flight)))
        seen = f"the endpoint of '{alias}' refused {one.refused:,} requests (429); {percent(held)} of its time was held"
        if taken == slots:
            change = Change("what the endpoint allows", alias)
            yield Finding(Bottleneck.REFUSED, alias, seen, (change,), held, at_most=True)
            continue
        changed = replace(of.usual.with_slots(alias, taken), slower={**of.usual.slower, alias: 1.0})
        yield Finding(
            Bottleneck.REFUSED,
            alias,
            f"{seen}: it takes about {taken} at once",
            (Change("max_parallel_requests", alias, slots, taken),),
            held,
            changed,
            note="more are of no use there",
        )


def held_back(of: Evidence) -> Iterator[Finding]:
    """Requests that were held back by what the user has set."""
    for alias, one in of.aliases.items():
        held = of.share(alias, Account.HELD)
        if one.refused or held < _SEEN:
            continue
        pool = of.plan.pools[alias]
        seen = f"requests of '{alias}' were held back {percent(held)} of the time"
        cap = pool.provider.max_parallel_requests
        if cap is not None:
            changed = _with_cap(of.usual, alias, 2 * cap)
            why = f"{seen}: provider '{pool.provider.name}' may have {cap} in flight in all"
            changes = (Change("max_parallel_requests", pool.provider.name, cap, 2 * cap),)
            yield Finding(Bottleneck.SHARED, alias, why, changes, 1.0, changed)
        else:
            setting, limit = _rate(pool)
            yield Finding(
                Bottleneck.RATE, alias, seen, (Change(setting, alias, limit, limit and 2 * limit),), held, at_most=True
            )


def _with_cap(usual: Scenario, alias: str, cap: int) -> Scenario:
    shared = tuple((cap if alias in aliases else one, aliases) for one, aliases in usual.shape.shared)
    slower = {one: 1.0 if one == alias else factor for one, factor in usual.slower.items()}
    return replace(usual.with_shape(shared=shared), slower=slower)


def _rate(pool: Pool) -> tuple[str, int | None]:
    """The rate that was set for an alias."""
    for name in ("requests_per_minute", "tokens_per_minute"):
        limit = getattr(pool.params, name)
        if limit is not None:
            return name, limit
    return "what the endpoint or the budget allows", None


def first_reply(of: Evidence) -> Iterator[Finding]:
    """Replies that could not be used, each of which is paid for and asked again."""
    for name, spent in of.spent.items():
        column = of.accounts.columns.get(name)
        if column is None or not spent.cells or spent.first_pass > _OFTEN * spent.cells:
            continue
        changed = _answered_at_once(of, name)
        if changed is None:
            continue
        asks = column.latency.count / max(1, column.cells)
        first = percent(spent.first_pass / spent.cells)
        seen = f"{first} of the cells of '{name}' took the first reply; each cost {asks:.1f} requests"
        most = 1.0 - 1.0 / max(asks, 1.0)
        changes = (_clearer(of, name),)
        yield Finding(Bottleneck.FIRST_REPLY, name, seen, changes, most, changed, at_most=True, note=_LESS_TO_ASK)


_LESS_TO_ASK = "a flatter schema and a clearer prompt help most"


def _clearer(of: Evidence, column: str) -> Change:
    """What makes replies of a column more useful."""
    alias = of.accounts.columns[column].alias or ""
    if of.plan.pools[alias].chat.structured_output == "prompt" and _is_structured(of, column):
        return Change("structured_output", alias, "prompt", "auto")
    if of.plan.run.max_conversation_correction_steps == 0:
        return Change("max_conversation_correction_steps", before=0, after=1)
    return Change("the prompt", column)


def _is_structured(of: Evidence, column: str) -> bool:
    config = next((one for one in of.plan.config.columns if one.name == column), None)
    return config is not None and config.column_type == "llm-structured"


def _answered_at_once(of: Evidence, column: str) -> Scenario | None:
    """With one request a record for a column."""
    found = _place(of, column)
    if found is None:
        return None
    stage, place = found
    asks = of.usual.asks[stage][place]
    return of.usual.with_asks(stage, place, replace(asks, requests=min(asks.requests, 1.0)))


def _place(of: Evidence, column: str) -> tuple[int, int] | None:
    """The stage of a column that asks a model, and which of its columns that is."""
    for stage in of.plan.stages:
        asking = [one.name for one in stage.steps if one.name in of.columns_of(stage.pool)]
        if column in asking:
            return stage.number, asking.index(column)
    return None


def down(of: Evidence) -> Iterator[Finding]:
    """An endpoint that answered nothing for a while."""
    for alias, one in of.aliases.items():
        share = of.share(alias, Account.DOWN)
        if share >= _SEEN:
            seconds = one.seconds[Account.DOWN] / max(1, one.slots)
            seen = f"the endpoint of '{alias}' answered nothing for {seconds:,.0f} s, {percent(share)} of the time"
            provider = of.plan.pools[alias].provider.name
            change = Change("endpoints", provider, None, "a second address of the same model")
            yield Finding(Bottleneck.DOWN, alias, seen, (change,), share, at_most=True)


# --- batches, disk, CPU --------------------------------------------------------------------------------------


def batches(of: Evidence) -> Iterator[Finding]:
    """Rows that were left, and could not be begun."""
    run, given = of.plan.run, of.plan.run.model_fields_set
    alias, share = of.most(Account.STORAGE)
    size, slots = of.plan.geometry.buffer_size, sum(of.usual.shape.slots.values())
    if "max_concurrent_row_groups" in given and share >= _SEEN:
        before = run.max_concurrent_row_groups
        after = max(before + 1, math.ceil(2 * slots / size) + 1)
        waited = f"'{alias}' waited {percent(share)} of the time for a further batch"
        seen = f"{waited}: {before} of {size:,} records may be open"
        changes = (Change("max_concurrent_row_groups", before=before, after=after),)
        note = f"or buffer_size {size:,} → {size * 4:,}"
        yield Finding(
            Bottleneck.BATCHES, alias, seen, changes, share, of.usual.with_shape(max_open_batches=after), note=note
        )
    elif share >= _SEEN and of.usual.records > size and not _is_writing(of, share):
        seen = f"'{alias}' waited {percent(share)} of the time for a further batch: open ones fill the memory they may"
        changes = (Change("buffer_size", before=size, after=max(1, size // 2)),)
        yield Finding(Bottleneck.MEMORY, alias, seen, changes, share, at_most=True, note="or more memory")
    if of.few_rows_out:
        asking = of.most(Account.ASKING)[1]
        seen = f"slots were full at most {percent(asking)} of the time, and {run.max_in_flight_tasks:,} rows may be out"
        changes = (Change("max_in_flight_tasks", before=run.max_in_flight_tasks, after=4 * slots),)
        changed = of.usual.with_shape(max_rows_out=4 * slots)
        yield Finding(Bottleneck.BATCHES, "", seen, changes, 1.0 - asking, changed)


def _is_writing(of: Evidence, share: float) -> bool:
    """Whether the time in which no batch was opened is that in which some were written."""
    return of.accounts.writing_seconds >= 0.5 * share * of.accounts.seconds


def disk(of: Evidence) -> Iterator[Finding]:
    """Batches that are made faster than they are written."""
    share = of.accounts.writing_seconds / of.accounts.seconds if of.accounts.seconds else 0.0
    if share < _SEEN:
        return
    cost = min(1.0, of.most(Account.STORAGE)[1] + of.least(Account.LAST)[1]) if of.aliases else min(1.0, share)
    size = of.plan.geometry.buffer_size
    seen = f"writing took {percent(share)} of the time, {of.usual.writing * size:.2g} s a batch of {size:,} records"
    changes = (Change("artifact_path", before="here", after="a faster disk"),)
    yield Finding(Bottleneck.DISK, "", seen, changes, cost, replace(of.usual, writing=0.0), at_most=True)


def cpu(of: Evidence) -> Iterator[Finding]:
    """Columns that ask no model and keep the others waiting, or come after all of them."""
    worked, workers, use = of.accounts.worker_seconds, of.workers, of.workers_busy
    alias, share = of.most(Account.CPU)
    cost = max(share, of.least(Account.LAST)[1]) if use >= _FULL else share
    if (of.aliases and cost < _SEEN) or not worked:
        return
    if use < _IDLE:
        yield from _gathering(of, alias, share)
        return
    name, seconds = max(worked.items(), key=lambda item: item[1])
    each = 1000 * seconds / of.usual.records
    waited = f"'{alias}' waited {percent(share)} of the time for" if share >= _SEEN else "workers were busy with"
    seen = f"{waited} columns that ask no model, most of all '{name}': {each:.3g} ms a record, {workers} at once"
    most, cores = cost if of.aliases else 1.0, of.cores or 2 * workers
    if use >= _FULL and workers < cores:
        after = min(cores, 2 * workers)
        changes = (Change("non_inference_max_parallel_workers", before=workers, after=after),)
        changed = of.usual.with_shape(workers=after)
        yield Finding(Bottleneck.CPU, name, seen, changes, most, changed, note="as long as there are CPUs for them")
    changed = _costing_nothing(of, name)
    yield Finding(Bottleneck.CPU, name, seen, (_cheaper(of, name),), most, changed, at_most=True)


def _cheaper(of: Evidence, name: str) -> Change:
    """What makes a column's own work cheaper."""
    config = next((one for one in of.plan.config.columns if one.name == name), None)
    if isinstance(config, ValidationColumnConfig):
        return Change("batch_size", name, config.batch_size, 10 * config.batch_size)
    return Change("the work a record", name, "as it is", "less, such as a call for many records at once")


def _costing_nothing(of: Evidence, name: str) -> Scenario:
    stage = stage_making(of.plan, name)
    return replace(of.usual, cpu={number: cost for number, cost in of.usual.cpu.items() if number != stage})


def _gathering(of: Evidence, alias: str, share: float) -> Iterator[Finding]:
    """A stage that needs all rows of a batch, which come one by one."""
    whole = [one for one in of.plan.stages if one.pool == LOCAL and one.scope == "batch" and one.upstream]
    size = of.plan.geometry.buffer_size
    if whole and size > 1:
        after = max(1, size // 4)
        names = ", ".join(f"'{name}'" for stage in whole for name in stage.makes)
        seen = f"'{alias}' waited {percent(share)} of the time for all rows of a batch, which {names} needs together"
        changes = (Change("buffer_size", before=size, after=after),)
        yield Finding(Bottleneck.CPU, whole[0].makes[0], seen, changes, share, of.usual.with_buffer_size(after))


# --- beginning and end ---------------------------------------------------------------------------------------


def tail(of: Evidence) -> Iterator[Finding]:
    """Last rows that take long while slots are empty."""
    _, share = of.least(Account.LAST)
    columns = {name: one for name, one in of.accounts.columns.items() if one.alias and one.latency}
    if share < _SEEN or not columns or of.workers_busy >= _FULL:
        return
    name = max(columns, key=lambda one: _stretch(columns[one]))
    column = columns[name]
    middle, far = column.latency.quantile(0.5), column.latency.quantile(0.99)
    seen = (
        f"slots were empty {percent(share)} of the time since few rows were left; '{name}' takes {middle:.2g} s, "
        f"1 in 100 more than {far:.2g} s"
    )
    yield from _shorter(of, name, column, Finding(Bottleneck.TAIL, name, seen, (), share))
    records = of.usual.records
    more = Change("num_records", before=records, after=_MORE_RECORDS * records)
    # The end comes once, whatever their number.
    once = share * (1 - 1 / _MORE_RECORDS)
    yield Finding(Bottleneck.TAIL, name, seen, (more,), once, note="of the time a record: the end comes only once")


def _stretch(column: ColumnAccounts) -> float:
    """How much longer its slowest requests take than most."""
    return column.latency.quantile(0.99) / max(column.latency.quantile(0.5), 1e-9)


def _shorter(of: Evidence, name: str, column: ColumnAccounts, finding: Finding) -> Iterator[Finding]:
    """What keeps a column's slowest requests from taking so long."""
    alias, place = column.alias or "", _place(of, name)
    if place is None or _stretch(column) < _FAR:
        return
    params, asks, tokens = of.plan.pools[alias].params, of.usual.asks[place[0]][place[1]], column.output_tokens
    if tokens and tokens.quantile(0.99) > _FAR * tokens.quantile(0.5):
        limit, seconds = math.ceil(tokens.quantile(0.95)), column.latency.quantile(0.95)
        change = Change("max_tokens", alias, of.plan.pools[alias].chat.max_tokens, limit)
        changed, note = of.usual.with_asks(*place, asks.cut_at(seconds)), "longer replies are cut off"
    else:
        seconds = math.ceil(max(1.0, column.latency.quantile(0.98)))
        if column.latency.quantile(0.995) < 1.5 * seconds or (params.timeout or seconds + 1) <= seconds:
            return
        change = Change("timeout", alias, params.timeout, seconds)
        changed, note = of.usual.with_asks(*place, asks.asked_anew_after(seconds)), "slower requests are sent again"
    # The end then takes so long at most.
    least = finding.most - seconds / of.accounts.seconds
    yield replace(finding, changes=(change,), changed=changed, least=least, note=note)


def startup(of: Evidence) -> Iterator[Finding]:
    """A run that was over soon after it had begun."""
    alias, share = of.least(Account.STARTUP)
    if share < _SEEN:
        return
    seconds = share * of.accounts.seconds
    seen = f"'{alias}' had no slots for the first {seconds:.2g} of {of.accounts.seconds:.3g} s"
    if of.accounts.executor == "ray":
        change = Change("executor", before=of.plan.run.executor, after="inline")
    else:
        change = Change("num_records", before=of.usual.records, after=_MORE_RECORDS * of.usual.records)
    yield Finding(Bottleneck.STARTUP, "", seen, (change,), share, at_most=True, note="it is the same for longer runs")


def engine(of: Evidence) -> Iterator[Finding]:
    """Rows that were ready, and on their way."""
    alias, share = of.most(Account.ENGINE)
    if share < 2 * _SEEN or of.few_rows_out:
        return
    seen = f"rows for '{alias}' were ready and on their way {percent(share)} of the time"
    if of.accounts.executor != "ray":
        change = Change("executor", before=of.plan.run.executor, after="ray")
    else:
        before = of.plan.run.replicas_per_model
        change = Change("replicas_per_model", before=before, after=2 * (before or 1))
    yield Finding(Bottleneck.ENGINE, alias, seen, (change,), share, at_most=True, note="as long as CPUs are idle")


FINDERS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    too_few_slots,
    refused,
    held_back,
    batches,
    disk,
    cpu,
    tail,
    first_reply,
    down,
    startup,
    engine,
)
"""What is looked for."""
