"""A record of a dataset that is there on a terminal, and what was said for one of its cells."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from data_designer.config.near_names import suggestion
from data_designer.engine.dataset.encoding import decode_json
from data_designer.engine.dataset.failures import Failure
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.conversation import Conversation, text_of
from data_designer.errors import ArtifactStorageError
from data_designer.interface.cell_text import NONE
from data_designer.interface.cell_text import text_of as text_of_value
from data_designer.interface.conversation_view import view
from data_designer.interface.conversations import not_kept
from data_designer.interface.display import Layout, Look, SampleDisplay
from data_designer.interface.records import StoredRecord, StoredRecords
from data_designer.interface.rendered_again import asked_columns, prompt_of
from data_designer.interface.results import layout_of
from data_designer.interface.stored import StoredDataset
from data_designer.interface.stored_plan import recalled
from data_designer.object_storage import Location
from data_designer.plan.model import Plan
from data_designer.terminal import as_it_is

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset that somebody looks at."""

    records: StoredRecords
    plan: Plan
    layout: Layout

    @classmethod
    def at(cls, path: Location) -> "DatasetView":
        """The dataset at a path. Raises ArtifactStorageError where there is none, or it is damaged."""
        store = Store.at(path)
        metadata = store.read_metadata()
        plan = recalled(StoredDataset(path, metadata)).plan
        return cls(StoredRecords(store, metadata), plan, replace(layout_of(plan), read=store.files.read))

    @property
    def columns(self) -> list[str]:
        """Those for whose cells a model was asked."""
        return asked_columns(self.plan)

    def record(self, index: int, width: int) -> "list[RenderableType]":
        """A record for a terminal of that width, what models have made first."""
        found = self.records.at(index)
        if found.state == "not made":
            return [as_it_is(f"record {index:,} is not made yet", "yellow")]
        parts: list[RenderableType] = []
        if found.state == "made":
            look = Look(display_width=width, models_first=True)
            parts += SampleDisplay(found.frame(), self.layout).parts(0, look)[1:]
        for failure in found.failures:
            parts.append(_failure(failure, is_null=found.state == "made"))
        return parts

    def cell(self, index: int, column: str) -> "Text":
        """What was said for a cell, or why that is not known and what its prompt is.

        Raises:
            ArtifactStorageError: no model is asked for such a column, or there is no such record.
        """
        said = self.said(index, column)
        return self._rendered_again(index, column) if said is None else view(said)

    def said(self, index: int, column: str) -> Conversation | None:
        """What was said for a cell, as far as it is kept. Raises as `cell` does."""
        if column not in self.columns:
            raise ArtifactStorageError(f"no model is asked for a column '{column}'{suggestion(column, self.columns)}")
        return next((one for one in self.records.conversations(index) if one.column == column), None)

    def unsaid(self, index: int, column: str) -> dict[str, object]:
        """What there is to say of a cell whose conversation is not kept, as JSON data."""
        prompt = self._prompt(self.records.at(index), column)
        why = not_kept(index, column, self.plan.run.keep_conversations)
        return {"record_index": index, "column": column, "fate": None, "not_kept": why} | (
            {"unknown": prompt} if isinstance(prompt, str) else {"rendered_again": prompt}
        )

    def _rendered_again(self, index: int, column: str) -> "Text":
        found = self.records.at(index)
        text = as_it_is(f"record {index:,}, column {column}\n", "bold")
        if found.state == "not made":
            return text.append_text(as_it_is("the record is not made yet", "yellow"))
        text.append_text(as_it_is(f"{not_kept(index, column, self.plan.run.keep_conversations)}\n", "dim"))
        prompt = self._prompt(found, column)
        if isinstance(prompt, str):
            return text.append_text(as_it_is(f"its prompt cannot be rendered again: {prompt}", "dim"))
        text.append_text(as_it_is("its prompt, rendered again from what is known of the record:\n", "dim"))
        for message in prompt:
            text.append_text(as_it_is(f"--- {message['role']}\n", "cyan"))
            text.append_text(as_it_is(f"{text_of(message)}\n"))
        if found.state != "made":
            return text
        value = found.values.get(column, found.dropped_values.get(column))
        text.append_text(as_it_is("--- value\n", "cyan"))
        return text.append_text(as_it_is(text_of_value(value, NONE)))

    def _prompt(self, found: StoredRecord, column: str) -> "list[dict[str, object]] | str":
        values = {**_seed_row(found), **found.values, **found.dropped_values}
        return prompt_of(self.plan, column, values, found.record)


def _seed_row(found: StoredRecord) -> dict[str, object]:
    """A rejected record's row of the seed dataset, which is kept with its reason."""
    rows = (decode_json(failure.seed) for failure in found.failures if failure.seed is not None)
    return next((row for row in rows if isinstance(row, dict)), {})


def _failure(failure: Failure, *, is_null: bool) -> "Text":
    text = as_it_is("")
    for number, (name, value) in enumerate(_facts(failure, is_null=is_null)):
        text.append_text(as_it_is(f"{name}: ", "cyan" if number else "bold red"))
        text.append_text(as_it_is(f"{value}\n"))
    return text


def _facts(failure: Failure, *, is_null: bool) -> Iterator[tuple[str, str]]:
    reason = failure.reason
    yield ("null since it failed" if is_null else "rejected"), f"column {reason.column or '-'}"
    yield "kind", reason.kind
    yield "message", reason.message
    if reason.last_reply is not None:
        yield "last reply", reason.last_reply or "(empty)"
    if failure.attempts:
        cost = "" if failure.usd is None else f", ${failure.usd:.6f}"
        yield "requests for the record", f"{failure.attempts:,}{cost}"
    if failure.seed is not None:
        yield "seed row", text_of_value(decode_json(failure.seed))
