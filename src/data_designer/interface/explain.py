"""Where the time of a dataset's runs went, and what to change: kept with it, or found anew."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from data_designer.columns.registry import KINDS
from data_designer.config.column_configs import SeedDatasetColumnConfig
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.models import ModelProvider
from data_designer.engine.dataset.kept_advice import read_advice, write_advice
from data_designer.engine.dataset.layout import ACCOUNTS
from data_designer.engine.dataset.run_accounts import read_accounts
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import total
from data_designer.engine.observe.advice import Advice, advise
from data_designer.engine.protocol.slot_time import RunAccounts
from data_designer.engine.protocol.spending import Spending
from data_designer.errors import DataDesignerError
from data_designer.interface.stored import StoredDataset
from data_designer.object_storage import Location
from data_designer.plan.columns import makes
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Plan

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where the time of a dataset's runs went, and what to change."""

    dataset: Location
    requested: int
    """Records that were asked for."""
    accounts: RunAccounts | None = None
    """None where the version that made it recorded none, or no run has got so far."""
    spent: Mapping[str, Spending] = field(default_factory=dict)
    """Column to what the cells of committed batches cost."""
    advice: tuple[Advice, ...] = ()
    """The most effective first."""
    rejected: int = 0
    """Records that were rejected."""
    lacking: str = ""
    """Why there is no advice, where there is none."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        accounts = self.accounts
        return {
            "dataset": str(self.dataset),
            "requested": self.requested,
            "accounts": None if accounts is None else accounts.to_dict(),
            "columns": {} if accounts is None else {name: self._column(name, accounts) for name in accounts.columns},
            "advice": [one.to_dict() for one in self.advice],
            "lacking": self.lacking,
        }

    def _column(self, name: str, accounts: RunAccounts) -> dict[str, Any]:
        one = accounts.columns[name]
        numbers = {"seconds": one.latency, "input_tokens": one.input_tokens, "output_tokens": one.output_tokens}
        quantiles = {
            what: {word: numbers[what].quantile(part) for word, part in _QUANTILES.items()}
            for what in numbers
            if numbers[what]
        }
        return {"alias": one.alias, "cells": one.cells, "failed": one.failed, "first": self.first(name), **quantiles}

    def first(self, column: str) -> float | None:
        """Share of a column's cells that took the first reply; None where that is not known."""
        spent = self.spent.get(column)
        if spent is None or spent.first_pass is None or not spent.cells:
            return None
        return spent.first_pass / spent.cells


def explain(dataset: "str | Location") -> Explanation:
    """Where the time of a dataset's runs went so far, and what to change. It may be one that is being made.

    Raises:
        ArtifactStorageError: there is no dataset, or it is damaged.
    """
    stored = StoredDataset.at(dataset)
    store = Store.at(stored.path)
    accounts = read_accounts(store.files)
    if accounts is None:
        return Explanation(stored.path, stored.requested, lacking=_why_nothing(store, stored))
    totals = total(store.receipts())
    advice, lacking = _advice(store, stored, accounts, totals.spent)
    return Explanation(
        stored.path,
        stored.requested,
        accounts,
        totals.spent,
        lacking=lacking,
        advice=tuple(advice),
        rejected=totals.rejected,
    )


def _why_nothing(store: Store, stored: StoredDataset) -> str:
    """Why a dataset has no accounts."""
    if store.files.list(ACCOUNTS):
        return f"where its time went cannot be read: {store.path / ACCOUNTS} is damaged"
    if stored.metadata.num_completed_batches:
        return "where its time went was not recorded by the version that made it"
    return "where its time went is not recorded: no run has got so far, or an earlier version made it"


def _advice(
    store: Store, stored: StoredDataset, accounts: RunAccounts, spent: Mapping[str, Spending]
) -> tuple[list[Advice], str]:
    """What to change, as the latest run has left it or found now; and why nothing could be found, where so."""
    kept = read_advice(store.files)
    if kept is not None and kept[0] == accounts.run:
        with suppress(ValueError, TypeError, KeyError):
            return [Advice.from_dict(one) for one in kept[1]], ""
    try:
        plan = stored_plan(stored)
    except (OSError, ValueError, KeyError, DataDesignerError):
        why = "holds functions, which no file can carry" if stored.metadata.functions else "cannot be read"
        return [], f"no advice: the latest run was short or has not ended, and the configuration {why}"
    return advise(plan, accounts, spent, os.cpu_count()), ""


def advice_of(store: Store, plan: Plan, spent: Mapping[str, Spending] | None = None) -> list[Advice]:
    """What to change about a run that has ended; kept with the dataset, which the caller is the one to write.

    Args:
        store: the dataset.
        plan: what was run.
        spent: column to what its cells cost; without it, receipts are read.
    """
    accounts = read_accounts(store.files)
    if accounts is None:
        return []
    found = advise(plan, accounts, total(store.receipts()).spent if spent is None else spent, os.cpu_count())
    with suppress(OSError):  # It can be found again.
        write_advice(store.files, accounts.run, [one.to_dict() for one in found])
    return found


def stored_plan(stored: StoredDataset) -> Plan:
    """The plan of a dataset, as far as it says who asks what and when: nobody can be asked by it.

    Raises:
        OSError, ValueError: its configuration cannot be read, or holds functions.
    """
    text = Store.at(stored.path).declaration(stored.metadata.builder_config_sha256)
    # A seed dataset need not be there: what it has is known by the names of its columns.
    declared = json.loads(text)["data_designer"] | {"seed_config": None}
    config = DataDesignerConfigBuilder.from_config({"data_designer": declared}).build()
    known = {name for column in config.columns for name in makes(column)}
    seeds = [SeedDatasetColumnConfig(name=name) for name in stored.metadata.fingerprints if name not in known]
    models = [one.model_copy(update={"provider": one.provider or ""}) for one in config.model_configs or ()]
    config = config.model_copy(update={"columns": [*config.columns, *seeds], "model_configs": models})
    nobody = {
        one.provider or "": ModelProvider(name=one.provider or "unknown", endpoint="http://0.0.0.0") for one in models
    }
    return compile_plan(config, nobody, stored.run_config({}), stored.geometry, stored.metadata.seed, kinds=KINDS)
