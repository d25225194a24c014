"""What a run in virtual time keeps: the real store, lock and journal over a directory that crashes.

Models and functions of the user are simulated so that nothing can be right by luck: an answer names the stage, the
row, what it was made of, and how often anything was answered before, so that no two are the same. A row whose columns
were made of different answers gives itself away.
"""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.fault_injection.files import FaultyFiles, FaultyObjects

from data_designer.engine.dataset.batch_files import merged, stage_tables
from data_designer.engine.dataset.failures import Failure, failures_table
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.intact import refuse_damage
from data_designer.engine.dataset.journal import Recorder, Replay, read_replay, request_digest, segment_writer
from data_designer.engine.dataset.layout import PARQUET, REJECTS
from data_designer.engine.dataset.lock import Process
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.store import Store, located
from data_designer.engine.protocol.receipt import BatchFile, Receipt, indices, ranges
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.engine.protocol.rows import Flags, Replays, Rows
from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.dataset import Cell, CellKey
from data_designer.plan.model import Geometry
from data_designer.values import ChatRequest, ChatResponse, Reason, Request, Usage


@dataclass(slots=True)
class Account:
    """What was asked over all runs of a dataset. It outlives every simulated process."""

    answers: int = 0
    paid: dict[tuple[CellKey, str], int] = field(default_factory=dict)
    """Cell and digest of what was asked to how often it was paid for."""
    kept: dict[tuple[CellKey, str], int] = field(default_factory=dict)
    """Those whose answer a crash of a process cannot take away, with the moment since which that is so."""
    moment: int = 0
    """Counts what happens to journals."""
    doubtful: set[CellKey] = field(default_factory=set)
    """Cells held by a process that was taken for dead and was not: they may be paid for twice."""
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept."""

    def pay(self, cell: CellKey, digest: str, made_of: str, read: int) -> str:
        """Ask for an answer that was not in the journal when that was read, which was at that moment."""
        if self.kept.get((cell, digest), read) < read and cell not in self.doubtful:
            self.broken.append(f"stage {cell[0]} of row {cell[1]} was in the journal and is paid for again")
        self.paid[cell, digest] = self.paid.get((cell, digest), 0) + 1
        self.answers += 1
        return f"{cell[0]}.{cell[1]}.{self.answers}({made_of})"

    def next_moment(self) -> int:
        """Something happens to a journal now."""
        self.moment += 1
        return self.moment

    @property
    def paid_again(self) -> int:
        """Answers beyond the first to the same question."""
        return sum(self.paid.values()) - len(self.paid)


@dataclass(slots=True)
class JournalingProcess:
    """The journal as one simulated process sees it."""

    dataset: "FaultyDataset"
    recorder: Recorder
    replays: dict[tuple[int, int], Replay] = field(default_factory=dict)
    read: dict[tuple[int, int], int] = field(default_factory=dict)
    """When each of them was read."""
    unwritten: set[tuple[CellKey, str]] = field(default_factory=set)
    unsynced: set[tuple[CellKey, str]] = field(default_factory=set)

    def learn(self, wanted: Replays) -> None:
        """Read what the journal knows of some batches."""
        if wanted and self.recorder.waiting:
            self.flush()
        if wanted and self.dataset.in_objects:
            self.sync()
        for key in wanted:
            if key not in self.replays:
                self.replays[key] = read_replay(self.dataset.files, [key[0]])
                self.read[key] = self.dataset.account.next_moment()

    def cells(self, command: ev.Send) -> list[Cell]:
        """The cells of rows that were sent, with the values that come along."""
        known = self.known_since(command.replays)
        return [
            Cell(command.stage, row, command.ticket, self.dataset.made_of(command.stage, row), known)
            for row in command.rows.tolist()
        ]

    def known_since(self, wanted: Replays) -> int:
        """The moment for which the journal is known that was read of some batches.

        Where every answer is written before it is reported, that is any moment.
        """
        if not self.dataset.in_objects:
            return sys.maxsize
        return min((self.read[key] for key in wanted), default=self.dataset.account.next_moment())

    def ask(self, cell: Cell) -> tuple[str, bool]:
        """The answer to a cell from the journal, or else one that is paid for, and whether it is."""
        request = request_of(cell.made_of)
        for replay in self.replays.values():
            response = replay.reply((_fingerprint(cell.stage), cell.row, 0), request)
            if isinstance(response, ChatResponse):
                return response.text, False
        key = (cell.stage, cell.row)
        return self.dataset.account.pay(key, request_digest(request), cell.made_of, cell.known), True

    def note(self, cell: Cell, answer: str) -> None:
        """Write an answer at once, as far as the disk takes it."""
        request = request_of(cell.made_of)
        key = (_fingerprint(cell.stage), cell.row, 0)
        written = self.recorder.write_reply(key, request, ChatResponse(answer, usage=Usage(1)))
        self.unwritten.add(((cell.stage, cell.row), request_digest(request)))
        if written:
            self._written()

    def flush(self) -> bool:
        """Write what was noted and is not written; says whether that is to be synced. Raises OSError."""
        if self.recorder.waiting:
            self.recorder.flush()
            self._written()
        return bool(self.unsynced)

    def _written(self) -> None:
        self.unsynced |= self.unwritten
        self.unwritten = set()
        if not self.dataset.in_objects:
            self._keep()

    def sync(self) -> None:
        """Make durable what was written. Raises OSError."""
        self.recorder.sync()
        self._keep()

    def _keep(self) -> None:
        moment = self.dataset.account.next_moment()
        for answered in self.unsynced:
            self.dataset.account.kept.setdefault(answered, moment)
        self.unsynced = set()


@dataclass(slots=True)
class FaultyDataset:
    """A dataset directory and the values of one simulated run."""

    shape: ev.Shape
    disk: FaultyFiles | FaultyObjects
    account: Account
    functions: frozenset[int] = frozenset()
    """`local` stages that call functions of the user, which never give the same twice."""
    store: Store = field(init=False)
    values: dict[CellKey, str] = field(default_factory=dict)
    """What the run's objects hold."""

    def __post_init__(self) -> None:
        self.store = Store(Path(), self.disk.files())

    @property
    def in_objects(self) -> bool:
        """Whether what is written is kept only once it is synced."""
        return isinstance(self.disk, FaultyObjects)

    @property
    def files(self) -> Files:
        """The files as the driver sees them."""
        return self.store.files

    def open(self) -> ResumePoint:
        """Take the lock over and find out what is there."""
        elsewhere = Process("simulated", "another machine", 1, "now")
        self.store.take(lambda _: None, elsewhere)
        geometry = self.shape.geometry
        metadata = Metadata(
            target_num_records=geometry.num_records,
            requested_num_records=geometry.num_records,
            buffer_size=geometry.buffer_size,
            earlier_geometry=geometry.earlier,
            seed=0,
            run=self.store.run,
        )
        self.store.write_metadata(metadata)
        refuse_damage(self.store)  # A crash is no damage.
        self.store.recover()
        return self.store.resume_point(self.shape.geometry)

    def close(self) -> None:
        """End the run."""
        self.store.tidy()
        assert self.store.lock is not None
        self.store.lock.release()

    def process(self, name: str) -> JournalingProcess:
        """A process that knows nothing of the journal yet."""
        writer = segment_writer(self.store.run, name)
        return JournalingProcess(self, Recorder(self.disk.files(), self.shape.geometry, writer))

    def task(self, command: ev.RunTask) -> Callable[[], list[str]]:
        """Take the inputs of CPU work; its results are taken when it is done, and a function's are kept then."""
        stage, rows = command.stage, command.rows.tolist()
        made_of = [self.made_of(stage, row) for row in rows]
        if stage in self.functions:
            return lambda: self._called(command, made_of)
        return lambda: [f"{stage}.{row}.0({made})" for row, made in zip(rows, made_of, strict=True)]

    def _called(self, command: ev.RunTask, made_of: list[str]) -> list[str]:
        """What functions of the user give. Raises OSError where that cannot be kept."""
        process = self.process(f"t{command.ticket:09d}")
        process.learn(command.replays)
        answers = []
        for row, made in zip(command.rows.tolist(), made_of, strict=True):
            cell = Cell(command.stage, row, command.ticket, made, process.known_since(command.replays))
            answer, asked = process.ask(cell)
            if asked:
                process.note(cell, answer)
            answers.append(answer)
        if process.flush():
            process.sync()
        return answers

    # --- values ------------------------------------------------------------------------------------------

    def made_of(self, stage: int, row: int) -> str:
        """What a cell is made of: the values upstream."""
        return ",".join(self.values[up, row] for up in self.shape.stages[stage].upstream)

    def place(self, stage: int, rows: Rows, awaited: Flags, answers: Sequence[str]) -> None:
        """Hold the values of a report's rows that are still awaited."""
        for row, counts, answer in zip(rows.tolist(), awaited.tolist(), answers, strict=True):
            if counts:
                self.values[stage, row] = answer

    def lose(self, stage: int, rows: Rows, held: Collection[CellKey]) -> None:
        """Values are gone.

        What is being made of them right now is made once more, of the same, by somebody else; a stage that sees a
        whole batch makes all of it once more.
        """
        for row in rows.tolist():
            self.values.pop((stage, row), None)
        batches = set(self.shape.geometry.batches_of(rows).tolist())
        lost = {row for batch in batches for row in self.shape.geometry.records(batch)}
        self.doubt([cell for cell in held if cell[1] in lost])

    def doubt(self, held: Collection[CellKey]) -> None:
        """Some cells may be paid for twice."""
        self.account.doubtful.update(held)

    def forget(self, batch: int) -> None:
        """Let go of a batch's values."""
        records = self.shape.geometry.records(batch)
        for cell in [cell for cell in self.values if cell[1] in records]:
            del self.values[cell]

    # --- commits -----------------------------------------------------------------------------------------

    def commit(self, command: ev.Commit) -> None:
        """Write a batch and publish it. Raises OSError."""
        before = self.store.receipt(command.batch)
        if before is not None and before.current.run == self.store.run:
            self.store.publish(before.current)
            return
        try:
            receipt, contents = self._receipt(command), self._contents(command)
        except KeyError as error:  # The scheduler knows, and asks anew.
            raise OSError("some of its values are gone") from error
        if before is not None:
            receipt, contents = merged(self.files, before, receipt, contents)
        written = stage_tables(self.files, command.batch, contents)
        self.store.publish(replace(receipt, files=written, run=self.store.run))

    def _receipt(self, command: ev.Commit) -> Receipt:
        records = self.shape.geometry.records(command.batch)
        done = np.concatenate([command.rows, command.rejected])
        unfinished = np.setdiff1d(np.arange(records.start, records.stop), done)
        return Receipt(
            batch=command.batch,
            requested=len(records),
            generated=len(command.rows),
            rejected=len(command.rejected),
            files=(),
            kept=ranges(command.rows),
            unfinished=ranges(unfinished),
        )

    def _contents(self, command: ev.Commit) -> dict[str, pa.Table]:
        contents: dict[str, pa.Table] = {}
        if len(command.rows):
            columns = {
                f"stage{number}": [self.values[number, row] for row in command.rows.tolist()]
                for number in range(len(self.shape.stages))
            }
            contents[PARQUET] = pa.table({"row": command.rows, **columns})
        if len(command.rejected):
            reason = Reason("Rejected", "rejected")
            contents[REJECTS] = failures_table(Failure(row, reason) for row in command.rejected.tolist())
        return contents


