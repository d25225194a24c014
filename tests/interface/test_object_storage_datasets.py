"""Datasets in object storage, end to end: as on a disk, whatever is lost, killed or unreachable on the way."""

import hashlib
import io
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pandas as pd
import pytest
from tests.counting import Endpoint
from tests.fakes import designer, model
from tests.interface.resuming import (
    ALWAYS,
    IDEAL,
    RECORDS,
    SLOTS,
    begin,
    contents,
    data_files,
    folder_of,
    make,
    retry,
    tale,
    tokens,
)
from tests.object_server import DENIED, Bucket, FaultyWay
from tests.programs import started
from tests.replies import LIMIT, Failing, Holding, Refusing, answer, asked_twice, row_of

import data_designer.config as dd
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError, DatasetInUseError
from data_designer.interface import DataDesignerGenerationError, DatasetCreationResults
from data_designer.interface.open import released_on_error
from data_designer.interface.stored import StoredDataset
from data_designer.object_storage import ObjectPath


def objects_of(bucket: Bucket, dataset: str = "all/d") -> dict[str, str]:
    """Each Parquet object of a dataset with a digest of its bytes."""
    found = bucket.contents(dataset)
    return {name: hashlib.sha256(found[name]).hexdigest() for name in found if name.endswith(".parquet")}


@pytest.fixture
def root(bucket: Bucket) -> ObjectPath:
    """The folder of all datasets."""
    return ObjectPath(f"{bucket.url}/all")


