"""A dataset whose files were cut, flipped, emptied or overwritten: what is damaged is named, and never counted."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.counting import CountingEndpoint, Endpoint, Reply
from tests.fakes import USUAL, designer, model
from tests.properties import examples
from typer.testing import CliRunner

import data_designer.config as dd
from data_designer.cli.main import app
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution.recording import Dataset, Recording, RowAsks
from data_designer.engine.execution.stage_runner import CellCounts, StageRunner
from data_designer.errors import ArtifactStorageError, DataDesignerError
from data_designer.interface import DataDesigner, DatasetCreationResults
from data_designer.interface.stored import StoredDataset
from data_designer.models.retry import Keep
from data_designer.plan.model import Plan
from data_designer.values import ChatResponse, Request, Response, Usage

RECORDS, BUFFER = 12, 4
INTERRUPTED = 1
"""The batch that an interrupted run has begun and not committed."""
ANSWERED = {"first": (4, 5), "second": (6,)}
"""Who has the answers to which of its records in the journal."""
REFUSED = 6
"""The record that the model refuses to make at first."""

Row = dict[str, Any]

often = examples(20, suppress_health_check=[HealthCheck.too_slow])
in_both_states = pytest.mark.parametrize("state", ["complete", "interrupted"])


def answer(prompt: str) -> str:
    """What the model makes of a prompt: always the same."""
    return f"About {prompt}"


def poems() -> dd.DataDesignerConfigBuilder:
    """Two samplers and a text of theirs."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    values = {"values": ["tea", "rain", "snow"]}
    builder.add_column(name="topic", column_type="sampler", sampler_type="category", params=values)
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    return builder.add_column(name="poem", column_type="llm-text", prompt="{{ topic }} {{ id }}", model_alias="m")


@dataclass
class Workshop:
    """Datasets to damage copies of, and what they are made with."""

    root: Path
    designer: DataDesigner
    endpoint: CountingEndpoint
    refused: set[str]
    """Prompts that the model refuses."""
    rows: list[Row] = field(default_factory=list)
    """Those of the undisturbed dataset."""

    @contextmanager
    def copy(self, state: str) -> Iterator[Path]:
        """A dataset in a state, to do anything with."""
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            yield shutil.copytree(self.root / state, Path(folder) / state)

    def make(self, path: Path) -> DatasetCreationResults:
        """Make a new dataset."""
        return self.designer.create(poems(), num_records=RECORDS, dataset_name=path.name, artifact_path=path.parent)

    def resume(self, path: Path, num_records: int = RECORDS, buffer_size: int = BUFFER) -> DatasetCreationResults:
        """Go on with a dataset, perhaps with more records."""
        self.designer.set_run_config(dd.RunConfig(**{**USUAL, "buffer_size": buffer_size}))
        return self.designer.create(
            poems(), num_records=num_records, dataset_name=path.name, artifact_path=path.parent, resume="always"
        )

    def retry(self, path: Path) -> DatasetCreationResults:
        """Make the rejected records of a dataset again."""
        return self.designer.retry_failed(poems(), dataset_name=path.name, artifact_path=path.parent)

    def refuses(self, act: Callable[[Path], DatasetCreationResults], damaged: Path, path: Path) -> bool:
        """Whether an act is refused with an error that names the file; if not, the dataset is the undisturbed one."""
        try:
            results = act(path)
        except DataDesignerError as error:
            assert damaged.name in str(error)  # noqa: PT017 - what is not refused is checked too
            return True
        assert results.outcomes.generated == results.count_records() == RECORDS
        assert rows(path) == self.rows
        return False

    def is_whole(self, path: Path) -> None:
        """The dataset is the undisturbed one, and says so."""
        assert rows(path) == self.rows
        assert StoredDataset.at(path).verify().problems == []


def rows(path: Path) -> list[Row]:
    """All rows of a dataset."""
    return [row for file in Store.at(path).contents() for row in pq.read_table(pa.BufferReader(file)).to_pylist()]


