"""Composite workflows: a chain of datasets, each seeded from the one before."""

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from data_designer.config.base import ProcessorConfig
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.folder_names import unusable
from data_designer.config.near_names import suggestion
from data_designer.config.resume_mode import ResumeMode
from data_designer.config.seed import IndexRange, PartitionBlock, SamplingStrategy
from data_designer.errors import DataDesignerWorkflowError

if TYPE_CHECKING:
    import pandas as pd

    from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
    from data_designer.interface.data_designer import DataDesigner
    from data_designer.interface.results import DatasetCreationResults

OnSuccess = Callable[[Path], "Path | str"]
FINAL = "final"
_OF_PROCESSOR = "processor:"


class SkippedStageStatus(StrEnum):
    """Why a stage did not run."""

    SKIPPED_EMPTY_UPSTREAM = "skipped_empty_upstream"
    """The stage before it made no records."""


@dataclass(frozen=True, slots=True)
class SkippedStageResult:
    """A stage that did not run because one before it came to nothing."""

    status: SkippedStageStatus
    """Why it did not run."""
    upstream_stage: str
    """Name of the stage that came to nothing."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One dataset of a workflow."""

    name: str
    builder: DataDesignerConfigBuilder
    num_records: int | None
    on_success: OnSuccess | None
    on_success_version: str | None
    output_processors: tuple[ProcessorConfig, ...]
    output: str
    allow_empty: bool
    sampling_strategy: SamplingStrategy
    selection_strategy: IndexRange | PartitionBlock | None

    @property
    def output_processor(self) -> str | None:
        """The processor whose rows the stage gives on; None where it is the dataset itself."""
        return self.output.removeprefix(_OF_PROCESSOR) if self.output != FINAL else None


class CompositeWorkflow:
    """A chain of datasets, each seeded from the one before; experimental.

    Args:
        name: that of its folder, below the `artifact_path` of the designer.
        data_designer: what makes its datasets, with its run settings.
    """

    def __init__(self, *, name: str, data_designer: "DataDesigner") -> None:
        _check_name("the workflow", name)
        self.name = name
        self._designer = data_designer
        self._stages: list[Stage] = []

    def add_stage(  # noqa: PLR0913 - the public API
        self,
        name: str,
        config_builder: DataDesignerConfigBuilder,
        *,
        num_records: int | None = None,
        on_success: OnSuccess | None = None,
        on_success_version: str | None = None,
        output_processors: Sequence[ProcessorConfig] | None = None,
        output: str = FINAL,
        allow_empty: bool = False,
        sampling_strategy: SamplingStrategy = SamplingStrategy.ORDERED,
        selection_strategy: IndexRange | PartitionBlock | None = None,
    ) -> Self:
        """Add a dataset, seeded from what the one before gives on.

        Args:
            name: unique; its folder is `stage-<number>-<name>`.
            config_builder: what to make; what is added to it later does not count. A seed of its own counts for the
                first stage only.
            num_records: how many; as many as the stage before gives on, unless told otherwise, and 10 for the first.
            on_success: is given the folder of the stage's dataset, and gives the path of a Parquet file, or a folder of
                them, that counts instead. Must be given a version to be reused.
            on_success_version: change it when `on_success` changes.
            output_processors: applied to the finished dataset, in a dataset of their own.
            output: `final`, or `processor:<name>` for the rows of a processor of the stage.
            allow_empty: let the stage come to nothing: all later ones are skipped then.
            sampling_strategy: the order in which the rows of the stage before are taken.
            selection_strategy: which of them.

        Raises:
            DataDesignerWorkflowError: it cannot be so.
        """
        _check_name("the stage", name)
        if name in (stage.name for stage in self._stages):
            raise DataDesignerWorkflowError(f"there are two stages named '{name}'; rename one")
        if not isinstance(config_builder, DataDesignerConfigBuilder):
            raise _wrong(name, "config_builder", "a DataDesignerConfigBuilder", config_builder)
        stage = Stage(
            name,
            config_builder.copy(),
            num_records,
            on_success,
            on_success_version,
            tuple(output_processors or ()),
            output,
            allow_empty,
            sampling_strategy,
            selection_strategy,
        )
        _check(stage)
        self._stages.append(stage)
        return self

    def run(
        self,
        *,
        resume: "ResumeMode | str" = ResumeMode.NEVER,
        targets: "str | Sequence[str] | set[str] | None" = None,
        rerun_from: str | None = None,
        stage_output_overrides: "Mapping[str, str | Path] | None" = None,
    ) -> "CompositeWorkflowResults":
        """Make the datasets up to the last of the targets, one after another.

        Args:
            resume: `never` deletes the folders of its stages and makes them anew; `if_possible` takes what is there as
                declared; `always` demands that.
            targets: names of stages; the last one when not given. Those before are always made.
            rerun_from: the stage from which on everything is made anew. Needs a resume mode.
            stage_output_overrides: name of a stage to a Parquet file, or a folder of them, that it gives on instead.

        Raises:
            DataDesignerWorkflowError: that cannot be done, or a stage came to nothing.
            DataDesignerGenerationError: a dataset could not be made.
        """
        from data_designer.interface.workflow_run import WorkflowRun, order_of

        order = order_of(self.name, self._stages, resume, targets, rerun_from, stage_output_overrides)
        return WorkflowRun(self.name, self._designer, order).results()