@pytest.fixture(scope="module")
def on_disk(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> DatasetCreationResults:
    """The story on a disk, made in one go."""
    with endpoint(answer) as counted:
        return make(counted.url, tmp_path_factory.mktemp("disk"))


def put_there(on_disk: DatasetCreationResults, bucket: Bucket) -> None:
    """Copy that dataset into the bucket, which costs less than to make it there."""
    folder = folder_of(on_disk)
    for name in contents(folder):
        bucket.put(f"all/d/{name}", (folder / name).read_bytes())


def check_same(results: DatasetCreationResults, on_disk: DatasetCreationResults, bucket: Bucket) -> None:
    """A dataset is that of the disk: rows, bytes of every Parquet file, names of all others, and what it cost.

    Accounts of runs are left out: there are as many as runs.
    """
    folder = folder_of(on_disk)
    pd.testing.assert_frame_equal(results.load_dataset(), on_disk.load_dataset())
    assert objects_of(bucket) == data_files(folder)
    names = {key.removeprefix("all/d/") for key in bucket.keys("all/d")} | set(contents(folder))
    accounts = {name for name in names if name.startswith("accounts/")}
    assert {key.removeprefix("all/d/") for key in bucket.keys("all/d")} - accounts == set(contents(folder)) - accounts
    assert accounts
    assert tokens(results) == tokens(on_disk)


# --- made ------------------------------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_dataset(
    endpoint: Endpoint, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """In object storage and on a disk: the same bytes under the same names, and nothing else is left."""
    seen: list[str] = []
    with endpoint(answer) as counted:
        made = designer(counted.url, root).create(
            tale(), num_records=RECORDS, dataset_name="d", on_batch_complete=lambda path: seen.append(str(path))
        )
    assert len(counted.prompts) == IDEAL
    check_same(made, on_disk, bucket)
    assert sorted(seen) == [f"{root}/d/parquet-files/batch_0000{number}.parquet" for number in range(3)]
    storage = made.artifact_storage
    assert (storage.artifact_path, storage.base_dataset_path) == (root, root / "d")
    assert made.count_records() == RECORDS
    pd.testing.assert_frame_equal(made.load_processor_dataset("chat"), on_disk.load_processor_dataset("chat"))
    pd.testing.assert_frame_equal(
        storage.load_dataset_with_dropped_columns(), on_disk.artifact_storage.load_dataset_with_dropped_columns()
    )
    assert str(made.get_path_to_processor_artifacts("chat")) == f"{root}/d/processors-files/chat"
    assert made.load_analysis() == on_disk.load_analysis()


def test_the_url_may_be_given_to_create(
    endpoint: Endpoint, tmp_path: Path, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """As text, or as a path that has lost a slash; nothing is written on this machine."""
    with endpoint(answer) as counted:
        maker = designer(counted.url, tmp_path)
        maker.create(tale(), num_records=RECORDS, dataset_name="d", artifact_path=str(root))
        again = maker.create(
            tale(), num_records=RECORDS, dataset_name="d", artifact_path=Path(str(root)), resume="always"
        )
    assert len(counted.prompts) == IDEAL
    check_same(again, on_disk, bucket)
    assert contents(tmp_path) == {}


def test_a_dataset_is_exported_from_and_to_anywhere(
    tmp_path: Path, endpoint: Endpoint, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """To a file and to an object, by what is in object storage and by what is on a disk: the same rows, in any form."""
    read = {"jsonl": lambda file: pd.read_json(file, lines=True), "csv": pd.read_csv, "parquet": pd.read_parquet}
    put_there(on_disk, bucket)
    with endpoint(answer) as counted:
        there = make(counted.url, root, ALWAYS)
    assert counted.prompts == []
    for form in read:
        target = f"{bucket.url}/exports/out.{form}"
        assert str(there.export(target)) == target
        there.export(tmp_path / f"out.{form}")
        on_disk.export(f"{bucket.url}/exports/other", format=form)
        written = bucket.content(f"exports/out.{form}")
        assert written == (tmp_path / f"out.{form}").read_bytes() == bucket.content("exports/other")
        assert list(read[form](io.BytesIO(written))["n"]) == list(range(RECORDS))


@pytest.mark.usefixtures("bucket")
def test_an_export_to_a_bucket_that_is_not_there_says_so(on_disk: DatasetCreationResults) -> None:
    """The bucket is named."""
    with pytest.raises(OSError, match="s3://gone-for-good/out.csv: there is no such bucket"):
        on_disk.export("s3://gone-for-good/out.csv")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("mode", ["never", "always", "if_possible"])
def test_a_bucket_that_is_not_there_is_said_before_anything_is_asked(endpoint: Endpoint, mode: str) -> None:
    """An error about the storage that names the dataset, whatever is to become of one that is there."""
    said = "the dataset folder s3://gone-for-good/all/d cannot be .*no such bucket"
    with endpoint(answer) as counted, pytest.raises(ArtifactStorageError, match=said):
        make(counted.url, ObjectPath("s3://gone-for-good/all"), mode)
    assert counted.prompts == []


def test_what_went_wrong_first_is_what_is_said(
    root: ObjectPath, way: FaultyWay, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a storage is gone when its lock is to be released, that hides no error of before, and is a warning."""
    store = Store.at(root / "d")
    lock = store.take()
    with way.refusing(*DENIED):
        with pytest.raises(ZeroDivisionError), lock:
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), released_on_error(store):
            raise ZeroDivisionError
        caplog.clear()
        with lock:
            pass
    assert "the lock stays" in caplog.text
    assert "InvalidRequest" in caplog.text
    assert store.files.list("lock") == [f"{lock.number:06d}"]


def test_a_name_that_is_taken_gets_a_time_stamp(
    endpoint: Endpoint, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """What is there keeps every byte."""
    put_there(on_disk, bucket)
    before = bucket.contents("all/d")
    with endpoint(answer) as counted:
        second = make(counted.url, root, records=8)
    assert re.fullmatch(r"d_\d\d-\d\d-\d{4}_\d{6}", second.artifact_storage.resolved_dataset_name)
    assert bucket.contents("all/d") == before
    assert second.count_records() == 8


# --- seeds -----------------------------------------------------------------------------------------------------

ROWS = pd.DataFrame({"n": [1, 2, 3], "word": ["a", "b, c", "d"]})


def written(form: str, rows: pd.DataFrame) -> bytes:
    """Rows as a file."""
    match form:
        case "parquet":
            made: bytes = rows.to_parquet(index=False)
            return made
        case "csv":
            return rows.to_csv(index=False).encode()
        case _:
            return rows.to_json(orient="records", lines=True).encode()


def seeded(path: str) -> dd.DataDesignerConfigBuilder:
    """A request a record about a seed row."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a", max_parallel_requests=SLOTS)])
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=path))
    return builder.add_column(name="text", column_type="llm-text", model_alias="a", prompt="row {{ n }} {{ word }}")


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_seed_rows_come_from_objects(
    endpoint: Endpoint, tmp_path: Path, root: ObjectPath, bucket: Bucket, form: str
) -> None:
    """One object, and several by a pattern, in order of their names; for datasets on a disk and beside them."""
    bucket.put(f"seeds/b #1.{form}", written(form, ROWS[:2]))
    bucket.put(f"seeds/c.{form}", written(form, ROWS[2:]))
    bucket.put("seeds/a.txt", b"of another kind")
    with endpoint(answer) as counted:
        one = designer(counted.url, tmp_path).create(seeded(f"{bucket.url}/seeds/b #1.{form}"), num_records=3)
        many = designer(counted.url, root).create(seeded(f"{bucket.url}/seeds/*.{form}"), num_records=4)
    assert list(one.load_dataset()["n"]) == [1, 2, 1]
    assert list(many.load_dataset()["text"]) == ["<row 1 a>", "<row 2 b, c>", "<row 3 d>", "<row 1 a>"]


