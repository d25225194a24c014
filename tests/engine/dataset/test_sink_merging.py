"""Further rows of a batch that is there: put among those that are, in order, and counted once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plans import metadata_of
from tests.properties import examples

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.config.run_config import RunConfig
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.layout import DROPPED, PARQUET, PROCESSED, REJECTS, batch_name
from data_designer.engine.dataset.profile import distinct, profile_columns
from data_designer.engine.dataset.schema import declared_types
from data_designer.engine.dataset.sink import Sink
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution.locations import Locations
from data_designer.engine.execution.recording import Dataset
from data_designer.engine.execution.task_worker import TaskWorker
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import REJECTED, SPENT, Values
from data_designer.engine.protocol.receipt import Receipt, indices
from data_designer.engine.protocol.spending import Spending
from data_designer.errors import ArtifactStorageError
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block, Reason, Usage

CHAT = f"{PROCESSED}/chat"
BATCH = 1
START, SIZE = 6, 6
"""The second batch of six records: 6 to 11."""


def poems() -> Plan:
    """A sampler, a text of it that is dropped, an expression of that, and a processor."""
    model = dd.ModelConfig(alias="m", model="m", provider="p")
    made = dd.DataDesignerConfigBuilder(model_configs=[model])
    made.add_column(name="number", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 9})
    made.add_column(name="poem", column_type="llm-text", model_alias="m", prompt="{{ number }}", drop=True)
    made.add_column(name="title", column_type="expression", expr="{{ poem | upper }}")
    made.add_processor(processor_type="schema_transform", name="chat", template={"said": "{{ title }}", "n": 1})
    providers = {"p": dd.ModelProvider(name="p", endpoint="http://localhost:1")}
    return compile_plan(made.build(), providers, RunConfig(), Geometry(18, SIZE), seed=1, kinds=KINDS)


PLAN = poems()


def job(
    kept: Sequence[int], rejected: Mapping[int, str], *, failed: int = 0, version: str = "v"
) -> tuple[CommitJob, list[Values]]:
    """A batch to write: rows, with values in the order in which they came, and why others were rejected."""
    locations: Locations[Values] = Locations(PLAN.geometry)
    rows = np.array([*kept, *rejected], dtype=np.int64)
    for stage in PLAN.stages:
        columns: dict[str, list[Any]] = {name: [_cell(name, row, version) for row in rows] for name in stage.makes}
        if stage.pool == "m":
            columns[SPENT] = [(("poem", (1, failed, 10, 2, 0, 0)),)] * len(rows)
            columns[REJECTED] = [Reason("Kind", rejected[row], "poem") if row in rejected else None for row in rows]
        locations.place(stage.number, rows, {stage.number: Block(rows, columns)})
    packing = locations.packing()
    complete = packing.parcel(-1, np.array(sorted(kept), dtype=np.int64), 0, [stage.number for stage in PLAN.stages])
    dropped = np.array(sorted(rejected), dtype=np.int64)
    asked = PLAN.stage_of("poem").number
    rejects = (packing.parcel(asked, dropped, 0, (asked,)),) if len(dropped) else ()
    return CommitJob(BATCH, complete, dropped, rejects), packing.refs


def _cell(name: str, row: int, version: str) -> Any:
    return float(row) if name == "number" else f"{name} {row} {version}"


class Desk:
    """A dataset to which batches are written and published, run by run."""

    def __init__(self, path: Path) -> None:
        self.store = Store.at(path)
        self.files = self.store.files

    def write(self, kept: Sequence[int], rejected: Mapping[int, str] | None = None, **options: Any) -> Receipt:
        """Write and publish in a run of its own."""
        lock = self.store.take()
        try:
            written = Sink(PLAN, self.files, lock.number).write(*job(kept, rejected or {}, **options))
            placed = self.store.publish(written)
            self.store.write_metadata(metadata_of(lock.number))
            return placed
        finally:
            lock.release()

    def column(self, folder: str, name: str) -> list[Any]:
        """One column of the batch's file in a folder; empty where there is no file."""
        file = self.store.path / folder / batch_name(BATCH)
        if not file.is_file():
            return []
        values: list[Any] = pq.read_table(file)[name].to_pylist()
        return values


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A new dataset."""
    return Desk(tmp_path)


def check(desk: Desk, receipt: Receipt, kept: Sequence[int], rejected: Sequence[int]) -> None:
    """The files hold these rows in order, and the receipt says so."""
    assert desk.column(PARQUET, "number") == [float(row) for row in kept]
    assert [text.split()[1] for text in desk.column(DROPPED, "poem")] == [str(row) for row in kept]
    assert [text.split()[1] for text in desk.column(CHAT, "said")] == [str(row) for row in kept]
    assert desk.column(REJECTS, "record_index") == list(rejected)
    unfinished = sorted({*range(START, START + SIZE)} - {*kept} - {*rejected})
    assert (receipt.requested, receipt.generated, receipt.rejected) == (SIZE, len(kept), len(rejected))
    assert indices(receipt.kept).tolist() == list(kept)
    assert indices(receipt.unfinished).tolist() == unfinished
    assert receipt.complete == (not unfinished)
    assert sum(reason["count"] for reason in receipt.reasons.values()) == len(rejected)
    rows = {file.path.rpartition("/")[0]: file.rows for file in receipt.files}
    assert rows == {
        **(dict.fromkeys((PARQUET, DROPPED, CHAT), len(kept)) if kept else {}),
        **({REJECTS: len(rejected)} if rejected else {}),
    }


def test_rows_that_come_later_are_put_in_order_among_those_that_are_there(desk: Desk) -> None:
    """Whatever order rows come in, every file of the batch holds them by record index."""
    check(desk, desk.write([11, 7]), [7, 11], [])
    check(desk, desk.write([10, 6, 8]), [6, 7, 8, 10, 11], [])
    check(desk, desk.write([9]), [6, 7, 8, 9, 10, 11], [])


def test_records_that_are_made_after_all_leave_the_rejected(desk: Desk) -> None:
    """A rejected record that is retried moves to the rows; one that fails again keeps its later reason."""
    check(desk, desk.write([6, 8, 10], {7: "first", 9: "first", 11: "first"}), [6, 8, 10], [7, 9, 11])
    receipt = desk.write([9], {7: "second"})
    check(desk, receipt, [6, 8, 9, 10], [7, 11])
    assert desk.column(REJECTS, "message") == ["second", "first"]
    assert receipt.reasons == {
        "Kind": {"count": 2, "column": "poem", "record": 7, "message": "second", "columns": {"poem": 2}}
    }
    check(desk, desk.write([11, 7]), [6, 7, 8, 9, 10, 11], [])
    assert not (desk.store.path / REJECTS / batch_name(BATCH)).exists()


def test_a_batch_of_which_nothing_was_made_takes_rows(desk: Desk) -> None:
    """Where every record was rejected there is no file of rows; the first that is made makes one."""
    everything = dict.fromkeys(range(START, START + SIZE), "no")
    check(desk, desk.write([], everything), [], list(everything))
    check(desk, desk.write([8]), [8], [6, 7, 9, 10, 11])


def test_a_retry_that_brings_nothing_changes_no_row(desk: Desk) -> None:
    """Records that are rejected again leave the rows as they were."""
    desk.write([6, 7, 8, 9, 10], {11: "first"})
    check(desk, desk.write([], {11: "second"}), [6, 7, 8, 9, 10], [11])
    assert desk.column(REJECTS, "message") == ["second"]


def test_a_record_that_was_undone_may_be_rejected(desk: Desk) -> None:
    """What a stop left undone counts as rejected once it is, and is not undone any more."""
    check(desk, desk.write([6, 7]), [6, 7], [])
    check(desk, desk.write([8], {9: "no", 10: "no", 11: "no"}), [6, 7, 8], [9, 10, 11])


def test_rows_that_both_have_are_the_later_ones(desk: Desk) -> None:
    """A row that is made again replaces what was there, in every file, and is counted once."""
    desk.write([6, 7, 8])
    check(desk, desk.write([7, 9], version="again"), [6, 7, 8, 9], [])
    assert [text.split()[2] for text in desk.column(DROPPED, "poem")] == ["v", "again", "v", "again"]
    assert [text.split()[2] for text in desk.column(PARQUET, "title")] == ["v", "again", "v", "again"]
    assert [text.split()[2] for text in desk.column(CHAT, "said")] == ["v", "again", "v", "again"]


def test_usage_adds_up(desk: Desk) -> None:
    """What all tries of a batch were answered is paid for: rows, rejected ones, and requests that failed."""
    first = desk.write([6, 7], {8: "no"}, failed=2)
    assert first.spent == {"poem": Spending("m", Usage(3, 6, 30, 6), cells=3, first_pass=2, failed=1)}
    both = desk.write([8, 9], {10: "no"}, failed=1)
    assert both.spent == {"poem": Spending("m", Usage(6, 9, 60, 12), cells=6, first_pass=4, failed=2)}


def test_the_profile_is_that_of_all_rows(desk: Desk) -> None:
    """Statistics of rows that came in two parts are those of the rows together."""
    desk.write([6, 9, 11])
    merged = desk.write([7, 8, 10]).profile
    types = {name: str(arrow) for name, arrow in declared_types(PLAN).items()}
    rows = range(START, START + SIZE)
    whole = profile_columns({name: [_cell(name, row, "v") for row in rows] for name in ("number", "title")}, types)
    for name, profile in whole.items():
        assert {**merged[name], "numbers": 0, "characters": 0} == {**profile, "numbers": 0, "characters": 0}
        assert distinct(merged[name]) == SIZE
        for moments in ("numbers", "characters"):
            assert (merged[name].get(moments) or {}) == pytest.approx(profile.get(moments) or {})


RUNS = st.lists(st.dictionaries(st.integers(START, START + SIZE - 1), st.booleans(), min_size=1), max_size=3)
"""Of each run: the records it tries, and whether they are made."""


@examples(30)
@given(runs=RUNS)
def test_in_whatever_parts_a_batch_is_made_each_record_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, runs: list[dict[int, bool]]
) -> None:
    """After any runs that each made and rejected some of the records that were left, each is where it belongs."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    kept: set[int] = set()
    rejected: set[int] = set()
    for tried in runs:
        made = [row for row, succeeds in tried.items() if succeeds]
        failed = {row: "no" for row in tried if row not in {*made, *kept}}
        kept |= {*made}
        rejected = (rejected | {*failed}) - kept
        check(desk, desk.write(made, failed), sorted(kept), sorted(rejected))


