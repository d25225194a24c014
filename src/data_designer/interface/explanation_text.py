"""An explanation of where time went as lines of text that fit a width."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data_designer.engine.observe.advice import Advice
from data_designer.engine.observe.bottlenecks.evidence import Bottleneck, percent
from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, RunAccounts
from data_designer.interface.explain import Explanation
from data_designer.terminal import visible

WORDS = {
    Account.ASKING: "asking the model",
    Account.UPSTREAM: "waiting for other models",
    Account.CPU: "waiting for CPU columns",
    Account.STORAGE: "waiting for batches",
    Account.HELD: "held back (429, a rate)",
    Account.DOWN: "endpoint down",
    Account.ENGINE: "rows on their way",
    Account.STARTUP: "starting",
    Account.LAST: "no rows left",
}
"""What a slot does in each account."""
_NARROWEST = 40
_LEAST_GAIN = 0.03
_TELLING = (Bottleneck.NOTHING, Bottleneck.REFUSED, Bottleneck.RATE)
"""What is worth knowing even where nothing is gained."""
_LABEL = 8
"""Characters of a name that are shown at least."""


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    cells: Sequence[str]


def lines(explanation: Explanation, width: int) -> Iterator[str]:
    """All of it, in lines of at most so many characters, of which 40 is the least."""
    width = max(width, _NARROWEST)
    accounts = explanation.accounts
    if accounts is None:
        yield from _wrapped(explanation.lacking, width)
        return
    yield from _wrapped(_head(explanation, accounts), width)
    if accounts.aliases:
        yield ""
        yield "Where the time of the slots went"
        yield from _slots(accounts, width)
    if accounts.columns:
        yield ""
        yield "Columns: seconds and tokens of a reply"
        yield from _columns(explanation, accounts, width)
    yield from _workers(accounts, width)
    yield ""
    yield "What to change"
    yield from _advice(explanation, width)


def _head(explanation: Explanation, accounts: RunAccounts) -> str:
    records = sum(sample.records for sample in accounts.timeline)
    where = "on Ray" if accounts.executor == "ray" else "in this process" if accounts.executor == "inline" else ""
    rejected = f" ({explanation.rejected:,} rejected)" if explanation.rejected else ""
    made = f"{max(0, records - explanation.rejected):,} of {explanation.requested:,} records{rejected}"
    return " ".join(filter(None, (f"{made} in {_duration(accounts.seconds)}", where)))


# --- tables ------------------------------------------------------------------------------------------------


def _slots(accounts: RunAccounts, width: int) -> Iterator[str]:
    """A table of accounts by alias, or several below each other."""
    label = max(map(len, WORDS.values()))
    broad = max(9, min(16, width - label - 2, max(len(visible(alias)) for alias in accounts.aliases)))
    at_once = max(1, (width - label) // (broad + 2))
    aliases = list(accounts.aliases)
    for first in range(0, len(aliases), at_once):
        shown = aliases[first : first + at_once]
        yield _line("", [_short(alias, broad) for alias in shown], label, [broad] * len(shown))
        for row in _account_rows([accounts.aliases[alias] for alias in shown]):
            yield _line(row.name, row.cells, label, [broad] * len(shown))


def _account_rows(aliases: Sequence[AliasAccounts]) -> Iterator[_Row]:
    yield _Row("slots", [f"{one.slots:,}" for one in aliases])
    yield _Row("requests answered", [f"{one.requests:,}" for one in aliases])
    if any(one.failed_requests for one in aliases):
        yield _Row("requests failed", [f"{one.failed_requests:,}" for one in aliases])
    if any(one.refused for one in aliases):
        yield _Row("of these refused (429)", [f"{one.refused:,}" for one in aliases])
    for account, words in WORDS.items():
        shares = [one.seconds.get(account, 0.0) / one.slot_seconds if one.slot_seconds else 0.0 for one in aliases]
        if any(share >= 0.0005 for share in shares):
            yield _Row(words, [percent(share) if share >= 0.0005 else "–" for share in shares])  # noqa: RUF001


_HEADINGS = ("model", "cells", "failed", "first", "p50 s", "p95 s", "p99 s", "in", "out")
_DISPENSABLE = ("in", "model", "p95 s", "out", "first")
"""Left out one after the other where there is no room."""


def _columns(explanation: Explanation, accounts: RunAccounts, width: int) -> Iterator[str]:
    rows = []
    for name, one in accounts.columns.items():
        if one.alias is None:
            continue
        first = explanation.first(name)
        seconds = [_number(one.latency, part) for part in (0.5, 0.95, 0.99)]
        tokens = [_number(one.input_tokens, 0.5), _number(one.output_tokens, 0.5)]
        good = "–" if first is None else percent(first)  # noqa: RUF001
        rows.append(_Row(name, [_short(one.alias, 12), f"{one.cells:,}", f"{one.failed:,}", good, *seconds, *tokens]))
    shown, left_out = list(_HEADINGS), list(_DISPENSABLE)
    while True:
        places = [_HEADINGS.index(heading) for heading in shown]
        widths = (
            [max(len(_HEADINGS[place]), *(len(row.cells[place]) for row in rows)) for place in places] if rows else []
        )
        room = width - sum(one + 2 for one in widths)
        longest = max((len(visible(row.name)) for row in rows), default=0)
        if room >= max(_LABEL, min(longest, 20)) or not left_out:
            break
        shown.remove(left_out.pop(0))
    label = max(_LABEL, min(longest, room))
    yield _line("", shown, label, widths)
    for row in rows:
        yield _line(_short(row.name, label), [row.cells[place] for place in places], label, widths)


def _line(name: str, cells: Sequence[str], label: int, widths: Sequence[int]) -> str:
    return "".join(
        [name.ljust(label), *(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))]
    ).rstrip()


def _short(name: str, most: int) -> str:
    name = visible(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _number(of: Distribution, part: float) -> str:
    number = of.quantile(part)
    return "–" if not of else f"{number:,.0f}" if number >= 100 else f"{number:.2g}"  # noqa: RUF001


# --- the rest ----------------------------------------------------------------------------------------------


def _workers(accounts: RunAccounts, width: int) -> Iterator[str]:
    if not accounts.workers and not accounts.writing_seconds:
        return
    yield ""
    spent = sorted(accounts.worker_seconds.items(), key=lambda item: -item[1])
    named = ", ".join(f"{_short(name, 30)} {_duration(seconds)}" for name, seconds in spent[:4])
    workers = "1 worker" if accounts.workers == 1 else f"{accounts.workers} workers"
    yield from _wrapped(f"CPU, {workers}: {named or 'nothing'}", width)
    yield f"Writing batches: {_duration(accounts.writing_seconds)}"


def _advice(explanation: Explanation, width: int) -> Iterator[str]:
    if explanation.lacking:
        yield from _wrapped(explanation.lacking, width)
    telling = [one for one in explanation.advice if one.gain >= _LEAST_GAIN or one.bottleneck in _TELLING]
    for number, one in enumerate(telling, 1):
        yield from advice_lines(one, width, f"{number}. ")


def advice_lines(advice: Advice, width: int, mark: str = "") -> Iterator[str]:
    """One piece of advice: what to change and what that does, then what was seen."""
    indent = " " * len(mark)
    if not advice.changes:
        yield from _wrapped(visible(advice.seen), width, mark, indent)
        return
    effect = f"{advice.effect} of the time" if advice.gain >= 0.01 and not advice.a_record else advice.effect
    yield from _wrapped(f"{visible(advice.change)}: {effect}", width, mark, indent)
    more = f" ({advice.note})" if advice.note else ""
    yield from _wrapped(f"{visible(advice.seen)}{more}", width, indent, indent)


def _wrapped(text: str, width: int, first: str = "", others: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False, break_long_words=True
    )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s" if seconds >= 0.01 or not seconds else "under 0.01 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
