"""Composite workflows: what each stage is seeded from, what is made again, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import data_designer.config as dd
from data_designer.errors import DataDesignerGenerationError, DataDesignerWorkflowError
from data_designer.interface import (
    CompositeWorkflow,
    CompositeWorkflowResults,
    DataDesigner,
    DatasetCreationResults,
    SkippedStageResult,
    WorkflowMetadata,
    validate_workflow_stage_metadata,
)


def expression(name: str, expr: str) -> dd.DataDesignerConfigBuilder:
    """A builder of one expression."""
    return dd.DataDesignerConfigBuilder().add_column(name=name, column_type="expression", expr=expr)


def pages(number: int = 4) -> dd.DataDesignerConfigBuilder:
    """Numbered pages, of which every second is good."""
    builder = expression("good", "{{ n % 2 == 0 }}")
    return builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": range(number)})))


class Chain:
    """A workflow in a folder, run as often as wanted."""

    def __init__(self, path: Path) -> None:
        """Begin anew."""
        self.path = path / "flow"
        self.designer = DataDesigner(path, auto_configure_logging=False)
        self.designer.set_run_config(dd.RunConfig(executor="inline", seed=1, otel_metrics_port=None))
        self.ran: list[str] = []

    def workflow(self, said: str = "page {{ n }}", **options: Any) -> CompositeWorkflow:
        """Pages, what is said of them, and that in capitals."""
        flow = self.designer.compose_workflow(name="flow")
        flow.add_stage("pages", pages(), num_records=4)
        flow.add_stage("said", expression("text", said), **options)
        return flow.add_stage("loud", expression("shout", "{{ text | upper }}"))

    def run(self, flow: CompositeWorkflow, **how: Any) -> CompositeWorkflowResults:
        """Run it, noting the stages that are made."""
        before = {str(path): path.stat().st_mtime_ns for path in self.path.glob("stage-*/parquet-files/*")}
        results = flow.run(**how)
        after = {str(path): path.stat().st_mtime_ns for path in self.path.glob("stage-*/parquet-files/*")}
        changed = {path for path, at in after.items() if before.get(path) != at}
        self.ran = sorted({Path(path).parent.parent.name.split("-", 2)[2] for path in changed})
        return results

    def metadata(self) -> WorkflowMetadata:
        """What is written down."""
        return WorkflowMetadata.model_validate_json((self.path / "workflow-metadata.json").read_bytes())


@pytest.fixture
def chain(sockets: None, tmp_path: Path) -> Chain:
    """A chain in the test's folder."""
    return Chain(tmp_path)


def test_each_stage_is_seeded_from_the_one_before(chain: Chain, tmp_path: Path) -> None:
    """With as many records, unless told otherwise; results are those of the last."""
    results = chain.run(chain.workflow())
    assert [*results] == [*results.keys()] == ["pages", "said", "loud"]
    assert results.load_dataset()["shout"].tolist() == [f"PAGE {n}" for n in range(4)]
    assert results.count_records() == results.count_stage_output_records("pages") == 4
    assert results.load_stage_output("said")["n"].tolist() == [0, 1, 2, 3]
    final = results.final_result
    assert isinstance(final, DatasetCreationResults)
    assert final is results["loud"]
    assert final.artifact_storage.base_dataset_path == chain.path / "stage-2-loud"
    assert results.load_analysis().num_records == 4
    assert (final.dataset_path, final.is_partial) == (chain.path / "stage-2-loud", False)
    assert (final.requested_num_records, final.actual_num_records) == (4, 4)
    assert final.effective_resume_mode == final.requested_resume_mode == "never"
    for form in ("jsonl", "csv", "parquet"):
        path = results.export(tmp_path / f"out.{form}")
        assert path.is_file()
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["shout"] == "PAGE 1"
    assert results.export_stage("pages", tmp_path / "pages.csv").read_text().startswith("n,good")
    assert [stage.status for stage in chain.metadata().stages] == ["completed"] * 3


def test_rows_of_the_stage_before_are_selected(chain: Chain) -> None:
    """In another order, or some; a seed of its own is left out."""
    flow = chain.designer.compose_workflow(name="flow").add_stage("pages", pages(), num_records=4)
    own = expression("text", "{{ n }}").with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"other": [1]})))
    flow.add_stage("some", own, num_records=2, selection_strategy=dd.IndexRange(start=2, end=3))
    assert chain.run(flow).load_dataset()["n"].tolist() == [2, 3]


