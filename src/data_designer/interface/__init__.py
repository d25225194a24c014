"""The door: `from data_designer.interface import DataDesigner`. Names are imported when they are first used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_designer.config.run_config import ResumeMode as ResumeMode
    from data_designer.errors import (
        ArtifactStorageError as ArtifactStorageError,
        DataDesignerEarlyShutdownError as DataDesignerEarlyShutdownError,
        DataDesignerGenerationError as DataDesignerGenerationError,
        DataDesignerProfilingError as DataDesignerProfilingError,
        DataDesignerWorkflowError as DataDesignerWorkflowError,
    )
    from data_designer.interface.data_designer import DataDesigner as DataDesigner
    from data_designer.interface.results import DatasetCreationResults as DatasetCreationResults
    from data_designer.interface.workflow_metadata import (
        CompletedWorkflowStageMetadata as CompletedWorkflowStageMetadata,
        FailedWorkflowStageMetadata as FailedWorkflowStageMetadata,
        RunningWorkflowStageMetadata as RunningWorkflowStageMetadata,
        SkippedWorkflowStageMetadata as SkippedWorkflowStageMetadata,
        WorkflowMetadata as WorkflowMetadata,
        WorkflowStageMetadata as WorkflowStageMetadata,
        validate_workflow_stage_metadata as validate_workflow_stage_metadata,
    )
    from data_designer.interface.composite_workflow import (
        CompositeWorkflow as CompositeWorkflow,
        CompositeWorkflowResults as CompositeWorkflowResults,
        SkippedStageResult as SkippedStageResult,
        SkippedStageStatus as SkippedStageStatus,
    )
else:
    from data_designer.config.public_names import imported_when_used

    __getattr__, __dir__ = imported_when_used(__name__)