def problems(path: Path) -> list[str]:
    """What a check finds wrong with a dataset."""
    try:
        return StoredDataset.at(path).verify().problems
    except ArtifactStorageError as error:
        return [str(error)]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Iterator[Workshop]:
    """One small dataset in three states: complete, interrupted, and with a record that was rejected."""
    refused: set[str] = set()
    root = tmp_path_factory.mktemp("damage")
    with endpoint(lambda prompt: Reply("no", 400) if prompt in refused else Reply(answer(prompt))) as counted:
        shop = Workshop(root, designer(counted.url, root, buffer_size=BUFFER), counted, refused)
        plan = shop.make(root / "complete").plan
        shop.rows = rows(root / "complete")
        interrupt(shutil.copytree(root / "complete", root / "interrupted"), plan, shop.rows)
        refused.add(f"{shop.rows[REFUSED]['topic']} {shop.rows[REFUSED]['id']}")
        assert shop.make(root / "lacking").outcomes.rejected == 1
        refused.clear()
        yield shop


def interrupt(path: Path, plan: Plan, made: list[Row]) -> None:
    """Take a batch back to where a crash would have left it: no receipt, no file, some answers in the journal."""
    (path / f"receipts/batch_{INTERRUPTED:05d}.json").unlink()
    (path / f"parquet-files/batch_{INTERRUPTED:05d}.parquet").unlink()
    runner = StageRunner(plan, plan.stage_of("poem"))

    async def ask(request: Request, keep: Keep, _: str) -> Response:
        response = ChatResponse(answer(request.messages[-1]["content"][0]["text"]), usage=Usage(1, 0, 3, 2))
        await keep(response)
        return response

    caller = SimpleNamespace(ask=ask)

    async def begin() -> None:
        for who, records in ANSWERED.items():
            recording = Recording(Dataset(LocalFiles(path), run=1), plan.geometry, who)
            for record in records:
                known = {name: made[record][name] for name in ("topic", "id")}
                await runner.run_row(known, None, RowAsks(caller, record, recording, []), CellCounts())
            await recording.written()
            await recording.close()

    asyncio.run(begin())


@dataclass(frozen=True)
class Damage:
    """What becomes of a file's content."""

    how: str
    number: int = 0
    instead: bytes = b""

    def __call__(self, content: bytes) -> bytes:
        """The content afterwards."""
        match self.how:
            case "cut":
                return content[: self.number % len(content)]
            case "flip":
                place, bit = divmod(self.number % (8 * len(content)), 8)
                return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
            case _:
                return self.instead


ANYWHERE = st.integers(0, 1 << 20)
damages = st.one_of(
    st.just(Damage("emptied")),
    st.builds(Damage, st.just("cut"), ANYWHERE),
    st.builds(Damage, st.just("flip"), ANYWHERE),
    st.builds(Damage, st.just("replaced"), st.just(0), st.binary(max_size=200)),
)
places = st.integers(0, 11)


def damage(path: Path, pattern: str, place: int, how: Damage) -> tuple[Path, bytes]:
    """Damage one of the files of a kind; gives it, and what it held."""
    files = sorted(path.glob(pattern))
    file = files[place % len(files)]
    before = file.read_bytes()
    file.write_bytes(how(before))
    return file, before


# --- undamaged -------------------------------------------------------------------------------------------


def test_an_interrupted_dataset_is_finished_with_what_is_in_its_journal(workshop: Workshop) -> None:
    """Without damage, resume asks for nothing but the one record that the journal lacks."""
    with workshop.copy("interrupted") as path:
        verdict = StoredDataset.at(path).verify()
        assert (verdict.problems, verdict.missing, verdict.journaled) == ([], BUFFER, BUFFER - 1)
        asked = len(workshop.endpoint.prompts)
        workshop.resume(path)
        assert len(workshop.endpoint.prompts) == asked + 1
        workshop.is_whole(path)


# --- damaged ---------------------------------------------------------------------------------------------


