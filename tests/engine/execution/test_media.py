"""Media in a replica: how many rows hold one at once, how files are read, and what they count for."""

import asyncio
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes import model
from tests.fault_injection.files import FaultyFiles
from tests.plans import compiled

import data_designer.config as dd
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.execution import recording
from data_designer.engine.execution.recording import Dataset, Recording
from data_designer.engine.execution.replica import Replica, rough_bytes
from data_designer.engine.protocol.parcels import REJECTED, Parcel, Source, Values
from data_designer.object_storage import Location
from data_designer.plan.model import Plan
from data_designer.values import Block, ChatResponse, Request, Response

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
SLOTS = 4


def plan(*contexts: dd.ModalityContext) -> Plan:
    """A sampler, and a text column that shows what it gives."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m", max_parallel_requests=SLOTS)])
    made.add_column(name="photo", column_type="sampler", sampler_type="category", params={"values": ["a.png"]})
    made.add_column(
        name="seen", column_type="llm-text", model_alias="m", prompt="{{ photo }}", multi_modal_context=list(contexts)
    )
    return compiled(made, 100)


def parcel(names: Sequence[str]) -> tuple[Parcel, Values]:
    """Rows that name files."""
    rows = np.arange(len(names), dtype=np.int64)
    source = Source(0, np.zeros(len(rows), dtype=np.int64), rows)
    return Parcel(1, rows, 1, (source,)), {0: Block(rows, {"photo": [*names]})}


class Model:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.busy = asyncio.Event()
        self.go_on = asyncio.Event()

    async def ask(self, request: Request) -> Response:
        """Answer, sooner or later."""
        self.asked.append(request)
        if len(self.asked) == SLOTS:
            self.busy.set()
        await self.go_on.wait()
        return ChatResponse("fine")


async def collected(replica: Replica, number: int) -> dict[str, list[Any]]:
    """The columns of so many rows."""
    columns: dict[str, list[Any]] = {}
    acknowledged = rows = 0
    while rows < number:
        summary, values = await replica.collect(acknowledged)
        acknowledged = summary.number
        for block in values.values():
            rows += len(block)
            for name, cells in block.columns.items():
                columns.setdefault(name, []).extend(cells)
    return columns


@pytest.mark.parametrize("shows", [True, False])
def test_no_more_rows_hold_a_medium_than_keep_the_slots_busy(
    shows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait as what they are, a name; rows without media start as they come."""
    (tmp_path / "a.png").write_bytes(PNG)
    read: list[str] = []
    threads: set[int] = set()

    def counting(folders: Sequence[Location], name: str) -> bytes | str:
        read.append(name)
        threads.add(threading.get_ident())
        return content_below(folders, name)

    content_below = recording.content_below
    monkeypatch.setattr(recording, "content_below", counting)

    async def scenario() -> None:
        asked, made = Model(), plan(*([dd.ImageContext(column_name="photo")] if shows else []))
        replica = Replica(made, "m", asked, Recording(Dataset(LocalFiles(tmp_path), 1), made.geometry, "r"), linger=0.0)
        await replica.grant(SLOTS)
        await replica.submit(*parcel(["a.png"] * 50))
        await asked.busy.wait()
        held = len(read)
        asked.go_on.set()
        columns = await collected(replica, 50)
        await replica.close()
        assert held <= (SLOTS + 8 if shows else 0)
        assert columns["seen"] == ["fine"] * 50
        assert len(read) == (50 if shows else 0)
        assert threading.get_ident() not in threads

    asyncio.run(scenario())


def test_a_file_that_cannot_be_read_ends_its_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are those of the disk or the storage; its neighbours go on."""
    (tmp_path / "a.png").write_bytes(PNG)

    def failing(folders: Sequence[Location], name: str) -> bytes | str:
        if name == "b.png":
            raise PermissionError(13, "no")
        return content_below(folders, name)

    content_below = recording.content_below
    monkeypatch.setattr(recording, "content_below", failing)

    async def scenario() -> None:
        asked, made = Model(), plan(dd.ImageContext(column_name="photo"))
        asked.go_on.set()
        replica = Replica(made, "m", asked, Recording(Dataset(LocalFiles(tmp_path), 1), made.geometry, "r"), linger=0.0)
        await replica.grant(SLOTS)
        await replica.submit(*parcel(["a.png", "b.png"]))
        columns = await collected(replica, 2)
        await replica.close()
        [reason] = [one for one in columns[REJECTED] if one is not None]
        assert reason.kind == "MediaError"
        assert "it cannot be read: Permission denied: 'b.png'" in reason.message

    asyncio.run(scenario())


def test_a_dataset_knows_its_folder(tmp_path: Path) -> None:
    """Whatever its files are kept by."""
    assert Dataset(LocalFiles(tmp_path), 1).folder == tmp_path
    assert isinstance(Dataset(FaultyFiles(random.Random(0)), 1).folder, Path)


def test_text_counts_wherever_it_is() -> None:
    """In lists and dicts, at any depth: a list of images is as large as they are."""
    image = "x" * 1_000_000

    def size(cell: object) -> int:
        return rough_bytes(Block(np.arange(3, dtype=np.int64), {"c": [cell] * 3})) // 3

    flat = size(image)
    assert flat == pytest.approx(1_000_000, rel=0.01)
    trace = [{"role": "user", "content": [{"type": "image", "source": {"data": image}}]}]
    for cell, times in (([image] * 5, 5), ([image] * 100, 100), ({"a": image, "b": [image]}, 2), (trace, 1)):
        assert size(cell) == pytest.approx(times * flat, rel=0.01)
    assert size([0.5] * 1000) < 100_000
    circle: list[object] = []
    circle.append(circle)
    assert size(circle) < 1000
