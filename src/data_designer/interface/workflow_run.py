"""Runs a composite workflow: which stages are made, which are taken as they are, and what each gives on."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.near_names import suggestion
from data_designer.config.resume_mode import ResumeMode
from data_designer.config.seed_source import LocalFileSeedSource
from data_designer.config.version import get_library_version
from data_designer.errors import ArtifactStorageError, DataDesignerWorkflowError
from data_designer.interface.composite_workflow import (
    CompositeWorkflowResults,
    SkippedStageResult,
    SkippedStageStatus,
    Stage,
    count_rows,
    parquet_files,
)
from data_designer.interface.workflow_metadata import (
    CompletedWorkflowStageMetadata,
    RunningWorkflowStageMetadata,
    SkippedWorkflowStageMetadata,
    WorkflowMetadata,
    WorkflowStageMetadata,
    validate_workflow_stage_metadata,
)

if TYPE_CHECKING:
    from data_designer.interface.data_designer import DataDesigner
    from data_designer.interface.results import DatasetCreationResults

logger = logging.getLogger(__name__)

METADATA = "workflow-metadata.json"
PROCESSED = "output-processors"
_FIRST = 10
"""Records of a first stage of which nothing is said."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a run of a workflow is asked for."""

    stages: tuple[Stage, ...]
    """Up to the last target."""
    resume: ResumeMode
    rerun_from: int | None
    overrides: Mapping[str, Path]


def order_of(
    workflow: str,
    stages: Sequence[Stage],
    resume: "ResumeMode | str",
    targets: "str | Sequence[str] | set[str] | None",
    rerun_from: str | None,
    overrides: "Mapping[str, str | Path] | None",
) -> Order:
    """What is asked for, checked. Raises DataDesignerWorkflowError where it cannot be done."""
    if not stages:
        raise DataDesignerWorkflowError(f"workflow '{workflow}' has no stages; add some by add_stage")
    names = [stage.name for stage in stages]
    wanted = [names[-1]] if targets is None else [targets] if isinstance(targets, str) else list(targets)
    if not wanted:
        raise DataDesignerWorkflowError("there are no targets; leave them out for the last stage")
    for name in [*wanted, *([] if rerun_from is None else [rerun_from]), *(overrides or {})]:
        if name not in names:
            raise DataDesignerWorkflowError(f"there is no stage '{name}'{suggestion(name, names)}")
    try:
        mode = ResumeMode(resume)
    except ValueError as error:
        raise DataDesignerWorkflowError(f"resume must be one of {', '.join(ResumeMode)}; not {resume!r}") from error
    if rerun_from is not None and mode is ResumeMode.NEVER:
        raise DataDesignerWorkflowError(
            "rerun_from needs resume='if_possible' or 'always': without it all is made anew"
        )
    last = max(names.index(name) for name in wanted)
    beyond = [name for name in [rerun_from, *(overrides or {})] if name is not None and names.index(name) > last]
    if beyond:
        raise DataDesignerWorkflowError(f"stage '{beyond[0]}' is beyond the last target, '{names[last]}'")
    given = {name: Path(path).expanduser().absolute() for name, path in (overrides or {}).items()}
    for name, path in given.items():
        if not any(file.is_file() for file in parquet_files(path)):
            raise DataDesignerWorkflowError(
                f"the override of stage '{name}' is no Parquet file, nor a folder of them: {path}"
            )
    rerun = None if rerun_from is None else names.index(rerun_from)
    return Order(tuple(stages[: last + 1]), mode, rerun, given)


@dataclass(slots=True)
class _Upstream:
    """What the stage before gives on."""

    stage: str
    output: Path
    records: int
    fingerprint: str


@dataclass(slots=True)
class _Progress:
    """What there is of a run so far."""

    records: list[WorkflowStageMetadata] = field(default_factory=list)
    results: "dict[str, DatasetCreationResults | SkippedStageResult]" = field(default_factory=dict)
    outputs: dict[str, Path] = field(default_factory=dict)
    upstream: _Upstream | None = None
    forced: bool = False
    """Whether everything from here on is made anew, because something before has changed."""


