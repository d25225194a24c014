"""Errors of datasets, where users import them from."""

from data_designer.errors import ArtifactStorageError, DatasetGenerationError, DatasetProcessingError

__all__ = ["ArtifactStorageError", "DatasetGenerationError", "DatasetProcessingError"]
