"""Finds what was said for a cell, in the one file that tells of it."""

from collections.abc import Iterable

import pyarrow as pa

from data_designer.engine.dataset.batch_files import read_table
from data_designer.engine.dataset.conversations import conversations_in
from data_designer.engine.dataset.layout import CONVERSATIONS
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.conversation import Conversation
from data_designer.errors import ArtifactStorageError
from data_designer.plan.model import Geometry


def kept_conversations(store: Store, geometry: Geometry, record: int) -> list[Conversation]:
    """What was kept of a record's cells.

    Raises:
        ArtifactStorageError: there is no such record, or its batch's receipt or file is damaged.
        OSError: a file cannot be read.
    """
    if not 0 <= record < geometry.num_records:
        raise ArtifactStorageError(f"there is no record {record}; records are 0 to {geometry.num_records - 1:,}")
    receipt = store.receipt(geometry.batch_of(record))
    found: list[Conversation] = []
    for file in () if receipt is None else receipt.current.files:
        if file.folder == CONVERSATIONS:
            table = read_table(store.files, file)
            mine = table.filter(pa.array(table.column("record_index").to_numpy() == record))
            found.extend(conversations_in(mine))
    return found


def the_one_of(found: Iterable[Conversation], record: int, column: str, keeps: str) -> Conversation:
    """That of a column. Raises ArtifactStorageError where it was not kept, which says how to have it kept."""
    for one in found:
        if one.column == column:
            return one
    raise ArtifactStorageError(not_kept(record, column, keeps))


def not_kept(record: int, column: str, keeps: str) -> str:
    """Why there is no conversation of a cell, and what to do."""
    what = f"no conversation of record {record}, column '{column}' is kept"
    why = {
        "none": 'keep_conversations="none" keeps none',
        "rejected": 'keep_conversations="rejected" keeps those of cells that failed',
        "all": "no model was asked for it",
    }.get(keeps, "")
    cure = "" if keeps == "all" else '; a run with RunConfig(keep_conversations="all") keeps every one'
    return f"{what}: {why}{cure}"