def test_what_is_there_as_declared_is_taken(chain: Chain) -> None:
    """What has changed is made anew, and all that follows from it."""
    chain.run(chain.workflow())
    chain.run(chain.workflow(), resume="if_possible")
    assert chain.ran == []
    results = chain.run(chain.workflow("leaf {{ n }}"), resume="if_possible")
    assert chain.ran == ["loud", "said"]
    assert results.load_dataset()["shout"].tolist()[0] == "LEAF 0"
    chain.run(chain.workflow("leaf {{ n }}"), resume="always")
    assert chain.ran == []
    with pytest.raises(DataDesignerWorkflowError, match="stage 'said' is not there as declared"):
        chain.run(chain.workflow("other {{ n }}"), resume="always")
    chain.run(chain.workflow("leaf {{ n }}"), resume="always", rerun_from="said")
    assert chain.ran == ["loud", "said"]
    chain.run(chain.workflow("leaf {{ n }}"))
    assert chain.ran == ["loud", "pages", "said"]


def test_a_stage_may_be_looked_over_before_the_next(chain: Chain, tmp_path: Path) -> None:
    """The workflow goes on from what came of that."""
    results = chain.run(chain.workflow(), targets="pages")
    assert [*results] == ["pages"]
    path = results.export_stage("pages", tmp_path / "reviewed.parquet")
    frame = pd.read_parquet(path)
    frame[frame["good"] == "True"].to_parquet(path)
    results = chain.run(chain.workflow(), resume=dd.ResumeMode.IF_POSSIBLE, stage_output_overrides={"pages": path})
    assert chain.ran == ["loud", "said"]
    assert results.load_dataset()["shout"].tolist() == ["PAGE 0", "PAGE 2"]
    assert results.get_stage_output_path("pages") == path
    assert results.count_stage_output_records("pages") == 2
    with pytest.raises(DataDesignerWorkflowError, match="something else than its dataset"):
        chain.run(chain.workflow(), targets="pages", stage_output_overrides={"pages": path}).push_to_hub("a/b", "")


def test_a_stage_may_give_on_what_a_processor_makes(chain: Chain) -> None:
    """One of its own, or one of those that come after it is finished."""
    said = expression("text", "page {{ n }}")
    said.add_processor(dd.SchemaTransformProcessorConfig(name="form", template={"line": "{{ text }}!"}))
    flow = chain.designer.compose_workflow(name="flow").add_stage("pages", pages(), num_records=4)
    flow.add_stage("said", said, output="processor:form")
    flow.add_stage("loud", expression("shout", "{{ line | upper }}"))
    assert chain.run(flow).load_dataset()["shout"].tolist()[3] == "PAGE 3!"

    flow = chain.designer.compose_workflow(name="flow")
    flow.add_stage(
        "pages",
        pages(),
        num_records=4,
        output_processors=[dd.DropColumnsProcessorConfig(name="drop", column_names=["good"])],
    )
    flow.add_stage("said", expression("text", "page {{ n }}"))
    results = chain.run(flow)
    assert list(results.load_stage_output("pages")) == ["n"]
    assert list(results.load_dataset()) == ["n", "text"]
    chain.run(flow, resume="if_possible")
    assert chain.ran == []


def test_a_function_may_say_what_a_stage_gives_on(chain: Chain, tmp_path: Path) -> None:
    """It is given the stage's folder; without a version it is called again each time."""
    calls: list[Path] = []

    def keep_two(folder: Path) -> Path:
        calls.append(folder)
        pd.read_parquet(folder / "parquet-files").head(2).to_parquet(tmp_path / "two.parquet")
        return tmp_path / "two.parquet"

    flow = chain.workflow(on_success=keep_two, on_success_version="1")
    assert chain.run(flow).count_records() == 2
    assert calls == [chain.path / "stage-1-said"]
    chain.run(flow, resume="if_possible")
    assert len(calls) == 1
    chain.run(chain.workflow(on_success=keep_two), resume="if_possible")
    assert len(calls) == 2
    with pytest.raises(DataDesignerWorkflowError, match="gave None; it gives a path"):
        chain.run(chain.workflow(on_success=lambda _: None))
    assert [stage.status for stage in chain.metadata().stages][1] == "failed"


def test_nothing_may_end_a_workflow(chain: Chain, tmp_path: Path) -> None:
    """Where that is allowed, later stages are skipped; else it is an error."""

    def nothing(folder: Path) -> str:
        pd.read_parquet(folder / "parquet-files").head(0).to_parquet(tmp_path / "none.parquet")
        return str(tmp_path / "none.parquet")

    with pytest.raises(DataDesignerWorkflowError, match="stage 'said' gives nothing on"):
        chain.run(chain.workflow(on_success=nothing))
    results = chain.run(chain.workflow(on_success=nothing, allow_empty=True))
    assert isinstance(results.final_result, SkippedStageResult)
    assert results.final_result.upstream_stage == "said"
    assert [stage.status for stage in chain.metadata().stages] == [
        *("completed", "completed_empty", "skipped_empty_upstream")
    ]
    with pytest.raises(DataDesignerWorkflowError, match="was skipped: 'said' gave nothing on"):
        results.load_dataset()