@pytest.mark.parametrize("name", ["gone.csv", "none*.csv"])
def test_seeds_that_are_missing_are_named_before_anything_is_asked(
    endpoint: Endpoint, root: ObjectPath, bucket: Bucket, name: str
) -> None:
    """The URL is in the message, and nothing was made."""
    url = f"{bucket.url}/seeds/{name}"
    with endpoint(answer) as counted, pytest.raises(DataDesignerGenerationError, match=re.escape(url)):
        designer(counted.url, root).create(seeded(url), num_records=3, dataset_name="d")
    assert counted.prompts == []
    assert bucket.keys() == []


def test_a_frame_is_kept_as_an_object(bucket: Bucket) -> None:
    """A seed source that is made of a DataFrame writes it where it is told."""
    source = dd.LocalFileSeedSource.from_dataframe(ROWS, f"{bucket.url}/seeds/rows.parquet")
    assert source.runtime_path == f"{bucket.url}/seeds/rows.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(bucket.content("seeds/rows.parquet"))), ROWS)


# --- gone on with ----------------------------------------------------------------------------------------------


def known(root: ObjectPath) -> int:
    """Requests whose replies are in the bucket: in finished batches, and in the journal."""
    verdict = StoredDataset.at(root / "d").verify()
    assert verdict.problems == []
    return 2 * verdict.generated + verdict.journaled


@contextmanager
def killed_after(url: str, root: ObjectPath, holding: Holding) -> Iterator[None]:
    """Make the tale in a process, and kill it at the end, once what it asked for is held."""
    program = started(begin, url, root, {})
    try:
        assert holding.held.wait(LIMIT)
        yield
    finally:
        program.kill()
        program.join()
        holding.go_on.set()


def wait_until_known(root: ObjectPath, way: FaultyWay, replies: int) -> None:
    """Wait until so many replies are in the bucket."""
    way.changed.clear()
    while known(root) < replies:
        assert way.changed.wait(LIMIT)
        way.changed.clear()


def test_a_driver_that_is_killed_pays_again_only_for_what_is_not_in_the_bucket(
    endpoint: Endpoint, root: ObjectPath, way: FaultyWay, on_disk: DatasetCreationResults
) -> None:
    """SIGKILL at once after 7 replies; then while a run waits, which has put what it has by itself: all comes out."""
    holding = Holding(7)
    with endpoint(holding) as counted, killed_after(counted.url, root, holding):
        pass
    before = known(root)
    holding = Holding(20)
    with endpoint(holding) as counted, killed_after(counted.url, root, holding):
        wait_until_known(root, way, before + 20)
    with endpoint(answer) as counted:
        results = make(counted.url, root, ALWAYS)
    assert len(counted.prompts) == IDEAL - before - 20
    check_same(results, on_disk, Bucket(way.server, root.parent.name))