# --- once more -------------------------------------------------------------------------------------------


def test_the_same_run_writes_a_batch_once(desk: Desk) -> None:
    """A run that is told to write what it has published writes nothing, and gives the receipt that is there."""
    lock = desk.store.take()
    sink = Sink(PLAN, desk.files, lock.number)
    placed = desk.store.publish(sink.write(*job([6, 7, 8, 9, 10], {11: "no"})))
    before = everything(desk)
    assert sink.write(*job([6, 7, 8, 9, 10], {11: "no"}, failed=5)) == placed
    assert everything(desk) == before
    assert desk.store.publish(placed) == placed
    assert everything(desk) == before


def test_the_same_run_goes_on_with_what_it_has_begun_to_put_in_place(desk: Desk) -> None:
    """Where publishing failed in the middle of a replacement, the next try is given what was written, not the old."""
    desk.write([6, 7, 8], {9: "no"})
    lock = desk.store.take()
    sink = Sink(PLAN, desk.files, lock.number)
    written = sink.write(*job([9, 10], {11: "no"}))

    class Full(LocalFiles):
        """A disk that has no room once the first file is in place."""

        def rename(self, old: str, new: str) -> None:
            """Refuse to put a file of dropped columns into place."""
            if new.startswith(DROPPED):
                raise OSError(28, "No space left on device")
            super().rename(old, new)

    with pytest.raises(OSError, match="No space"):
        Store(desk.store.path, Full(desk.store.path), lock).publish(written)
    before = everything(desk)
    again = sink.write(*job([9, 10], {11: "no"}))
    assert everything(desk) == before
    assert again == written
    check(desk, desk.store.publish(again), [6, 7, 8, 9, 10], [11])