def _fingerprint(stage: int) -> str:
    return f"stage{stage}"


def request_of(made_of: str) -> Request:
    """What is asked for a cell that is made of some values."""
    return ChatRequest([{"role": "user", "content": [{"type": "text", "text": made_of}]}])


def damage(files: Files, shape: ev.Shape) -> list[str]:
    """What is wrong with a dataset that is said to be finished."""
    store = Store(Path(), files)
    geometry: Geometry = shape.geometry
    found: list[str] = []
    receipts = {receipt.batch: receipt for receipt in store.receipts()}
    if sorted(receipts) != list(geometry.batches()):
        found.append(f"batches {sorted(receipts)} of {geometry.num_batches}")
    for receipt in receipts.values():
        records = list(geometry.records(receipt.batch))
        kept = indices(receipt.kept).tolist()
        rejected = _column(files, receipt, REJECTS, "record_index")
        if sorted([*kept, *rejected]) != records or receipt.unfinished:
            found.append(f"batch {receipt.batch}: kept {kept}, rejected {rejected}")
        if _column(files, receipt, PARQUET, "row") != kept:
            found.append(f"batch {receipt.batch}: its file holds other rows than its receipt says")
        found.extend(_inconsistent(files, receipt, shape))
    leftover = [name for name in files.list("") if name not in ("metadata.json", "receipts", PARQUET, REJECTS)]
    if leftover:
        found.append(f"left behind: {leftover}")
    return found


def _read(files: Files, file: BatchFile) -> pa.Table:
    content = pa.BufferReader(files.read(located(files, file)))
    return pq.read_table(content, use_threads=False, pre_buffer=False)


def _column(files: Files, receipt: Receipt, folder: str, name: str) -> list[int]:
    for file in receipt.files:
        if file.path.startswith(folder):
            column: list[int] = _read(files, file)[name].to_pylist()
            return column
    return []


def _inconsistent(files: Files, receipt: Receipt, shape: ev.Shape) -> list[str]:
    found = []
    for file in receipt.files:
        if not file.path.startswith(PARQUET):
            continue
        for row in _read(files, file).to_pylist():
            for number, stage in enumerate(shape.stages):
                made_of = ",".join(row[f"stage{up}"] for up in stage.upstream)
                if not row[f"stage{number}"].endswith(f"({made_of})"):
                    found.append(f"row {row['row']}: stage {number} was made of other values than are committed")
    return found
