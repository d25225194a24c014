"""What a run loses at its beginning and its end, and on the way between them."""

import math
from collections.abc import Iterator
from dataclasses import replace

from data_designer.engine.observe.bottlenecks.evidence import FULL, SEEN, Bottleneck, Change, Evidence, Finding, percent
from data_designer.engine.protocol.slot_time import Account, ColumnAccounts

_FAR = 3
"""How many times as long as most the slowest take where that is worth a word."""
_MORE_RECORDS = 4
_ONCE = "the more records, the less it counts"


def tail(of: Evidence) -> Iterator[Finding]:
    """Last rows that take long while slots are empty."""
    _, share = of.least(Account.LAST)
    columns = {name: one for name, one in of.accounts.columns.items() if one.alias and one.latency}
    if share < SEEN or not columns or of.workers_busy >= FULL:
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
    seen = f"the last rows left slots empty {percent(share)} of the time"
    yield Finding(Bottleneck.TAIL, name, seen, (more,), once, note=_ONCE, a_record=True)


def _stretch(column: ColumnAccounts) -> float:
    """How much longer its slowest requests take than most."""
    return column.latency.quantile(0.99) / max(column.latency.quantile(0.5), 1e-9)


def _shorter(of: Evidence, name: str, column: ColumnAccounts, finding: Finding) -> Iterator[Finding]:
    """What keeps a column's slowest requests from taking so long."""
    alias, place = column.alias or "", of.place(name)
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
    if share < SEEN:
        return
    seconds = share * of.accounts.seconds
    seen = f"'{alias}' had no slots for the first {seconds:.2g} of {of.accounts.seconds:.3g} s"
    if of.accounts.executor == "ray":
        change = Change("executor", before=of.plan.run.executor, after="inline")
        yield Finding(Bottleneck.STARTUP, "", seen, (change,), share, at_most=True, note="of a run as short as this")
    else:
        change = Change("num_records", before=of.usual.records, after=_MORE_RECORDS * of.usual.records)
        yield Finding(
            Bottleneck.STARTUP, "", seen, (change,), share * (1 - 1 / _MORE_RECORDS), note=_ONCE, a_record=True
        )


def engine(of: Evidence) -> Iterator[Finding]:
    """Rows that were ready, and on their way."""
    alias, share = of.most(Account.ENGINE)
    if share < 2 * SEEN or of.few_rows_out:
        return
    seen = f"rows for '{alias}' were ready and on their way {percent(share)} of the time"
    if of.accounts.executor != "ray":
        change = Change("executor", before=of.plan.run.executor, after="ray")
    else:
        before = of.plan.run.replicas_per_model
        change = Change("replicas_per_model", before=before, after=2 * (before or 1))
    yield Finding(Bottleneck.ENGINE, alias, seen, (change,), share, at_most=True, note="as long as CPUs are idle")
