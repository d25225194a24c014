"""Errors at the door, where users import them from."""

from data_designer.errors import (
    DataDesignerEarlyShutdownError,
    DataDesignerGenerationError,
    DataDesignerProfilingError,
    DataDesignerWorkflowError,
    InvalidBufferValueError,
)

__all__ = [
    "DataDesignerEarlyShutdownError",
    "DataDesignerGenerationError",
    "DataDesignerProfilingError",
    "DataDesignerWorkflowError",
    "InvalidBufferValueError",
]
