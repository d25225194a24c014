"""Conversations of cells as files: a table a batch, and how tables of one batch go together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from data_designer.columns.arrow_types import field_of
from data_designer.engine.dataset.arrow_types import concatenated, typed
from data_designer.engine.protocol.conversation import CONVERSED, USAGE_FIELDS, Conversation, Turn
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import Values, held
from data_designer.engine.protocol.rows import Rows
from data_designer.models.admission.budget_lease import cost
from data_designer.models.wires import endpoint_shown, fields_shown
from data_designer.plan.model import Plan, Pool
from data_designer.values import Usage

_SCHEMA = pa.schema(
    [
        ("record_index", pa.int64()),
        ("column", pa.string()),
        ("fate", pa.string()),
        ("problem", pa.string()),
        ("model_alias", pa.string()),
        ("model", pa.string()),
        ("endpoint", pa.string()),
        *((name, pa.int64()) for name in USAGE_FIELDS),
        ("seconds", pa.float64()),
        ("usd", pa.float64()),
        field_of("params", None),
        field_of("turns", None),
    ]
)


def conversations_of(plan: Plan, job: CommitJob, values: Sequence[Values]) -> pa.Table | None:
    """What is kept of a batch's cells, in order of record; None where that is nothing."""
    said = list(held((job.kept, *job.rejects), values, CONVERSED))
    if not said:
        return None
    told = {step.name: _Told.of(plan.pools[step.pool]) for step in plan.steps if step.pool in plan.pools}
    rows = [
        (
            row,
            one.column,
            one.fate,
            one.problem,
            *told[one.column].names(one.servers),
            *Usage(*one.usage).numbers,
            one.seconds,
            told[one.column].usd(Usage(*one.usage)),
            told[one.column].params,
            one.turns.decode(),
        )
        for row, cells in said
        for one in cells
    ]
    rows.sort(key=lambda one: one[0])
    return _table(rows)


def _table(rows: Sequence[Sequence[object]]) -> pa.Table:
    arrays = [typed(cells, field.type) for cells, field in zip(zip(*rows, strict=True), _SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def no_conversations() -> pa.Table:
    """The table of a dataset of which none was kept."""
    return _SCHEMA.empty_table()


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said of an alias beside each of its conversations."""

    pool: Pool
    endpoint: str
    params: str
    """JSON of what it gives to every request."""

    @classmethod
    def of(cls, pool: Pool) -> "_Told":
        return cls(pool, endpoint_shown(pool), orjson.dumps(fields_shown(pool), default=str).decode())

    def names(self, servers: Sequence[str]) -> tuple[str, str, str]:
        return self.pool.alias, self.pool.model_name, ", ".join(servers) or self.endpoint

    def usd(self, usage: Usage) -> float | None:
        return None if self.pool.price is None else cost(usage, self.pool.price)


def conversations_in(table: pa.Table) -> Iterator[Conversation]:
    """What a table holds."""
    for row in table.to_pylist():
        yield Conversation(
            row["record_index"],
            row["column"],
            row["fate"],
            row["problem"],
            row["model_alias"],
            row["model"],
            row["endpoint"],
            Usage(*(row.get(name) or 0 for name in USAGE_FIELDS)),
            row["seconds"],
            row["usd"],
            tuple(Turn.from_dict(turn) for turn in orjson.loads(row["turns"])),
            orjson.loads(row["params"]),
        )


def merged_conversations(old: pa.Table | None, new: pa.Table | None, spoken_of: Rows) -> pa.Table | None:
    """Two tables of one batch together.

    Args:
        old: as it was.
        new: as it is told now.
        spoken_of: records that were made since, or rejected again: what was said for them before counts no more.
    """
    tables = [] if new is None else [new]
    if old is not None:
        stays = ~np.isin(old.column("record_index").to_numpy(), spoken_of)
        if stays.any():
            tables.insert(0, old.filter(pa.array(stays)))
    if not tables:
        return None
    return concatenated(tables).sort_by("record_index").combine_chunks()
