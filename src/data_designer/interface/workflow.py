"""Composite workflows: declared so that scripts import; running one is not built yet and says so."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from data_designer.errors import DataDesignerWorkflowError


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

    def __init__(self, stages: dict[str, Any]) -> None:
        self._stages = stages

    def __getitem__(self, stage: str) -> Any:
        return self._stages[stage]


class CompositeWorkflow:
    """A chain of datasets, each seeded from the one before."""

    def __init__(self, name: str) -> None:
        self.name = name

    def add_stage(self, name: str, config_builder: Any, **options: Any) -> Self:  # noqa: ARG002
        """Refuse: workflows cannot be run by this version."""
        raise DataDesignerWorkflowError("composite workflows are not supported by this version; chain `create` calls")
