"""Accounts of runs that never were, as tests of advice and of what shows it make them by hand."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tests.fakes import model, provider
from tests.plans import compiled, texts

import data_designer.config as dd
from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, ColumnAccounts, RunAccounts, Sample
from data_designer.plan.model import Plan

SECONDS = 60.0
"""How long each of them took."""


def steady(seconds: float, count: int = 500) -> Distribution:
    """Numbers that differ little from one."""
    return Distribution(seconds * (0.8 + 0.4 * place / count) for place in range(count))


def stretched(seconds: float, factor: float, count: int = 500) -> Distribution:
    """Numbers of which a few are many times as large as most."""
    return Distribution(seconds * math.exp(math.log(factor) * (place / count) ** 20) for place in range(count))


def pipeline(records: int = 1000, buffer_size: int = 100, **run: Any) -> Plan:
    """A draft by one model, and its review by another; both have eight slots."""
    models = [model("writer", max_parallel_requests=8), model("judge", max_parallel_requests=8)]
    made = texts(models, draft=("writer", "{{ id }}"), review=("judge", "{{ draft }}"))
    return compiled(made, records, buffer_size, **run)


def alias(slots: int = 8, *, refused: int = 0, lowest_limit: int | None = None, **shares: float) -> AliasAccounts:
    """An alias by the shares of its slot time; what is missing to all of it was asking."""
    named = {Account(name): share for name, share in shares.items()}
    named.setdefault(Account.ASKING, 1.0 - sum(named.values()))
    total = slots * SECONDS
    seconds = {account: share * total for account, share in named.items()}
    return AliasAccounts("m", slots, total, seconds, 1000, refused, refused, lowest_limit)


def asked(alias: str, latency: Distribution, *, cells: int | None = None, tokens: Distribution | None = None) -> Any:
    """A column of as many cells as there were requests, unless it took more."""
    tokens = tokens or steady(100)
    return ColumnAccounts(alias, latency.count if cells is None else cells, 0, latency, tokens, tokens)


def accounts(
    aliases: Mapping[str, AliasAccounts],
    columns: Mapping[str, ColumnAccounts] | None = None,
    *,
    records: int = 1000,
    executor: str = "inline",
    cpu: Mapping[str, float] | None = None,
    writing: float = 0.0,
) -> RunAccounts:
    """A run of a minute, whose columns take as long as full slots would unless told otherwise."""
    usual = {
        "draft": asked("writer", steady(8 * SECONDS / records)),
        "review": asked("judge", steady(1.0 / records)),
    }
    timeline = (Sample(0.0, SECONDS, 2 * records, records, {}),)
    worked = dict(cpu or {})
    return RunAccounts(1, 0.0, SECONDS, executor, aliases, columns or usual, 4, worked, writing, timeline)


def with_models(
    models: Iterable[dd.ModelConfig], records: int = 1000, cap: int | None = None, **columns: tuple[str, str]
) -> Plan:
    """A plan of text columns, whose provider may have a cap."""
    from data_designer.columns.registry import KINDS
    from data_designer.plan.compile import compile_plan
    from data_designer.plan.model import Geometry

    providers = {"p": provider("http://127.0.0.1:9/v1", max_parallel_requests=cap)}
    config = texts(models, **columns).build()
    return compile_plan(config, providers, dd.RunConfig(), Geometry(records, 100), seed=1, kinds=KINDS)
