"""Files of cells: kept beside the journal, committed with their batch, and gone with rows that are not kept."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fault_injection.files import Crash, FaultyFiles, FaultyObjects
from tests.plans import metadata_of

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.config.run_config import RunConfig
from data_designer.engine.dataset.files import Files, LocalFiles
from data_designer.engine.dataset.intact import refuse_damage
from data_designer.engine.dataset.journal import journaled_batches
from data_designer.engine.dataset.layout import IMAGES, MANIFESTS, batch_name, journal_folder, receipt_name
from data_designer.engine.dataset.lock import Process
from data_designer.engine.dataset.media import decoded, encoded
from data_designer.engine.dataset.sink import Sink
from data_designer.engine.dataset.store import Store, images_of
from data_designer.engine.dataset.verify import Verdict, verify
from data_designer.engine.execution.locations import Locations
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import MEDIA, REJECTED, SPENT, Values, gather
from data_designer.errors import ArtifactStorageError
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block, ImageResponse, MediaFile, Reason, Usage, response_of

ELSEWHERE = Process("node-7", "another boot", 4711, "1234")
SIZE = 4


def pictures() -> Plan:
    """A sampler, and an image of it."""
    model = dd.ModelConfig(alias="m", model="m", provider="p", inference_parameters=dd.ImageInferenceParams())
    made = dd.DataDesignerConfigBuilder(model_configs=[model])
    made.add_column(name="number", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 9})
    made.add_column(name="photo", column_type="image", model_alias="m", prompt="{{ number }}")
    providers = {"p": dd.ModelProvider(name="p", endpoint="http://localhost:1")}
    return compile_plan(made.build(), providers, RunConfig(), Geometry(SIZE, SIZE), seed=1, kinds=KINDS)


PLAN = pictures()


def content(row: int, version: str = "") -> bytes:
    """What the image of a row holds."""
    return f"image {row} {version}".encode()


def path(row: int) -> str:
    """Where it is to be."""
    return f"images/photo/{row}-0.png"


def kept(files: Files, row: int, version: str, *, here: bool) -> MediaFile:
    """An image that a replica has kept: in memory, or beside the journal."""
    data = content(row, version)
    at = "" if here else f"{journal_folder(0)}/000001-r000-001.{row}{version}.media"
    if at:
        files.write(at, data)
    return MediaFile(path(row), len(data), hashlib.sha256(data).hexdigest(), at, data if here else None)


def job(
    files: Files, rows: Sequence[int], rejected: Sequence[int], version: str, *, here: bool
) -> tuple[CommitJob, list[Values]]:
    """A batch to write of these rows; those rejected have an image too."""
    locations: Locations[Values] = Locations(PLAN.geometry)
    every = np.array([*rows, *rejected], dtype=np.int64)
    for stage in PLAN.stages:
        columns: dict[str, list[Any]] = {"number": [float(row) for row in every]}
        if stage.pool == "m":
            columns = {"photo": [[path(row)] for row in every], SPENT: [None] * len(every)}
            columns[MEDIA] = [(kept(files, row, version, here=here),) for row in every.tolist()]
            columns[REJECTED] = [Reason("Kind", "no", "photo") if row in rejected else None for row in every]
        locations.place(stage.number, every, {stage.number: Block(every, columns)})
    packing = locations.packing()
    numbers = [stage.number for stage in PLAN.stages]
    complete = packing.parcel(-1, np.array(sorted(rows), dtype=np.int64), 0, numbers)
    dropped = np.array(sorted(rejected), dtype=np.int64)
    return CommitJob(0, complete, dropped, ()), packing.refs


def commit(store: Store, rows: Sequence[int], rejected: Sequence[int] = (), version: str = "", **how: bool) -> None:
    """Write and publish rows in a run of its own."""
    lock = store.take(lambda _: None, ELSEWHERE)
    work = job(store.files, rows, rejected, version, here=how.get("here", False))
    store.publish(Sink(PLAN, store.files, lock.number).write(*work))
    store.write_metadata(metadata_of(lock.number))
    lock.release()


def images(files: Files) -> dict[str, bytes]:
    """All images that are in their places."""
    return {name: files.read(name) for name in files.walk(IMAGES)}


def checked(store: Store) -> Verdict:
    """What a check comes to."""
    return verify(store, PLAN.geometry, None)


def wrong(store: Store) -> list[str]:
    """What a check finds wrong with images."""
    verdict = checked(store)
    found = [line for line in (*verdict.problems, *verdict.strays) if "image" in line]
    return sorted(found)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A new dataset."""
    return Store.at(tmp_path)


