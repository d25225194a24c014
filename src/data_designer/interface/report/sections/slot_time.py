"""Where the time of each model's slots went: over time, and in all."""

from dataclasses import dataclass, replace

from data_designer.engine.protocol.slot_time import Account, AliasAccounts, RunAccounts
from data_designer.interface.figures import count, seconds, share
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.plots import Plot, Series, stacked, time_ticks, whole_ticks
from data_designer.interface.report.section import Section
from data_designer.interface.report.sections.timeline import edges_of

MOST_ALIASES = 12
_LEAST = 0.05
"""Percent of the slot time that is worth a line."""
MEANINGS = {
    Account.ASKING: ("asking", "a request is in flight"),
    Account.ENGINE: ("engine", "its rows are on their way, being rendered, parsed or written down"),
    Account.STARTUP: ("start-up", "no process holds the slots yet, or the one that did was lost"),
    Account.UPSTREAM: ("upstream", "its rows wait for replies of other models"),
    Account.CPU: ("CPU", "its rows wait for samplers, functions, validators or a whole batch"),
    Account.STORAGE: ("storage", "no further batch is opened: memory, the disk, or as many as were allowed"),
    Account.HELD: ("held", "the endpoint wants fewer requests (429), or a rate or the budget does"),
    Account.DOWN: ("down", "the endpoint answers nothing"),
    Account.LAST: ("last rows", "fewer rows are left than slots"),
}
"""Account to its name and what it means, in the order in which they are stacked."""


@dataclass(frozen=True, slots=True)
class Line:
    """An account of an alias."""

    kind: str
    label: str
    meaning: str
    share: str
    time: str
    percent: float
    offset: float
    """Where it begins, in percent, in a bar of all."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A model alias."""

    name: str
    model: str
    slots: int
    lines: tuple[Line, ...]
    plot: Plot | None
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SlotTime:
    """All aliases."""

    aliases: tuple[Alias, ...]
    more: int
    workers: tuple[tuple[str, str, str, float], ...]
    """What CPU tasks made, their time, its share of what was possible, and the same in percent."""
    recorded: bool


def section(facts: Facts) -> Section | None:
    """Where slot time went; nothing where no model is asked."""
    accounts = facts.accounts
    if accounts is None:
        return Section("slot_time", "Where slot time went", SlotTime((), 0, (), recorded=False))
    if not accounts.aliases and not accounts.worker_seconds:
        return None
    names = facts.declared_first(accounts.aliases)
    aliases = tuple(_alias(name, accounts) for name in names[:MOST_ALIASES])
    more = max(0, len(names) - MOST_ALIASES)
    return Section("slot_time", "Where slot time went", SlotTime(aliases, more, _workers(accounts), recorded=True))


def _alias(name: str, accounts: RunAccounts) -> Alias:
    one = accounts.aliases[name]
    lines = []
    whole, offset = sum(one.seconds.values()), 0.0
    for account, (label, meaning) in MEANINGS.items():
        spent = one.seconds.get(account, 0.0)
        if whole and (percent := 100 * spent / whole) >= _LEAST:
            lines.append(Line(account.value, label, meaning, share(spent, whole), seconds(spent), percent, offset))
            offset += percent
    return Alias(name, one.model, one.slots, tuple(lines), _plot(name, accounts, one.slots), tuple(_facts(one)))


def _plot(name: str, accounts: RunAccounts, slots: int) -> Plot | None:
    samples = tuple(one for one in accounts.timeline if one.seconds > 0)
    if not samples or not any(one.slots.get(name) for one in samples):
        return None
    series = [
        Series(account.value, label, [one.slots.get(name, {}).get(account, 0.0) / one.seconds for one in samples])
        for account, (label, _) in MEANINGS.items()
    ]
    edges = edges_of(samples)
    most = max(slots, *(round(sum(values)) for values in zip(*(one.values for one in series), strict=True)))
    label = f"Slots of {name} by what they did, over {seconds(edges[-1])}; the table below has the sums"
    plot = stacked(label, edges, series, most, time_ticks(edges[-1] - edges[0], seconds))
    return replace(plot, y=whole_ticks(most))


def _facts(one: AliasAccounts) -> list[tuple[str, str]]:
    found = [("Slots", count(one.slots)), ("Answered", count(one.requests))]
    if one.failed_requests:
        found.append(("Failed requests", count(one.failed_requests)))
    if one.refused:
        found.append(("Refused (429)", count(one.refused)))
    if one.lowest_limit is not None and one.lowest_limit < one.slots:
        found.append(("Lowest limit", count(one.lowest_limit)))
    return found


def _workers(accounts: RunAccounts) -> tuple[tuple[str, str, str, float], ...]:
    possible = accounts.workers * accounts.seconds
    ranked = sorted(accounts.worker_seconds.items(), key=lambda item: -item[1])[:MOST_ALIASES]
    return tuple(
        (columns, seconds(spent), share(spent, possible), min(100.0, 100 * spent / possible) if possible else 0.0)
        for columns, spent in ranked
        if spent > 0
    )