def test_a_run_that_stopped_goes_on(
    endpoint: Endpoint, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """An endpoint that is down for good ends a run inside batches: the rest joins them, and no reply is paid twice."""
    failing = Failing(27)
    with endpoint(failing) as counted:
        stopped = make(counted.url, root, outage_patience=0.01)
        assert 0 < stopped.count_records() < RECORDS
        failing.answers = IDEAL
        results = make(counted.url, root, ALWAYS)
    assert len(failing.given) == IDEAL
    assert asked_twice(failing.given) == {}
    check_same(results, on_disk, bucket)


def test_a_dataset_that_is_being_written_is_refused(endpoint: Endpoint, root: ObjectPath, bucket: Bucket) -> None:
    """While one run writes, another is told which process does; the first is not disturbed."""
    holding = Holding(6)
    with endpoint(holding) as counted, endpoint(answer) as other, ThreadPoolExecutor(1) as threads:
        running = threads.submit(make, counted.url, root)
        assert holding.held.wait(LIMIT)
        with pytest.raises(DatasetInUseError, match="being written by process"):
            make(other.url, root, ALWAYS)
        holding.go_on.set()
        assert running.result(LIMIT).count_records() == RECORDS
    assert other.prompts == []
    assert bucket.keys("all/d/lock") == []


def test_rejected_records_are_made_again(
    endpoint: Endpoint, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """Rows that were refused are said to be, and take their places once they come out."""
    refusing = Refusing({3, 17})
    with endpoint(refusing) as counted:
        first = make(counted.url, root)
        assert list(first.load_rejected()["record_index"]) == [3, 17]
        refusing.rows = set()
        counted.prompts.clear()
        second = retry(counted.url, root)
    assert {row_of(prompt) for prompt in counted.prompts} == {3, 17}
    assert second.load_rejected().empty
    check_same(second, on_disk, bucket)


def test_columns_are_taken_from_a_dataset_in_object_storage(
    endpoint: Endpoint, tmp_path: Path, root: ObjectPath, bucket: Bucket, on_disk: DatasetCreationResults
) -> None:
    """Another dataset, on a disk or beside it, asks only for what differs."""
    put_there(on_disk, bucket)
    with endpoint(answer) as counted:
        for place in (tmp_path, root):
            counted.prompts.clear()
            builder = tale()
            builder.delete_column("final")
            builder.add_column(name="final", column_type="llm-text", model_alias="b", prompt="best {{ loud }}")
            results = designer(counted.url, place).create(
                builder, num_records=RECORDS, dataset_name="e", reuse=str(root / "d")
            )
            assert len(counted.prompts) == RECORDS
            assert all(prompt.startswith("best ") for prompt in counted.prompts)
            assert list(results.load_dataset()["loud"]) == list(on_disk.load_dataset()["loud"])


# --- while the storage is away ---------------------------------------------------------------------------------


def is_met(way: FaultyWay) -> None:
    """Wait until something is refused."""
    assert way.refused.wait(LIMIT)


def is_met_surely(_: FaultyWay) -> None:
    """Nobody can see that nobody answers, so wait for as long as it takes to ask a few times."""
    threading.Event().wait(0.5)


OUTAGES: dict[str, tuple[Callable[[FaultyWay], AbstractContextManager[None]], Callable[[FaultyWay], None]]] = {
    "unreachable": (FaultyWay.unreachable, is_met_surely),
    "overloaded": (FaultyWay.refusing, is_met),
    "refusing": (lambda way: way.refusing(*DENIED), is_met),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_storage_that_goes_away_and_comes_back_costs_nothing(
    endpoint: Endpoint, root: ObjectPath, way: FaultyWay, on_disk: DatasetCreationResults, outage: str
) -> None:
    """In the middle of a run, which ends no sooner: the dataset is the same, and no request is made twice."""
    holding = Holding(IDEAL // 3)
    with endpoint(holding) as counted, ThreadPoolExecutor(1) as threads:
        running = threads.submit(make, counted.url, root)
        assert holding.held.wait(LIMIT)
        away, until = OUTAGES[outage]
        with away(way):
            holding.go_on.set()
            until(way)
            assert not running.done()
        results = running.result(LIMIT)
    assert asked_twice(counted.prompts) == {}
    assert len(counted.prompts) == IDEAL
    check_same(results, on_disk, Bucket(way.server, root.parent.name))


def test_answers_that_are_lost_cost_nothing(
    endpoint: Endpoint, root: ObjectPath, way: FaultyWay, on_disk: DatasetCreationResults
) -> None:
    """Every seventh change is made and not answered: the dataset is the same, and nothing else is left."""
    way.lose_every(7)
    with endpoint(answer) as counted:
        results = make(counted.url, root)
    assert len(counted.prompts) == IDEAL
    check_same(results, on_disk, Bucket(way.server, root.parent.name))
