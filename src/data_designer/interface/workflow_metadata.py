"""What is written down of a workflow beside its stages: `workflow-metadata.json`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Stage(BaseModel):
    """What is declared of a stage."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    index: int
    """Its number, from 0."""
    name: str
    """Its name."""
    stage_dir: str
    """Its folder, from that of the workflow, as every path here that is below it."""
    depends_on: list[str]
    """The stage before it; none of the first."""
    allow_empty: bool
    """Whether it may come to nothing."""
    on_success_version: str | None
    """Version of the function that made something else of its dataset."""
    output_processors: list[dict[str, Any]]
    """Processors of the finished dataset, as declared."""
    output: str
    """`final`, or `processor:<name>`: what it gives on."""
    sampling_strategy: str
    """In which order the rows of the stage before are taken."""
    selection_strategy: dict[str, Any] | None
    """Which of them."""


class _StartedStage(_Stage):
    fingerprint: str
    """Digest of all that decides what it makes."""
    num_records_requested: int
    """Records that were asked for."""
    seeded_from_stage: str | None
    """The stage that gave its seed; None of the first."""
    seed_path: str | None
    """Where its seed is."""
    config: dict[str, Any]
    """Its configuration."""


class RunningWorkflowStageMetadata(_StartedStage):
    """A stage that is being made, or whose making was cut off."""

    status: Literal["running"]
    """How far it is."""


class FailedWorkflowStageMetadata(_StartedStage):
    """A stage that could not be made."""

    status: Literal["failed"]
    """How far it is."""
    duration_sec: float | None = None
    """Seconds that it took."""


class CompletedWorkflowStageMetadata(_StartedStage):
    """A stage that is made."""

    status: Literal["completed", "completed_empty"]
    """How far it is; `completed_empty` where it has no records."""
    num_records_actual: int
    """Records that it made."""
    output_records: int
    """Rows that it gives on."""
    output_seed_path: str
    """What the next stage is seeded from: a Parquet file, or a folder of them."""
    callback_output_path: str | None
    """What `on_success` gave, if it was called."""
    stage_output_override_path: str | None = None
    """What was given instead of its output, if anything was."""
    output_processor_output_path: str | None
    """What its output processors made, if it has any."""
    duration_sec: float
    """Seconds that it took."""


class SkippedWorkflowStageMetadata(_Stage):
    """A stage that was not made, because one before it came to nothing."""

    status: Literal["skipped_empty_upstream"]
    """Why it was not made."""
    upstream_stage: str
    """Name of the stage that came to nothing."""


WorkflowStageMetadata = Annotated[
    RunningWorkflowStageMetadata
    | FailedWorkflowStageMetadata
    | CompletedWorkflowStageMetadata
    | SkippedWorkflowStageMetadata,
    Field(discriminator="status"),
]


class WorkflowMetadata(BaseModel):
    """All stages of a workflow, as far as they were come to."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    name: str
    """Its name."""
    library_version: str
    """Version of this library that wrote it."""
    stages: list[WorkflowStageMetadata]
    """Its stages, in order."""


def validate_workflow_stage_metadata(value: Mapping[str, object]) -> WorkflowStageMetadata:
    """A stage's metadata by its `status`. Raises pydantic.ValidationError where they are none."""
    adapter: TypeAdapter[WorkflowStageMetadata] = TypeAdapter(WorkflowStageMetadata)
    return adapter.validate_python(value)
