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
    """The stage before it made no records."""


@dataclass(frozen=True, slots=True)
class SkippedStageResult:
    """A stage that did not run because the one before it came to nothing. Nothing makes one in this version."""

    status: SkippedStageStatus
    """Why it did not run."""
    upstream_stage: str
    """Name of the stage before it."""


class CompositeWorkflowResults:
    """Results of a workflow's stages, by name. Nothing makes them in this version."""

    def __init__(self, stages: "dict[str, DatasetCreationResults | SkippedStageResult]") -> None:
        self._stages = stages

    def __getitem__(self, stage: str) -> "DatasetCreationResults | SkippedStageResult":
        return self._stages[stage]


class CompositeWorkflow:
    """A chain of datasets, each seeded from the one before. In this version it refuses every stage."""

    def __init__(self, name: str) -> None:
        self.name = name

    def add_stage(self, name: str, config_builder: object, **options: object) -> Self:  # noqa: ARG002
        """Refuse: workflows cannot be run by this version.

        Raises:
            DataDesignerWorkflowError: always.
        """
        raise DataDesignerWorkflowError("composite workflows are not supported by this version; chain `create` calls")
