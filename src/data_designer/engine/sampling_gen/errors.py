"""Errors of sampling, where users import them from."""

from data_designer.errors import (
    DataConversionError,
    DatasetNotAvailableForLocaleError,
    ManagedDatasetGeneratorError,
    RejectionSamplingError,
    SamplingGenError,
)

__all__ = [
    "DataConversionError",
    "DatasetNotAvailableForLocaleError",
    "ManagedDatasetGeneratorError",
    "RejectionSamplingError",
    "SamplingGenError",
]