@pytest.mark.parametrize("here", [False, True])
def test_files_of_rows_that_are_kept_are_committed_with_them(store: Store, here: bool) -> None:
    """Each is in the place that its cell names, those of rejected rows are nowhere, and nothing is left over."""
    commit(store, [0, 1, 3], [2], here=here)
    assert images(store.files) == {path(row): content(row) for row in (0, 1, 3)}
    assert wrong(store) == []
    assert not checked(store).leftovers
    assert journaled_batches(store.files) == []


def test_a_batch_that_gets_further_rows_keeps_the_files_of_those_that_are_there(store: Store) -> None:
    """What was there is left alone, and the manifest lists all, in order of record."""
    commit(store, [2, 0])
    commit(store, [3, 1], version="later")
    expected = {0: "", 1: "later", 2: "", 3: "later"}
    assert images(store.files) == {path(row): content(row, version) for row, version in expected.items()}
    [manifest] = store.batch_files(MANIFESTS)
    assert [one.path for one in images_of(store.files, manifest)] == [path(row) for row in range(4)]
    assert wrong(store) == []


def state(store: Store) -> dict[str, bytes]:
    """The images of the rows that are committed, as a reader finds them."""
    found = {}
    for manifest in store.batch_files(MANIFESTS):
        for image in images_of(store.files, manifest):
            found[image.path] = store.files.read(image.path)
            assert hashlib.sha256(found[image.path]).hexdigest() == image.sha256
    return found


@pytest.mark.parametrize("kind", [FaultyFiles, FaultyObjects])
@pytest.mark.parametrize("replaces", [False, True])
def test_a_run_may_end_at_every_step(kind: type[FaultyFiles | FaultyObjects], replaces: bool) -> None:
    """After a recovery the batch is as it was, with what was kept still there for a resume, or as it is to be."""
    ended = {"before": 0, "after": 0}
    for step in range(1, 200):
        for seed in range(2):
            disk = kind(random.Random(seed))
            store = Store(Path(), disk.files())
            if replaces:
                commit(store, [0, 1])
            disk.changes, disk.crash_at = 0, step
            with suppress(Crash):
                commit(store, [2, 3], version="new")
            crashed = disk.changes >= step
            disk.crash_at = None
            disk.reboot()
            again = Store(Path(), disk.files())
            again.take(lambda _: None, Process("node-8", "boot", step, "1"))
            refuse_damage(again)  # A crash is no damage.
            again.recover()
            before = {path(row): content(row) for row in (0, 1)} if replaces else {}
            found = state(again)
            if found == before:
                ended["before"] += 1
                there = set(again.files.walk(journal_folder(0)))
                assert images(again.files) == before
                assert there <= {
                    f"{journal_folder(0)}/000001-r000-001.{row}{v}.media" for row in range(4) for v in ("", "new")
                }
            else:
                ended["after"] += 1
                assert found == {**before, **{path(row): content(row, "new") for row in (2, 3)}}
            assert wrong(again) == []
        if not crashed:
            break
    assert not crashed
    assert ended["before"] > 0
    assert ended["after"] > 0


def test_a_disk_may_refuse_in_the_middle(tmp_path: Path) -> None:
    """What is written counts already, and the next try puts the rest into place."""

    class Full(LocalFiles):
        refuses = True

        def move(self, moves: Sequence[tuple[str, str]]) -> None:
            super().move(moves[:2])
            if self.refuses:
                self.refuses = False
                raise OSError(28, "No space left on device")
            super().move(moves)

    store = Store(tmp_path, Full(tmp_path))
    lock = store.take(lambda _: None, ELSEWHERE)
    sink, work = Sink(PLAN, store.files, lock.number), job(store.files, [0, 1, 2, 3], [], "", here=False)
    with pytest.raises(OSError, match="No space"):
        store.publish(sink.write(*work))
    assert store.batch_files(MANIFESTS)
    store.publish(sink.write(*work))
    assert images(store.files) == {path(row): content(row) for row in range(4)}
    assert wrong(store) == []


def test_what_is_missing_damaged_or_more_is_found(store: Store) -> None:
    """A check reads every image; a resume sees that all are there."""
    commit(store, [0, 1, 2, 3])
    files = store.files
    files.remove(path(0))
    files.write(path(1), content(1)[::-1])
    files.write(path(2), b"short")
    files.write("images/photo/99-0.png", b"whose?")
    assert wrong(store) == [
        "batch 0: images/photo/0-0.png is missing",
        "batch 0: images/photo/1-0.png does not match its checksum",
        "batch 0: images/photo/2-0.png does not match its checksum",
        "images/photo/99-0.png",
    ]
    with pytest.raises(ArtifactStorageError, match=r"(?s)batch 0: images/photo/0-0.png is missing"):
        refuse_damage(store)


