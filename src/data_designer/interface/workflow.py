"""Composite workflows: declared so that scripts import; running one is not built yet and says so."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from data_designer.errors import DataDesignerWorkflowError

if TYPE_CHECKING:
    from data_designer.interface.results import DatasetCreationResults


class SkippedStageStatus(StrEnum):
    """Why a stage did not run."""

    SKIPPED_EMPTY_UPSTREAM = "skipped_empty_upstream"


@dataclass(frozen=True, slots=True)
class SkippedStageResult:
    """A stage that did not run because the one before it came to nothing."""

    status: SkippedStageStatus
    upstream_stage: str


class CompositeWorkflowResults:
    """Results of a workflow's stages, by name."""

    def __init__(self, stages: "dict[str, DatasetCreationResults | SkippedStageResult]") -> None:
        self._stages = stages

    def __getitem__(self, stage: str) -> "DatasetCreationResults | SkippedStageResult":
        return self._stages[stage]


class CompositeWorkflow:
    """A chain of datasets, each seeded from the one before."""

    def __init__(self, name: str) -> None:
        self.name = name

    def add_stage(self, name: str, config_builder: object, **options: object) -> Self:  # noqa: ARG002
        """Refuse: workflows cannot be run by this version."""
        raise DataDesignerWorkflowError("composite workflows are not supported by this version; chain `create` calls")