class WorkflowRun:
    """One run of a workflow."""

    def __init__(self, workflow: str, designer: "DataDesigner", order: Order) -> None:
        root = designer.artifact_path
        if not isinstance(root, Path):
            raise DataDesignerWorkflowError("workflows need an artifact_path on a file system, not in object storage")
        self._name = workflow
        self._designer = designer
        self._order = order
        self._folder = root / workflow
        self._done = _Progress()
        self._before: list[WorkflowStageMetadata] = []

    def results(self) -> CompositeWorkflowResults:
        """Make what is to be made, and give all of it."""
        self._before = self._earlier()
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._order.resume is ResumeMode.NEVER:
            for folder in self._folder.glob("stage-*"):
                shutil.rmtree(folder)
        for index, stage in enumerate(self._order.stages):
            upstream = self._done.upstream
            if upstream is not None and not upstream.records:
                self._skip(index, stage, upstream)
            else:
                self._stage(index, stage)
        final = self._order.stages[-1].name
        return CompositeWorkflowResults(
            name=self._name,
            stage_results=self._done.results,
            final_stage_name=final,
            stage_output_paths=self._done.outputs,
        )

    # --- stages ------------------------------------------------------------------------------------------

    def _skip(self, index: int, stage: Stage, upstream: _Upstream) -> None:
        status = SkippedStageStatus.SKIPPED_EMPTY_UPSTREAM
        self._done.results[stage.name] = SkippedStageResult(status, upstream.stage)
        skipped = {**self._declared(index, stage), "status": status.value, "upstream_stage": upstream.stage}
        self._write(SkippedWorkflowStageMetadata.model_validate(skipped))

    def _stage(self, index: int, stage: Stage) -> None:
        if index == self._order.rerun_from:
            self._done.forced = True
        builder = self._builder(stage)
        number = stage.num_records or (_FIRST if self._done.upstream is None else self._done.upstream.records)
        print_ = self._fingerprint(stage, builder, number)
        before = self._before[index] if index < len(self._before) else None
        if self._is_reusable(stage, before, print_):
            assert isinstance(before, CompletedWorkflowStageMetadata)
            self._reuse(stage, before, print_)
            return
        resume = self._how(index, stage, before, print_)
        self._make(index, stage, builder, number, print_, resume)
        self._done.forced = True

    def _is_reusable(self, stage: Stage, before: WorkflowStageMetadata | None, print_: str) -> bool:
        if self._done.forced or self._order.resume is ResumeMode.NEVER:
            return False
        if not isinstance(before, CompletedWorkflowStageMetadata) or before.fingerprint != print_:
            return False
        if stage.on_success is not None and stage.on_success_version is None:
            return False
        return any(file.is_file() for file in parquet_files(self._place(before.output_seed_path)))

    def _how(self, index: int, stage: Stage, before: WorkflowStageMetadata | None, print_: str) -> ResumeMode:
        """Whether a stage that cannot be taken as it is goes on, or is made anew."""
        folder = self._folder_of(index, stage)
        cut_off = before is not None and before.status in ("running", "failed")
        same = cut_off and getattr(before, "fingerprint", None) == print_
        if same and not self._done.forced and self._order.resume is not ResumeMode.NEVER and folder.is_dir():
            return ResumeMode.ALWAYS
        if self._order.resume is ResumeMode.ALWAYS and not self._done.forced:
            raise DataDesignerWorkflowError(
                f"stage '{stage.name}' is not there as declared, so it cannot be resumed; take resume='if_possible', "
                "or rerun_from"
            )
        if folder.is_dir():
            shutil.rmtree(folder)
        return ResumeMode.NEVER

    def _reuse(self, stage: Stage, before: CompletedWorkflowStageMetadata, print_: str) -> None:
        logger.info("stage=%s is taken as it is", stage.name)
        own = before.output_processor_output_path
        folder = self._place(own if own is not None else before.stage_dir)
        made = self._designer.open(folder)
        output = self._place(before.output_seed_path)
        override = self._order.overrides.get(stage.name)
        if override is not None:
            before = before.model_copy(update={"stage_output_override_path": self._said(override)})
            output = override
            self._done.forced = True
        self._finish(stage, before, made, output, print_)

    def _make(
        self,
        index: int,
        stage: Stage,
        builder: DataDesignerConfigBuilder,
        number: int,
        print_: str,
        resume: ResumeMode,
    ) -> None:
        upstream, began = self._done.upstream, time.monotonic()
        started = {
            **self._declared(index, stage),
            "fingerprint": print_,
            "num_records_requested": number,
            "seeded_from_stage": None if upstream is None else upstream.stage,
            "seed_path": None if upstream is None else self._said(upstream.output),
            "config": builder.build().to_dict(),
        }
        running = RunningWorkflowStageMetadata.model_validate({**started, "status": "running"})
        self._write(running)
        try:
            made, output, further = self._made(index, stage, builder, number, resume)
            records = _counted(stage, output)
        except BaseException:
            failed = {**started, "status": "failed", "duration_sec": time.monotonic() - began}
            self._done.records[-1] = validate_workflow_stage_metadata(failed)
            self._save()
            raise
        completed = {
            **started,
            **further,
            "status": "completed" if records else "completed_empty",
            "num_records_actual": made.count_records(),
            "output_records": records,
            "output_seed_path": self._said(output),
            "duration_sec": time.monotonic() - began,
        }
        self._done.records.pop()
        self._finish(stage, CompletedWorkflowStageMetadata.model_validate(completed), made, output, print_)

    def _made(
        self, index: int, stage: Stage, builder: DataDesignerConfigBuilder, number: int, resume: ResumeMode
    ) -> "tuple[DatasetCreationResults, Path, dict[str, str | None]]":
        """The results of a stage, what it gives on, and what is written down of that."""
        folder = self._folder_of(index, stage)
        made = self._designer.create(
            builder, num_records=number, dataset_name=folder.name, artifact_path=self._folder, resume=resume
        )
        shown, processed = made, None
        if stage.output_processors:
            shown = self._processed(stage, made, folder)
            processed = self._said(folder / PROCESSED)
        output = _output_of(stage, made, shown)
        called = None
        if stage.on_success is not None:
            output = _called(stage, folder)
            called = self._said(output)
        override = self._order.overrides.get(stage.name)
        further = {
            "callback_output_path": called,
            "stage_output_override_path": None if override is None else self._said(override),
            "output_processor_output_path": processed,
        }
        return shown, override or output, further

    def _processed(self, stage: Stage, made: "DatasetCreationResults", folder: Path) -> "DatasetCreationResults":
        """A dataset of the stage's rows, as its output processors leave them."""
        if (folder / PROCESSED).is_dir():
            shutil.rmtree(folder / PROCESSED)
        builder = DataDesignerConfigBuilder(stage.builder.model_configs, stage.builder.tool_configs)
        builder.with_seed_dataset(LocalFileSeedSource(path=f"{made.artifact_storage.final_dataset_path}/*.parquet"))
        for processor in stage.output_processors:
            builder.add_processor(processor)
        return self._designer.create(
            builder, num_records=made.count_records(), dataset_name=PROCESSED, artifact_path=folder
        )

    def _finish(
        self,
        stage: Stage,
        record: CompletedWorkflowStageMetadata,
        made: "DatasetCreationResults",
        output: Path,
        print_: str,
    ) -> None:
        records = _counted(stage, output)
        status = "completed" if records else "completed_empty"
        self._write(record.model_copy(update={"status": status, "output_records": records}))
        self._done.results[stage.name] = made
        self._done.outputs[stage.name] = output
        self._done.upstream = _Upstream(stage.name, output, records, print_)

    # --- what a stage is ---------------------------------------------------------------------------------

    def _builder(self, stage: Stage) -> DataDesignerConfigBuilder:
        builder, upstream = stage.builder.copy(), self._done.upstream
        if upstream is None:
            return builder
        if builder.get_seed_config() is not None:
            logger.warning("stage=%s is seeded from the stage before; its own seed is left out", stage.name)
        path = upstream.output
        source = LocalFileSeedSource(path=f"{path}/*.parquet" if path.is_dir() else str(path))
        return builder.with_seed_dataset(
            source, sampling_strategy=stage.sampling_strategy, selection_strategy=stage.selection_strategy
        )

    def _fingerprint(self, stage: Stage, builder: DataDesignerConfigBuilder, number: int) -> str:
        """A digest of everything that decides what a stage comes to, but for overrides."""
        upstream = self._done.upstream
        config = builder.build()
        if upstream is not None:
            # Where the rows come from is told by what made them.
            config = config.model_copy(update={"seed_config": None})
        told = [
            config.fingerprint()["config_hash"],
            number,
            stage.sampling_strategy.value,
            _dumped(stage.selection_strategy),
            stage.allow_empty,
            stage.on_success_version,
            [_dumped(processor) for processor in stage.output_processors],
            stage.output,
            get_library_version(),
            None if upstream is None else upstream.fingerprint,
        ]
        return "sha256:" + hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _declared(self, index: int, stage: Stage) -> dict[str, Any]:
        return {
            "index": index,
            "name": stage.name,
            "stage_dir": self._folder_of(index, stage).name,
            "depends_on": [] if index == 0 else [self._order.stages[index - 1].name],
            "allow_empty": stage.allow_empty,
            "on_success_version": stage.on_success_version,
            "output_processors": [_dumped(processor) for processor in stage.output_processors],
            "output": stage.output,
            "sampling_strategy": stage.sampling_strategy.value,
            "selection_strategy": _dumped(stage.selection_strategy),
        }

    def _folder_of(self, index: int, stage: Stage) -> Path:
        return self._folder / f"stage-{index}-{stage.name}"

    # --- what is written down ----------------------------------------------------------------------------

    def _earlier(self) -> list[WorkflowStageMetadata]:
        """The stages that an earlier run wrote down, as far as they are those of this one."""
        path, mode = self._folder / METADATA, self._order.resume
        if mode is ResumeMode.NEVER:
            return []
        try:
            found = _read(path, self._name)
        except FileNotFoundError as error:
            if mode is ResumeMode.ALWAYS:
                raise DataDesignerWorkflowError(f"there is no workflow in {self._folder} to resume") from error
            return []
        except (OSError, ValueError, ValidationError) as error:
            if mode is ResumeMode.ALWAYS:
                raise DataDesignerWorkflowError(f"{path} cannot be read: {error}; take resume='if_possible'") from error
            logger.warning("workflow=%s is made anew: %s cannot be read: %s", self._name, path, error)
            return []
        same: list[WorkflowStageMetadata] = []
        for record, stage in zip(found.stages, self._order.stages, strict=False):
            if record.name != stage.name:
                break
            same.append(record)
        return same

    def _write(self, record: WorkflowStageMetadata) -> None:
        self._done.records.append(record)
        self._save()

    def _save(self) -> None:
        kept = self._before[len(self._done.records) :]
        whole = WorkflowMetadata(
            name=self._name, library_version=get_library_version(), stages=[*self._done.records, *kept]
        )
        path = self._folder / METADATA
        try:
            unfinished = path.with_suffix(".tmp")
            unfinished.write_text(whole.model_dump_json(indent=2), encoding="utf-8")
            os.replace(unfinished, path)  # noqa: PTH105 - it replaces on every system
        except OSError as error:
            raise ArtifactStorageError(f"{path} cannot be written: {error}") from error

    def _said(self, path: "str | Path") -> str:
        """A path as it is written down: from the workflow's folder, where it is below it."""
        place = Path(path)
        return str(place.relative_to(self._folder)) if place.is_relative_to(self._folder) else str(place)

    def _place(self, said: str) -> Path:
        return self._folder / said