class CompositeWorkflowResults:
    """Results of a workflow's stages, by name. What is said of no stage is of the last one that was a target."""

    def __init__(
        self,
        *,
        name: str,
        stage_results: "Mapping[str, DatasetCreationResults | SkippedStageResult]",
        final_stage_name: str,
        stage_output_paths: Mapping[str, Path] | None = None,
    ) -> None:
        self.name = name
        self.stage_results = dict(stage_results)
        self.final_stage_name = final_stage_name
        self._outputs = dict(stage_output_paths or {})

    def __getitem__(self, stage_name: str) -> "DatasetCreationResults | SkippedStageResult":
        return self.stage_results[stage_name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.stage_results)

    def __len__(self) -> int:
        return len(self.stage_results)

    def keys(self) -> KeysView[str]:
        """Names of stages."""
        return self.stage_results.keys()

    def items(self) -> "ItemsView[str, DatasetCreationResults | SkippedStageResult]":
        """Names of stages with their results."""
        return self.stage_results.items()

    @property
    def final_result(self) -> "DatasetCreationResults | SkippedStageResult":
        """The results of the last stage."""
        return self[self.final_stage_name]

    def load_dataset(self) -> "pd.DataFrame":
        """What the last stage gives on."""
        return self.load_stage_output(self.final_stage_name)

    def load_analysis(self) -> "DatasetProfilerResults":
        """Statistics of the last stage's dataset."""
        return self._made(self.final_stage_name).load_analysis()

    def count_records(self) -> int:
        """How many rows the last stage gives on."""
        return self.count_stage_output_records(self.final_stage_name)

    def export(self, path: "str | Path", *, format: str | None = None) -> Path:  # noqa: A002 - the public name
        """Write what the last stage gives on into one file."""
        return self.export_stage(self.final_stage_name, path, format=format)

    def get_stage_output_path(self, stage_name: str) -> Path:
        """What a stage gives on: a Parquet file, or a folder of them.

        Raises:
            KeyError: there is no such stage.
            DataDesignerWorkflowError: it was skipped.
        """
        self._made(stage_name)
        return self._outputs[stage_name]

    def load_stage_output(self, stage_name: str) -> "pd.DataFrame":
        """What a stage gives on, as a DataFrame."""
        from data_designer.interface.loading import load

        return load(path.read_bytes() for path in parquet_files(self.get_stage_output_path(stage_name)))

    def count_stage_output_records(self, stage_name: str) -> int:
        """How many rows a stage gives on."""
        return count_rows(self.get_stage_output_path(stage_name))

    def export_stage(self, stage_name: str, path: "str | Path", *, format: str | None = None) -> Path:  # noqa: A002
        """Write what a stage gives on into one jsonl, csv or parquet file, and give its path."""
        from data_designer.interface.loading import export_files

        files = parquet_files(self.get_stage_output_path(stage_name))
        return export_files([file.read_bytes for file in files], Path(path), format)

    def push_to_hub(self, *args: Any, **kwargs: Any) -> str:
        """Push the last stage's dataset to the Hugging Face hub; see `DatasetCreationResults.push_to_hub`.

        Raises:
            DataDesignerWorkflowError: the stage gives on something else than its dataset.
        """
        made = self._made(self.final_stage_name)
        if self._outputs[self.final_stage_name] != made.artifact_storage.final_dataset_path:
            raise DataDesignerWorkflowError(
                f"stage '{self.final_stage_name}' gives on something else than its dataset, which cannot be pushed: "
                "export it, and push the file"
            )
        return made.push_to_hub(*args, **kwargs)

    def _made(self, stage_name: str) -> "DatasetCreationResults":
        found = self[stage_name]
        if isinstance(found, SkippedStageResult):
            raise DataDesignerWorkflowError(
                f"stage '{stage_name}' was skipped: '{found.upstream_stage}' gave nothing on"
            )
        return found


