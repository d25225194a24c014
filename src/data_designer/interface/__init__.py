"""The door: `from data_designer.interface import DataDesigner`. Names are imported when they are first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_designer.config.run_config import ResumeMode as ResumeMode
    from data_designer.errors import DataDesignerEarlyShutdownError as DataDesignerEarlyShutdownError
    from data_designer.errors import DataDesignerGenerationError as DataDesignerGenerationError
    from data_designer.errors import DataDesignerProfilingError as DataDesignerProfilingError
    from data_designer.errors import DataDesignerWorkflowError as DataDesignerWorkflowError
    from data_designer.interface.data_designer import DataDesigner as DataDesigner
    from data_designer.interface.results import DatasetCreationResults as DatasetCreationResults
    from data_designer.interface.workflow import CompositeWorkflow as CompositeWorkflow
    from data_designer.interface.workflow import CompositeWorkflowResults as CompositeWorkflowResults
    from data_designer.interface.workflow import SkippedStageResult as SkippedStageResult
    from data_designer.interface.workflow import SkippedStageStatus as SkippedStageStatus

_HOMES = {
    "CompositeWorkflow": "data_designer.interface.workflow",
    "CompositeWorkflowResults": "data_designer.interface.workflow",
    "DataDesigner": "data_designer.interface.data_designer",
    "DataDesignerEarlyShutdownError": "data_designer.errors",
    "DataDesignerGenerationError": "data_designer.errors",
    "DataDesignerProfilingError": "data_designer.errors",
    "DataDesignerWorkflowError": "data_designer.errors",
    "DatasetCreationResults": "data_designer.interface.results",
    "ResumeMode": "data_designer.config.run_config",
    "SkippedStageResult": "data_designer.interface.workflow",
    "SkippedStageStatus": "data_designer.interface.workflow",
}
"""Public name to the module that defines it."""

__all__ = [
    "CompositeWorkflow",
    "CompositeWorkflowResults",
    "DataDesigner",
    "DataDesignerEarlyShutdownError",
    "DataDesignerGenerationError",
    "DataDesignerProfilingError",
    "DataDesignerWorkflowError",
    "DatasetCreationResults",
    "ResumeMode",
    "SkippedStageResult",
    "SkippedStageStatus",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(_HOMES)
