"""Large cells of a seed, end to end: what is computed, shown and stored is as if they travelled with their rows."""

import gc
import pickle
import signal
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer, model
from tests.interface.showing import IDEAL, RECORDS, SLOTS, begin, make, seed_of_cells, seer
from tests.programs import started
from tests.replies import LIMIT, Holding

import data_designer.config as dd
from data_designer.interface.compile import CompileContext, check, prepare
from data_designer.plan.model import Geometry

pytestmark = pytest.mark.usefixtures("sockets")


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """The seed file."""
    return seed_of_cells(tmp_path / "seeds")


def assert_same(frame: pd.DataFrame, seeds: Path) -> None:
    """Whether a dataset holds the seed's columns as they are there."""
    expected = pd.read_parquet(seeds)
    assert {name: frame[name].tolist() for name in expected} == {name: expected[name].tolist() for name in expected}


def test_pictures_in_cells_are_shown_and_stored(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """Each with its record; the dataset holds the seed's column as it was, in the same type."""
    with endpoint(seer) as counted:
        results = make(counted.url, tmp_path, seeds)
    assert len(counted.prompts) == IDEAL
    frame = results.load_dataset()
    assert frame["seen"].tolist() == [f"picture {n}" for n in range(RECORDS)]
    assert_same(frame, seeds)
    [column] = [one for one in results.load_analysis().column_statistics if one.column_name == "photo"]
    assert (column.num_records, column.num_null, column.num_unique) == (RECORDS, 0, RECORDS)


def test_columns_that_are_computed_see_the_value(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """Expressions, skip conditions and processors, beside the seed and next to a model; a preview shows it."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    made.with_seed_dataset(dd.LocalFileSeedSource(path=str(seeds)))
    made.add_column(name="size", column_type="expression", expr="{{ photo | length }}", dtype="int")
    made.add_column(
        name="short",
        column_type="llm-text",
        model_alias="m",
        prompt="{{ photo[:8] }}",
        skip=dd.SkipConfig(when="{{ photo | length < 10 }}"),
    )
    made.add_column(name="after", column_type="expression", expr="{{ photo[:4] }} {{ short }}")
    made.add_processor(
        dd.SchemaTransformProcessorConfig(name="cut", template={"head": "{{ photo[:6] }}", "n": "{{ n }}"})
    )
    with endpoint(seer_of_text) as counted:
        preview = designer(counted.url, tmp_path).preview(made, num_records=2).dataset
        results = designer(counted.url, tmp_path).create(made, num_records=RECORDS, dataset_name="d")
    photos = pd.read_parquet(seeds)["photo"]
    frame = results.load_dataset()
    assert frame["size"].tolist() == photos.str.len().tolist()
    assert frame["after"].tolist() == [f"{photo[:4]} said {photo[:8]}" for photo in photos]
    assert preview is not None
    assert preview["photo"].tolist() == photos[:2].tolist()
    parts = sorted((tmp_path / "d" / "processors-files" / "cut").glob("*.parquet"))
    assert pd.concat(map(pd.read_parquet, parts))["head"].tolist() == [photo[:6] for photo in photos]


def seer_of_text(prompt: str) -> Reply:
    """An answer that repeats the prompt."""
    return Reply(f"said {prompt}")


def test_nothing_is_left_of_them(
    endpoint: Endpoint, tmp_path: Path, seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the dataset nor in the folder for temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with endpoint(seer) as counted:
        make(counted.url, tmp_path, seeds)
    gc.collect()
    assert not (tmp_path / "d" / "seed-cells").exists()
    assert not [*temporary.glob("data-designer-seed-*")]


def test_a_partial_batch_is_completed(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """A run that its budget ends writes some rows of a batch; the next one merges the others with these."""
    with endpoint(seer) as counted:
        make(counted.url, tmp_path, seeds, budget=dd.Budget(requests=13))
        frame = make(counted.url, tmp_path, seeds, "always").load_dataset()
    assert len(counted.prompts) == IDEAL
    assert_same(frame, seeds)


@pytest.mark.usefixtures("processes")
def test_what_is_killed_goes_on(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """The seed is read anew and is the same: no more requests are paid for again than there are slots."""
    holding = Holding(11)
    with endpoint(holding) as counted:
        program = started(begin, counted.url, tmp_path, seeds)
        assert holding.held.wait(LIMIT)
        program.kill()
        program.join()
        assert program.exitcode == -signal.SIGKILL
        holding.go_on.set()
    asked = len(counted.prompts)
    with endpoint(seer) as counted:
        frame = make(counted.url, tmp_path, seeds, "always").load_dataset()
    assert asked + len(counted.prompts) <= IDEAL + SLOTS
    assert_same(frame, seeds)


def test_a_plan_holds_no_row_of_a_frame() -> None:
    """It goes to every process; the columns of the frame are known without it, and whoever made it still has it."""
    frame = pd.DataFrame({"text": ["a" * 1000] * 1000})
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.with_seed_dataset(dd.DataFrameSeedSource(df=frame))
    made.add_column(name="size", column_type="expression", expr="{{ text | length }}")
    context = CompileContext({}, dd.RunConfig())
    prepared = prepare(check(made, context), context, Geometry(5, 5))
    assert len(pickle.dumps(prepared.plan.config)) < 10_000
    assert prepared.plan.output_columns == ("text", "size")
    assert prepared.seed_table is not None
    assert prepared.seed_table.num_rows == len(frame) == 1000