@in_both_states
@pytest.mark.parametrize("pattern", ["metadata.json", "receipts/*"])
@often
@given(place=places, how=damages)
def test_damaged_metadata_and_receipts_are_named_and_refused(
    workshop: Workshop, state: str, pattern: str, place: int, how: Damage
) -> None:
    """Check and resume name the file; a refused resume has changed nothing, so that a copy of the file mends all."""
    with workshop.copy(state) as path:
        file, before = damage(path, pattern, place, how)
        found = problems(path)
        assert all(file.name in problem for problem in found)
        assert workshop.refuses(workshop.resume, file, path) == bool(found)
        if found:
            file.write_bytes(before)
            workshop.resume(path)
        workshop.is_whole(path)


@in_both_states
@often
@given(how=damages)
def test_a_damaged_builder_config_is_noticed_and_written_anew(workshop: Workshop, state: str, how: Damage) -> None:
    """A check names it whatever has changed; resume, which is told what it should hold, repairs it."""
    with workshop.copy(state) as path:
        file, before = damage(path, "builder_config.json", 0, how)
        assert len(found := problems(path)) == 1
        assert file.name in found[0]
        assert not workshop.refuses(workshop.resume, file, path)
        assert file.read_bytes() == before
        workshop.is_whole(path)


@often
@given(place=places, how=damages)
def test_a_damaged_journal_costs_requests_and_no_row(workshop: Workshop, place: int, how: Damage) -> None:
    """What a damaged segment held is asked for again, what is whole is not, and the dataset comes out the same."""
    with workshop.copy("interrupted") as path:
        file, _ = damage(path, "journal/*/*", place, how)
        verdict = StoredDataset.at(path).verify()
        assert verdict.problems == []
        asked = len(workshop.endpoint.prompts)
        assert not workshop.refuses(workshop.resume, file, path)
        assert len(workshop.endpoint.prompts) - asked == BUFFER - verdict.journaled
        workshop.is_whole(path)


@in_both_states
@often
@given(place=places, how=damages)
def test_nothing_is_built_on_a_damaged_file_of_rows(workshop: Workshop, state: str, place: int, how: Damage) -> None:
    """Check and resume name the file; nobody is asked and nothing changes, so that a copy of the file mends all."""
    with workshop.copy(state) as path:
        file, before = damage(path, "parquet-files/*", place, how)
        expected = [f"batch {int(file.stem[-5:])}: parquet-files/{file.name} does not match its checksum"]
        asked = len(workshop.endpoint.prompts)
        for act in (workshop.resume, lambda there: workshop.resume(there, RECORDS + BUFFER), workshop.retry):
            assert problems(path) == expected
            assert workshop.refuses(act, file, path)
        assert len(workshop.endpoint.prompts) == asked
        file.write_bytes(before)
        workshop.resume(path)
        workshop.is_whole(path)


@pytest.mark.parametrize("how", [Damage("emptied"), Damage("cut", 100), Damage("flip", 1000)])
def test_a_damaged_batch_is_made_again_where_the_user_says_so(workshop: Workshop, how: Damage) -> None:
    """Without its receipt a batch does not exist: it is paid for again, and nothing else is."""
    with workshop.copy("complete") as path:
        file, _ = damage(path, "parquet-files/*", 1, how)
        assert workshop.refuses(workshop.resume, file, path)
        (path / "receipts/batch_00001.json").unlink()
        asked = len(workshop.endpoint.prompts)
        workshop.resume(path)
        assert len(workshop.endpoint.prompts) == asked + BUFFER
        workshop.is_whole(path)


@pytest.mark.parametrize("folder", ["parquet-files", "rejected"])
@often
@given(how=damages)
def test_no_row_is_put_beside_those_of_a_damaged_file(workshop: Workshop, folder: str, how: Damage) -> None:
    """To retry a record, the files of its batch are read: a damaged one is refused, and nothing has changed."""
    with workshop.copy("lacking") as path:
        file, before = damage(path, f"{folder}/batch_{REFUSED // BUFFER:05d}.parquet", 0, how)
        assert workshop.refuses(workshop.retry, Path(folder) / file.name, path)
        file.write_bytes(before)
        assert problems(path) == []
        workshop.retry(path)
        workshop.is_whole(path)


