"""What holds a run up at the models: slots, refusals, caps, replies of no use, an endpoint that is down."""

import math
from collections.abc import Iterator
from dataclasses import replace

from data_designer.columns.registry import KINDS
from data_designer.engine.observe.bottlenecks.evidence import FULL, SEEN, Bottleneck, Change, Evidence, Finding, percent
from data_designer.engine.observe.forecast import Scenario
from data_designer.engine.protocol.slot_time import Account
from data_designer.plan.model import Pool

_ALONE = 3
"""Aliases of which each is tried alone, besides all together."""
_MORE_THAN_ONCE = 1.05
"""Requests a cell from which on there are some to be saved."""
_OFTEN = 0.8
"""Share of cells that take the first reply below which that is worth a word."""


def too_few_slots(of: Evidence) -> Iterator[Finding]:
    """Slots that were full all the time, at an endpoint that never pushed back."""
    full = [alias for alias, one in of.aliases.items() if not one.refused and _may_have_more(of, alias)]
    full.sort(key=lambda alias: -of.share(alias, Account.ASKING))
    for alias in full[:_ALONE]:
        yield _more_slots(of, (alias,))
    if len(full) > 1:
        yield _more_slots(of, tuple(full))


def _may_have_more(of: Evidence, alias: str) -> bool:
    """Whether more slots of an alias would be used, as far as can be seen from it alone."""
    slots = of.plan.pools[alias].slots
    shared = [(cap, aliases) for cap, aliases in of.usual.shape.shared if alias in aliases]
    room = all(cap > sum(of.usual.shape.slots[one] for one in aliases) for cap, aliases in shared)
    return room and slots < of.usual.records and of.share(alias, Account.ASKING) >= FULL


def _more_slots(of: Evidence, aliases: tuple[str, ...]) -> Finding:
    slots = {alias: of.plan.pools[alias].slots for alias in aliases}
    changed = of.usual
    for alias, before in slots.items():
        changed = changed.with_slots(alias, 2 * before)
    shares = [percent(of.share(alias, Account.ASKING)) for alias in aliases]
    full = [f"'{alias}' was full {share}" for alias, share in zip(aliases[:1], shares, strict=False)]
    full += [f"'{alias}' {share}" for alias, share in zip(aliases[1:], shares[1:], strict=True)]
    waiting = [
        f"'{other}' waited {percent(share)} of its time for its replies"
        for other in of.aliases
        if len(aliases) == 1 and (share := of.share(other, Account.UPSTREAM)) >= 0.2 and of.feeds(aliases[0], other)
    ]
    whose = "the endpoint" if len(aliases) == 1 else "their endpoints"
    seen = f"{', '.join(full)} of the time and {whose} never pushed back"
    return Finding(
        Bottleneck.SLOTS,
        ", ".join(aliases),
        "; ".join([seen, *waiting]),
        tuple(Change("max_parallel_requests", alias, before, 2 * before) for alias, before in slots.items()),
        most=0.5,
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
        refusals = f"the endpoint of '{alias}' refused {one.refused:,} requests (429)"
        seen = f"{refusals}; {percent(held)} of its slot time was held back"
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
        if one.refused or held < SEEN:
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
        if column is None or not spent.cells or spent.first_pass is None or spent.first_pass > _OFTEN * spent.cells:
            continue
        changed = _answered_at_once(of, name)
        if changed is None:
            continue
        asks = column.latency.count / max(1, column.cells)
        if asks < _MORE_THAN_ONCE:
            continue
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
    return config is not None and KINDS[config.column_type].in_json


def _answered_at_once(of: Evidence, column: str) -> Scenario | None:
    """With one request a record for a column."""
    found = of.place(column)
    if found is None:
        return None
    stage, place = found
    asks = of.usual.asks[stage][place]
    return of.usual.with_asks(stage, place, replace(asks, requests=min(asks.requests, 1.0)))


def down(of: Evidence) -> Iterator[Finding]:
    """An endpoint that answered nothing for a while."""
    for alias, one in of.aliases.items():
        share = of.share(alias, Account.DOWN)
        if share >= SEEN:
            seconds = one.seconds[Account.DOWN] / max(1, one.slots)
            seen = f"the endpoint of '{alias}' answered nothing for {seconds:,.0f} s, {percent(share)} of the time"
            provider = of.plan.pools[alias].provider.name
            change = Change("endpoints", provider, None, "a second address of the same model")
            yield Finding(Bottleneck.DOWN, alias, seen, (change,), share, at_most=True)
