"""The commands with URLs of object storage wherever a path may stand."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests.cli.commands import INLINE, SEEDED, name_provider, run
from tests.counting import Endpoint
from tests.object_server import Bucket
from tests.replies import LIMIT, MANY, Failing, Holding

from data_designer.cli.jobs import check_shared

RECORDS = 12
IDEAL = 2 * RECORDS
"""Requests of an undisturbed run: two a record."""


@pytest.fixture
def source(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration with seeds in the bucket, in a working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    bucket.put("seeds/rows.csv", "\n".join(["id", *map(str, range(RECORDS))]).encode())
    seeds = f"{{seed_type: local, path: '{bucket.url}/seeds/*.csv'}}"
    (tmp_path / "good.yaml").write_text(f"{SEEDED}seed_config: {{source: {seeds}}}\n")
    return "good.yaml"


def create(source: str, bucket: Bucket, *more: object, name: str = "d") -> tuple[int, str]:
    """`create` into the bucket, inline, in batches of five."""
    return run("create", source, "-n", RECORDS, "-o", f"{bucket.url}/all", "-d", name, *INLINE, *more)


def read(bucket: Bucket, dataset: str, tmp_path: Path) -> list[str]:
    """The last column, in order."""
    folder = tmp_path / dataset
    folder.mkdir(exist_ok=True)
    for name, content in bucket.contents(f"all/{dataset}/parquet-files").items():
        (folder / name).write_bytes(content)
    return list(pd.read_parquet(folder)["final"])


def test_a_dataset_is_begun_gone_on_with_and_checked(
    source: str, bucket: Bucket, tmp_path: Path, endpoint: Endpoint
) -> None:
    """A stopped `create` prints the `resume` that goes on; `check` reads all of it, and names what is damaged."""
    model = Failing(17)
    with endpoint(model) as counted:
        name_provider(counted.url)
        code, said = create(source, bucket, "--set", "outage_patience=0.01")
        assert code == 1, said
        assert f"data-designer resume {bucket.url}/all/d" in said
        model.answers = IDEAL
        code, said = run("resume", f"{bucket.url}/all/d")
        assert code == 0, said
    assert len(model.given) == len(set(model.given)) == IDEAL
    assert f"{RECORDS} of {RECORDS} records in {bucket.url}/all/d" in said
    assert read(bucket, "d", tmp_path) == [f"<better <about {row}>>" for row in range(RECORDS)]
    code, said = run("check", f"{bucket.url}/all/d")
    assert code == 0, said
    key = "all/d/parquet-files/batch_00001.parquet"
    bucket.put(key, bucket.content(key)[:-1])
    code, said = run("check", f"{bucket.url}/all/d")
    assert code == 1
    assert "parquet-files/batch_00001.parquet" in said
    assert "does not match its checksum" in said
    assert not (tmp_path / "artifacts").exists()


def test_a_dataset_is_extended_reused_and_exported(
    source: str, bucket: Bucket, tmp_path: Path, endpoint: Endpoint
) -> None:
    """Records are added, another dataset takes all of it for nothing, and one file more is an object too."""
    model = Failing(MANY)
    with endpoint(model) as counted:
        name_provider(counted.url)
        code, said = create(source, bucket, "--output-format", "jsonl")
        assert code == 0, said
        assert len(bucket.content("all/d/d.jsonl").splitlines()) == RECORDS
        code, said = create(source, bucket, "--reuse", f"{bucket.url}/all/d", name="e")
        assert code == 0, said
        assert len(model.given) == IDEAL
        code, said = run("extend", f"{bucket.url}/all/d", "-n", RECORDS + 3)
        assert code == 0, said
    assert len(model.given) == IDEAL + 6
    assert read(bucket, "e", tmp_path) == [f"<better <about {row}>>" for row in range(RECORDS)]
    assert len(read(bucket, "d", tmp_path)) == RECORDS + 3


def test_a_dataset_that_is_not_there_is_said_in_a_line(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resume` and `check` of a URL without a dataset, and of one that cannot be used: exit code 1 and the reason."""
    monkeypatch.chdir(tmp_path)
    for command in ("resume", "check"):
        code, said = run(command, f"{bucket.url}/all/gone")
        assert code == 1
        assert f"there is no dataset at {bucket.url}/all/gone" in said
        code, said = run(command, "ftp://host/all/gone")
        assert code == 1
        assert "ftp://host cannot be used: take one of s3://" in said
    assert list(tmp_path.iterdir()) == []


def test_a_job_may_write_into_object_storage() -> None:
    """A URL leads to the same place from every node."""
    check_shared("s3://bucket/all")
    check_shared("gs://bucket")


def test_a_run_is_watched_by_what_it_writes_there(
    source: str, bucket: Bucket, endpoint: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    """From wherever the bucket can be read."""
    place = f"{bucket.url}/all/d"
    program = [sys.executable, "-m", "data_designer.cli.main"]
    asked = ["create", source, "-n", str(RECORDS), "-o", f"{bucket.url}/all", "-d", "d", *INLINE, "--progress", "none"]
    holding = Holding(9)
    with endpoint(holding) as counted:
        name_provider(counted.url)
        with subprocess.Popen([*program, *asked]) as created:
            assert holding.held.wait(LIMIT)
            watching = [*program, "watch", place, "--progress", "json"]
            with subprocess.Popen(watching, stdout=subprocess.PIPE, text=True) as watched:
                assert watched.stdout is not None
                first = json.loads(watched.stdout.readline())
                holding.go_on.set()
                last = [json.loads(line) for line in watched.stdout][-1]
                assert watched.wait(LIMIT) == 0
            assert created.wait(LIMIT) == 0
    assert (first["state"], first["dataset"]) == ("running", place)
    assert (last["state"], last["generated"]) == ("ended", RECORDS)
    assert f"ended: {RECORDS} of {RECORDS} records written" in capfd.readouterr().err