@in_both_states
def test_the_command_line_names_what_is_damaged(workshop: Workshop, state: str) -> None:
    """`data-designer check` ends with exit code 1 and a line that names the file, whatever kind it is of."""
    for pattern in ("metadata.json", "builder_config.json", "receipts/*", "parquet-files/*"):
        with workshop.copy(state) as path:
            file, before = damage(path, pattern, 0, Damage("flip", 1000))
            done = CliRunner().invoke(app, ["check", str(path)])
            assert done.exit_code == 1
            assert file.name in done.stderr
            file.write_bytes(before)
            assert CliRunner().invoke(app, ["check", str(path)]).exit_code == 0


# --- missing ---------------------------------------------------------------------------------------------


@in_both_states
@pytest.mark.parametrize("pattern", ["metadata.json", "builder_config.json", "receipts/*", "parquet-files/*"])
def test_a_file_that_is_missing_is_noticed_or_made_again(workshop: Workshop, state: str, pattern: str) -> None:
    """A batch without a receipt or a file is made again, though a check names the file; a declaration is repaired."""
    with workshop.copy(state) as path:
        file = min(path.glob(pattern))
        before = file.read_bytes()
        file.unlink()
        found = problems(path)
        assert all(file.name in problem for problem in found)
        assert bool(found) == (pattern != "receipts/*")
        if pattern == "metadata.json":
            assert workshop.refuses(workshop.resume, file, path)
            file.write_bytes(before)
        workshop.resume(path)
        workshop.is_whole(path)


# --- what a copy in the wrong place does -----------------------------------------------------------------


def test_a_receipt_in_the_place_of_another_is_damage(workshop: Workshop) -> None:
    """A receipt of another batch, restored from the wrong copy, is named; no file of either batch is touched."""
    with workshop.copy("complete") as path:
        file = path / "receipts/batch_00001.json"
        before = file.read_bytes()
        shutil.copy(path / "receipts/batch_00000.json", file)
        assert any(file.name in problem for problem in problems(path))
        assert workshop.refuses(workshop.resume, file, path)
        file.write_bytes(before)
        workshop.is_whole(path)


@pytest.mark.parametrize(
    ("copied", "name"),
    [
        ("receipts/batch_00000.json", "{stem}{suffix}.bak"),
        ("receipts/batch_00000.json", "{stem} (copy){suffix}"),
        ("parquet-files/batch_00000.parquet", "old_{stem}{suffix}"),
        ("receipts/batch_00000.json", "{stem}.old{suffix}"),
        ("parquet-files/batch_00000.parquet", "{stem}.old{suffix}"),
        ("parquet-files/batch_00000.parquet", "{stem}{suffix}.bak"),
    ],
)
def test_a_copy_that_the_user_keeps_beside_a_file_is_no_file_of_the_dataset(
    workshop: Workshop, copied: str, name: str
) -> None:
    """A copy under another name adds no rows, and a resume leaves it where it is."""
    with workshop.copy("complete") as path:
        file = path / copied
        copy = file.with_name(name.format(stem=file.stem, suffix=file.suffix))
        shutil.copy(file, copy)
        assert rows(path) == workshop.rows
        assert StoredDataset.at(path).verify().generated == RECORDS
        workshop.resume(path)
        assert copy.is_file()
        workshop.is_whole(path)


@pytest.mark.parametrize(("num_records", "buffer_size"), [(RECORDS, BUFFER), (RECORDS + BUFFER, BUFFER // 2)])
def test_metadata_from_before_records_were_added_fit_no_more(
    workshop: Workshop, num_records: int, buffer_size: int
) -> None:
    """A copy from before an extension speaks of fewer batches: refused in words, except to extend in the same way."""
    with workshop.copy("complete") as path:
        file = path / "metadata.json"
        before = file.read_bytes()
        workshop.resume(path, RECORDS + BUFFER)
        made = rows(path)
        file.write_bytes(before)
        assert len(problems(path)) == 1
        with pytest.raises(DataDesignerError, match="receipt|metadata"):
            workshop.resume(path, num_records, buffer_size)
        workshop.resume(path, RECORDS + BUFFER)
        assert rows(path) == made
        assert problems(path) == []