def test_a_damaged_manifest_is_said_and_nothing_is_removed(store: Store) -> None:
    """Its images count as mentioned by nobody, and stay."""
    commit(store, [0, 1, 2, 3])
    store.files.write(f"{MANIFESTS}/{batch_name(0)}", b"no parquet")
    assert any("image-manifests/batch_00000.parquet does not match" in line for line in checked(store).problems)
    with pytest.raises(ArtifactStorageError, match="image-manifests"):
        refuse_damage(store)
    assert len(images(store.files)) == 4


def test_a_batch_whose_receipt_was_removed_takes_its_files_along(store: Store) -> None:
    """As people are told to do where something is damaged."""
    commit(store, [0, 1, 2, 3])
    store.files.remove(receipt_name(0))
    store.take(lambda _: None, Process("node-8", "boot", 1, "1"))
    store.recover()
    assert images(store.files) == {}


def test_a_manifest_without_a_receipt_may_be_anything(store: Store) -> None:
    """What it lists is not known, so nothing is removed but itself."""
    commit(store, [0, 1, 2, 3])
    store.files.remove(receipt_name(0))
    store.files.write(f"{MANIFESTS}/{batch_name(0)}", b"no parquet")
    store.take(lambda _: None, Process("node-8", "boot", 1, "1"))
    store.recover()
    assert len(images(store.files)) == 4
    assert len(wrong(store)) == 4


def test_a_batch_whose_rows_are_gone_takes_its_files_along(store: Store) -> None:
    """It is made again, so that its images have no receipt."""
    commit(store, [0, 1, 2, 3])
    store.files.remove(f"parquet-files/{batch_name(0)}")
    store.take(lambda _: None, Process("node-8", "boot", 1, "1"))
    store.recover()
    assert images(store.files) == {}
    assert not store.files.exists(receipt_name(0))


def test_a_batch_whose_image_is_gone_is_not_written(store: Store) -> None:
    """What the values name has to be there, and of its size."""
    lock = store.take(lambda _: None, ELSEWHERE)
    work = job(store.files, [0, 1, 2, 3], [], "", here=False)
    store.files.remove(f"{journal_folder(0)}/000001-r000-001.2.media")
    with pytest.raises(FileNotFoundError, match="2.media, which is to be images/photo/2-0.png, is not what was"):
        Sink(PLAN, store.files, lock.number).write(*work)


def test_the_files_of_a_row_come_together_from_all_its_stages() -> None:
    """Whichever of the blocks have files, and whichever have none."""
    one, two = (MediaFile(name, 1, "", name) for name in ("a", "b"))
    locations: Locations[Values] = Locations(Geometry(2, 2))
    rows = np.arange(2)
    locations.place(0, rows[:1], {0: Block(rows[:1], {"x": [1]})})
    locations.place(0, rows[1:], {0: Block(rows[1:], {"x": [2], MEDIA: [(one,)]})})
    locations.place(1, rows, {1: Block(rows, {"y": [3, 4], MEDIA: [(two,), None]})})
    packing = locations.packing()
    parcel = packing.parcel(2, rows, 0, (0, 1))
    assert gather(parcel, packing.refs, ["x", MEDIA]).columns[MEDIA] == [(two,), (one,)]
    assert MEDIA not in gather(parcel, packing.refs, ["x"]).columns


def test_a_reply_whose_images_are_in_files_is_kept_without_them() -> None:
    """The journal has a line of their names, sizes and checksums."""
    usage = Usage(requests=1, images=1)
    response = ImageResponse((), files=(MediaFile("", 3, "abc", "journal/batch_00000/x.media"),), usage=usage)
    assert response.content == ["image files", [["journal/batch_00000/x.media", 3, "abc"]]]
    assert response_of(response.content, usage) == response
    assert not response.says_nothing
    with pytest.raises(ValueError, match="no file"):
        response_of(["image files", [["x"]]], usage)


def test_base64_is_read_strictly() -> None:
    """What holds anything else is none."""
    assert decoded(encoded([b"abc", b""])) == [b"abc", b""]
    for text in ("YWJj\n", "YWJ", "data:image/png;base64,YWJj", "ä"):
        assert decoded([text]) is None


def test_local_files_are_moved_together(tmp_path: Path) -> None:
    """Into folders that are made; those that are moved already are no error, those that are nowhere are one."""
    files = LocalFiles(tmp_path)
    moves: Mapping[str, str] = {f"from/{n}": f"to/{n % 2}/{n}" for n in range(4)}
    for old in moves:
        files.write(old, old.encode())
    files.move([*moves.items()][:2])
    files.move([*moves.items()])
    assert {name: files.read(name) for name in files.walk("to")} == {new: old.encode() for old, new in moves.items()}
    with pytest.raises(FileNotFoundError):
        files.move([("from/9", "to/9")])