def test_the_same_run_writes_what_it_has_not_written_yet(desk: Desk) -> None:
    """A run that has committed a part of a batch is not taken to have written the rest."""
    lock = desk.store.take()
    sink = Sink(PLAN, desk.files, lock.number)
    desk.store.publish(sink.write(*job([6, 7], {})))
    check(desk, desk.store.publish(sink.write(*job([8, 9], {10: "no"}))), [6, 7, 8, 9], [10])


def test_another_run_writes_the_same_rows_again(desk: Desk) -> None:
    """What an earlier run published is no answer to a later one: a retry of the same records replaces them."""
    desk.write([6, 7], {8: "first"})
    check(desk, desk.write([6, 7], {8: "second"}, version="again"), [6, 7], [8])
    assert [text.split()[2] for text in desk.column(PARQUET, "title")] == ["again", "again"]
    assert desk.column(REJECTS, "message") == ["second"]


@pytest.mark.parametrize("folder", [PARQUET, DROPPED, CHAT, REJECTS])
@pytest.mark.parametrize("missing", [False, True])
def test_nothing_is_put_among_rows_that_are_not_what_they_were(desk: Desk, folder: str, missing: bool) -> None:
    """A damaged or missing file of the batch is named, and nothing new is written beside it."""
    desk.write([6, 7, 8], {9: "no"})
    file = desk.store.path / folder / batch_name(BATCH)
    if missing:
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    before = everything(desk)
    with pytest.raises(ArtifactStorageError, match=f"{folder}/{batch_name(BATCH)} is (missing|damaged)"):
        desk.write([9])
    assert everything(desk) == before


def everything(desk: Desk) -> dict[str, bytes]:
    """Every file of the dataset but locks."""
    files = (file for file in desk.store.path.rglob("*") if file.is_file() and file.parent.name != "lock")
    return {file.relative_to(desk.store.path).as_posix(): file.read_bytes() for file in files}


def test_nothing_is_written_where_the_run_has_no_lock(tmp_path: Path) -> None:
    """A node that joined without the shared folder has an empty one of its own in its place; that is said."""
    desk = Desk(tmp_path / "d")
    lock = desk.store.take()
    elsewhere = Desk(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="does not reach the dataset .*elsewhere"):
        TaskWorker(PLAN, Dataset(elsewhere.files, lock.number)).write(*job([6, 7], {}))
    assert elsewhere.files.list("") == []
    assert TaskWorker(PLAN, Dataset(desk.files, lock.number)).write(*job([6, 7], {})).generated == 2
    lock.release()
