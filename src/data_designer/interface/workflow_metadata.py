"""What is written down of a workflow beside its stages: `workflow-metadata.json`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Stage(BaseModel):
    """What is declared of a stage."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    index: int
    name: str
    stage_dir: str
    """Its folder, from that of the workflow, as every path here that is below it."""
    depends_on: list[str]
    allow_empty: bool
    on_success_version: str | None
    output_processors: list[dict[str, Any]]
    output: str
    sampling_strategy: str
    selection_strategy: dict[str, Any] | None


class _StartedStage(_Stage):
    fingerprint: str
    num_records_requested: int
    seeded_from_stage: str | None
    seed_path: str | None
    config: dict[str, Any]


class RunningWorkflowStageMetadata(_StartedStage):
    """A stage that is being made, or whose making was cut off."""

    status: Literal["running"]


class FailedWorkflowStageMetadata(_StartedStage):
    """A stage that could not be made."""

    status: Literal["failed"]
    duration_sec: float | None = None


class CompletedWorkflowStageMetadata(_StartedStage):
    """A stage that is made."""

    status: Literal["completed", "completed_empty"]
    num_records_actual: int
    output_records: int
    output_seed_path: str
    """What the next stage is seeded from: a Parquet file, or a folder of them."""
    callback_output_path: str | None
    stage_output_override_path: str | None = None
    output_processor_output_path: str | None
    duration_sec: float


class SkippedWorkflowStageMetadata(_Stage):
    """A stage that was not made, because one before it came to nothing."""

    status: Literal["skipped_empty_upstream"]
    upstream_stage: str


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
    library_version: str
    stages: list[WorkflowStageMetadata]


def validate_workflow_stage_metadata(value: Mapping[str, object]) -> WorkflowStageMetadata:
    """A stage's metadata by its `status`. Raises pydantic.ValidationError where they are none."""
    adapter: TypeAdapter[WorkflowStageMetadata] = TypeAdapter(WorkflowStageMetadata)
    return adapter.validate_python(value)
