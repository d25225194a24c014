"""Accounts of a run as tests build them by hand: two models, of which the second waits for the first."""

import random

from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.slot_time import (
    Account,
    AliasAccounts,
    ColumnAccounts,
    RunAccounts,
    Sample,
)

BEGAN = 1_795_939_200.0
"""2026-11-29 08:00 UTC."""
_SLOTS = {"writer": 16, "judge": 8}


def some_accounts(aliases: dict[str, int] | None = None, columns: dict[str, str] | None = None) -> RunAccounts:
    """Accounts of two minutes.

    Args:
        aliases: model alias to its slots.
        columns: column to the alias that it asks.
    """
    slots = _SLOTS if aliases is None else aliases
    asked = dict(zip(("review", "grade"), slots, strict=False)) if columns is None else columns
    draw = random.Random(1)
    samples = tuple(_sample(place, slots) for place in range(60))
    seconds = {alias: _summed(samples, alias) for alias in slots}
    return RunAccounts(
        run=1,
        began=BEGAN,
        seconds=120.0,
        executor="ray",
        aliases={
            alias: AliasAccounts(f"{alias}-model", many, many * 120.0, seconds[alias], 500, 7, 5, 3)
            for alias, many in slots.items()
        },
        columns={
            **{column: _column(alias, draw) for column, alias in asked.items()},
            "made here": ColumnAccounts(None, 500),
        },
        workers=4,
        worker_seconds={"made here": 31.5},
        writing_seconds=2.0,
        timeline=samples,
    )


def _sample(place: int, slots: dict[str, int]) -> Sample:
    other = Account.STARTUP if place < 3 else Account.HELD if 20 <= place < 25 else Account.UPSTREAM
    busy = 0.1 if other is Account.STARTUP else 0.8
    parts = {
        alias: {Account.ASKING: busy * many * 2.0, other: (1 - busy) * many * 2.0} for alias, many in slots.items()
    }
    return Sample(place * 2.0, 2.0, 20, 8, parts)


def _summed(samples: tuple[Sample, ...], alias: str) -> dict[Account, float]:
    total: dict[Account, float] = {}
    for one in samples:
        for account, spent in one.slots[alias].items():
            total[account] = total.get(account, 0.0) + spent
    return total


def _column(alias: str, draw: random.Random) -> ColumnAccounts:
    return ColumnAccounts(
        alias,
        500,
        7,
        Distribution(draw.lognormvariate(0, 0.5) for _ in range(500)),
        Distribution(draw.randint(100, 400) for _ in range(500)),
        Distribution(draw.randint(10, 90) for _ in range(500)),
    )