def test_a_stage_that_failed_goes_on(chain: Chain) -> None:
    """What was made of it stays; its failure is written down."""
    with pytest.raises(DataDesignerGenerationError):
        chain.run(chain.workflow("{{ nobody }}"))
    assert [stage.status for stage in chain.metadata().stages] == ["completed", "failed"]
    chain.run(chain.workflow(), resume="if_possible")
    assert chain.ran == ["loud", "said"]


def test_a_builder_that_changes_later_changes_no_stage(chain: Chain) -> None:
    """It was copied when the stage was added."""
    builder = pages()
    flow = chain.designer.compose_workflow(name="flow").add_stage("pages", builder, num_records=4)
    builder.add_column(name="late", column_type="expression", expr="1")
    assert list(chain.run(flow).load_dataset()) == ["n", "good"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": ".."}, "the name of the stage, '..'"),
        ({"name": "a/b"}, "the name of the stage, 'a/b'"),
        ({"name": "first"}, "two stages named 'first'"),
        ({"num_records": 0}, "num_records must be a positive integer"),
        ({"num_records": True}, "num_records must be a positive integer"),
        ({"output": "processor:x"}, "processor 'x', which it does not have"),
        ({"output": "last"}, "output must be 'final' or"),
        ({"allow_empty": 1}, "allow_empty must be True or False"),
        ({"on_success": "x"}, "on_success must be a function"),
        ({"on_success_version": 1}, "on_success_version must be text"),
        ({"sampling_strategy": "shuffle"}, "sampling_strategy must be a SamplingStrategy"),
        ({"selection_strategy": 3}, "selection_strategy must be an IndexRange"),
        ({"output_processors": ["x"]}, "output_processors must be a list of processors"),
        ({"config_builder": {}}, "config_builder must be a DataDesignerConfigBuilder"),
    ],
)
def test_stages_that_cannot_be_are_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """When they are added, with the stage and what is wrong."""
    flow = DataDesigner(tmp_path, auto_configure_logging=False).compose_workflow(name="flow")
    flow.add_stage("first", pages())
    with pytest.raises(DataDesignerWorkflowError, match=words):
        flow.add_stage(**{"name": "second", "config_builder": pages(), **options})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"targets": "nobody"}, "there is no stage 'nobody'"),
        ({"targets": []}, "there are no targets"),
        ({"resume": "sometimes"}, "resume must be one of"),
        ({"resume": "always"}, "no workflow in .* to resume"),
        ({"rerun_from": "said"}, "rerun_from needs resume='if_possible'"),
        ({"targets": "pages", "rerun_from": "said", "resume": "if_possible"}, "'said' is beyond the last target"),
        ({"stage_output_overrides": {"pages": "/nowhere"}}, "no Parquet file, nor a folder"),
    ],
)
def test_runs_that_cannot_be_are_refused(chain: Chain, how: dict[str, Any], words: str) -> None:
    """Before anything is made."""
    with pytest.raises(DataDesignerWorkflowError, match=words):
        chain.run(chain.workflow(), **how)
    assert not [*chain.path.glob("stage-*")]


def test_a_workflow_without_stages_and_damaged_metadata(chain: Chain) -> None:
    """The first is refused; the second is begun anew where that is allowed."""
    with pytest.raises(DataDesignerWorkflowError, match="has no stages"):
        chain.designer.compose_workflow(name="flow").run()
    chain.run(chain.workflow())
    (chain.path / "workflow-metadata.json").write_text("{")
    with pytest.raises(DataDesignerWorkflowError, match="cannot be read"):
        chain.run(chain.workflow(), resume="always")
    chain.run(chain.workflow(), resume="if_possible")
    assert chain.ran == ["loud", "pages", "said"]
    with pytest.raises(DataDesignerWorkflowError, match="not in object storage"):
        DataDesigner("s3://bucket/x", auto_configure_logging=False).compose_workflow(name="f").add_stage(
            "a", pages()
        ).run()


def test_metadata_of_stages_are_told_apart_by_their_status(chain: Chain) -> None:
    """And what others wrote into them is kept."""
    chain.run(chain.workflow(), targets="pages")
    stage = json.loads((chain.path / "workflow-metadata.json").read_text())["stages"][0]
    found = validate_workflow_stage_metadata({**stage, "note": "mine"})
    assert type(found).__name__ == "CompletedWorkflowStageMetadata"
    assert found.model_dump()["note"] == "mine"
    assert stage["stage_dir"] == "stage-0-pages"
    assert stage["output_seed_path"] == "stage-0-pages/parquet-files"