def _read(path: Path, workflow: str) -> WorkflowMetadata:
    found = WorkflowMetadata.model_validate_json(path.read_bytes())
    if found.name != workflow:
        raise ValueError(f"it is of workflow '{found.name}'")
    return found


def _output_of(stage: Stage, made: "DatasetCreationResults", shown: "DatasetCreationResults") -> Path:
    """What a stage gives on, by its `output`."""
    name = stage.output_processor
    if name is None:
        return Path(shown.artifact_storage.final_dataset_path)
    of = shown if name in (processor.name for processor in stage.output_processors) else made
    return Path(of.get_path_to_processor_artifacts(name))


def _counted(stage: Stage, output: Path) -> int:
    """How many rows a stage gives on. Raises DataDesignerWorkflowError where there are none, and have to be."""
    records = count_rows(output)
    if not records and not stage.allow_empty:
        raise DataDesignerWorkflowError(
            f"stage '{stage.name}' gives nothing on; allow_empty=True lets the workflow end there"
        )
    return records


def _called(stage: Stage, folder: Path) -> Path:
    assert stage.on_success is not None
    given = stage.on_success(folder)
    if not isinstance(given, str | os.PathLike):
        raise DataDesignerWorkflowError(f"on_success of stage '{stage.name}' gave {given!r}; it gives a path")
    path = Path(given).expanduser().absolute()
    if not any(file.is_file() for file in parquet_files(path)):
        raise DataDesignerWorkflowError(
            f"on_success of stage '{stage.name}' gave {path}, which is no Parquet file, nor a folder of them"
        )
    return path


def _dumped(value: BaseModel | None) -> dict[str, Any] | None:
    return None if value is None else value.model_dump(mode="json")