def parquet_files(output: Path) -> list[Path]:
    """The Parquet files of what a stage gives on, sorted by name."""
    return sorted(output.glob("*.parquet")) if output.is_dir() else [output]


def count_rows(output: Path) -> int:
    """How many rows there are in what a stage gives on."""
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(path).num_rows) for path in parquet_files(output))


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or name in ("", ".", "..") or (why := unusable(name)):
        why = why if isinstance(name, str) and name not in ("", ".", "..") else "is no name of a folder"
        raise DataDesignerWorkflowError(f"the name of {what}, {name!r}, {why}")


def _check(stage: Stage) -> None:
    number = stage.num_records
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise _wrong(stage.name, "num_records", "a positive integer", number)
    if not isinstance(stage.on_success_version, str | None):
        raise _wrong(stage.name, "on_success_version", "text", stage.on_success_version)
    if not isinstance(stage.allow_empty, bool):
        raise _wrong(stage.name, "allow_empty", "True or False", stage.allow_empty)
    if stage.on_success is not None and not callable(stage.on_success):
        raise _wrong(stage.name, "on_success", "a function", stage.on_success)
    if not isinstance(stage.sampling_strategy, SamplingStrategy):
        raise _wrong(stage.name, "sampling_strategy", "a SamplingStrategy", stage.sampling_strategy)
    if not isinstance(stage.selection_strategy, IndexRange | PartitionBlock | None):
        raise _wrong(stage.name, "selection_strategy", "an IndexRange or a PartitionBlock", stage.selection_strategy)
    for processor in stage.output_processors:
        if not isinstance(processor, ProcessorConfig):
            raise _wrong(stage.name, "output_processors", "a list of processors", processor)
    own = [processor.name for processor in stage.builder.get_processor_configs()]
    names = [*own, *(processor.name for processor in stage.output_processors)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataDesignerWorkflowError(f"stage '{stage.name}' has two processors named {', '.join(twice)}")
    _check_output(stage, names)


def _check_output(stage: Stage, names: Sequence[str]) -> None:
    if stage.output == FINAL:
        return
    if not isinstance(stage.output, str) or not stage.output.startswith(_OF_PROCESSOR):
        raise _wrong(stage.name, "output", "'final' or 'processor:<name>'", stage.output)
    name = stage.output_processor or ""
    if name not in names:
        raise DataDesignerWorkflowError(
            f"stage '{stage.name}' gives on the rows of processor '{name}', which it does not have"
            f"{suggestion(name, names)}"
        )


def _wrong(stage: str, what: str, wanted: str, given: object) -> DataDesignerWorkflowError:
    return DataDesignerWorkflowError(f"stage '{stage}': {what} must be {wanted}, not {given!r}")
