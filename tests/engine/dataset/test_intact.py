"""A run builds on nothing but what was committed."""

import io
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.engine.dataset.test_store import NEW, OLD, new, staged
from tests.object_server import Bucket

from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.files import Files, LocalFiles
from data_designer.engine.dataset.intact import refuse_damage
from data_designer.engine.dataset.layout import DATA, DROPPED, PARQUET, PROCESSED, REJECTS, batch_name, receipt_name
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.verify import verify
from data_designer.errors import ArtifactStorageError
from data_designer.object_storage import ObjectPath
from data_designer.plan.model import Geometry


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A directory with two batches: one with a processor's output, one with a rejected record."""
    made = Store.at(tmp_path)
    made.take()
    made.publish(new(made))
    made.publish(staged(made, OLD, batch=1, generated=3, rejected=1, kept=((4, 7),)))
    return made


def cut(path: Path) -> None:
    """Lose the second half."""
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Change a bit."""
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


FILES = [f"{folder}/{batch_name(0)}" for folder in NEW] + [f"{folder}/{batch_name(1)}" for folder in OLD]
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (cut, "is damaged: it has"),
    "flipped": (flip, "is damaged: it does not match its checksum"),
    "gone": (Path.unlink, "is missing"),
}


def test_what_was_committed_is_built_on(store: Store) -> None:
    """Whole files, also while they are about to be put into place; what no receipt speaks of does not count."""
    refuse_damage(store)
    store.files.write(f"{PARQUET}/mine.parquet", b"x")
    staged(store, OLD, batch=2)
    refuse_damage(store)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", DAMAGES)
def test_every_file_that_differs_is_named_with_its_batch_and_what_to_do(store: Store, name: str, how: str) -> None:
    """In each folder; nothing changes."""
    damage, said = DAMAGES[how]
    damage(Path(str(store.path), name))
    before = store.files.sizes("")
    with pytest.raises(ArtifactStorageError) as caught:
        refuse_damage(store)
    message = str(caught.value)
    batch = int(name[-9:-8])
    assert f"1 of 6 files of the dataset {store.path} are not as they were committed" in message
    assert f"batch {batch}: {name} {said}" in message
    assert f"remove receipts/batch_0000{batch}.json, and a resume makes these batches again" in message
    assert store.files.sizes("") == before


def test_a_batch_whose_rows_are_gone_is_a_hole(store: Store) -> None:
    """It is to be made again, whatever else of it is damaged; other files do not make a hole."""
    Path(str(store.path), PARQUET, batch_name(0)).unlink()
    cut(Path(str(store.path), DROPPED, batch_name(0)))
    refuse_damage(store, but_for_holes=True)
    Path(str(store.path), REJECTS, batch_name(1)).unlink()
    with pytest.raises(ArtifactStorageError, match="1 of 3 files"):
        refuse_damage(store, but_for_holes=True)


def test_only_what_is_built_on_is_looked_at(store: Store) -> None:
    """The reasons of rejected records are nothing to who takes columns."""
    Path(str(store.path), REJECTS, batch_name(1)).unlink()
    refuse_damage(store, (PARQUET, DROPPED))


def test_many_files_are_not_all_named(tmp_path: Path) -> None:
    """Ten, and how many more."""
    made = Store.at(tmp_path)
    made.take()
    made.publish(staged(made, {f"{PROCESSED}/p{number}": b"x" for number in range(12)}))
    for name in made.files.walk(PROCESSED):
        made.files.write(name, b"")
    with pytest.raises(ArtifactStorageError, match="and 2 more, which `data-designer check` names") as caught:
        refuse_damage(made)
    assert str(caught.value).count("is damaged") == 10


class Unreadable(LocalFiles):
    """A disk with a bad block."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """Fail at rows."""
        if name.startswith(PARQUET):
            raise OSError(5, "Input/output error")
        return super().pieces(name)


def test_a_file_that_cannot_be_read_is_named(store: Store) -> None:
    """With what the disk says."""
    failing = Store(store.path, Unreadable(Path(str(store.path))))
    with pytest.raises(ArtifactStorageError, match=r"parquet-files/batch_00000.parquet cannot be read: .*Input/output"):
        refuse_damage(failing)


def test_who_waits_for_checksums_is_told_how_far_they_are(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A line every ten seconds."""
    seconds = itertools.count(0.0, 4.0)
    with caplog.at_level(logging.INFO):
        refuse_damage(store, clock=lambda: next(seconds))
    assert [record.getMessage() for record in caplog.records] == [
        "comparing what is there with its checksums: files=3/6 mb=0/0",
        "comparing what is there with its checksums: files=6/6 mb=0/0",
    ]


def test_objects_are_compared_by_their_sizes(objects: Files, bucket: Bucket) -> None:
    """A dataset in object storage is not downloaded: what is missing or of another size is named, by listings."""
    made = Store(ObjectPath(f"{bucket.url}/d"), objects)
    made.take()
    made.publish(new(made))
    refuse_damage(made)
    name = f"{PARQUET}/{batch_name(0)}"
    bucket.put(f"d/{name}", NEW[PARQUET][::-1])
    refuse_damage(made)
    bucket.put(f"d/{name}", NEW[PARQUET][1:])
    bucket.remove(f"d/{DROPPED}/{batch_name(0)}")
    with pytest.raises(ArtifactStorageError) as caught:
        refuse_damage(made)
    assert f"{name} is damaged: it has {len(NEW[PARQUET]) - 1} bytes" in str(caught.value)
    assert f"{DROPPED}/{batch_name(0)} is missing" in str(caught.value)


# --- what no receipt mentions ----------------------------------------------------------------------------


def found(store: Store) -> tuple[list[str], list[str]]:
    """What a check calls strays, and what left over."""
    verdict = verify(store, Geometry(16, 4), "")
    return verdict.strays, verdict.leftovers


def test_files_that_no_receipt_mentions_are_told_apart(tmp_path: Path) -> None:
    """Strays in any folder of data; what is half done, or of a batch without a receipt, is of a run that ended."""
    made = Store.at(tmp_path)
    made.take()
    assert found(made) == ([], [])
    strays = [f"{folder}/old.parquet" for folder in DATA if folder != PROCESSED]
    strays += [f"{PROCESSED}/chat/{batch_name(9)}", f"{PROCESSED}/gone/x", f"{PARQUET}/{batch_name(7)}"]
    leftovers = [".x.h.1.0.tmp", "receipts/.y.h.1.1.tmp", f"{PARQUET}/{batch_name(2)}", f"{DROPPED}/.z.h.1.2.tmp"]
    for name in [*strays, *leftovers, "notes.txt", "d.jsonl", "receipts/batch_00000.json.bak"]:
        made.files.write(name, b"")
    assert [sorted(some) for some in found(made)] == [sorted(strays), sorted(leftovers)]


def test_what_is_being_replaced_is_mentioned(tmp_path: Path) -> None:
    """Both the old files of a batch, and the new ones that do not have their names yet."""
    made = Store.at(tmp_path)
    made.take()
    rows = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2, 3, 4]}), rows)
    before = made.publish(staged(made, {PARQUET: rows.getvalue(), DROPPED: rows.getvalue()}))
    receipt = replace(before, successor=staged(made, {PARQUET: rows.getvalue()}))
    made.files.put(receipt_name(0), receipts.written(receipt))
    assert found(made) == ([], [])
