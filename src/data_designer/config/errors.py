"""Errors of the declaration, where users import them from."""

from data_designer.errors import (
    BuilderConfigurationError,
    BuilderSerializationError,
    InvalidColumnTypeError,
    InvalidConfigError,
    InvalidFileFormatError,
    InvalidFilePathError,
)

__all__ = [
    "BuilderConfigurationError",
    "BuilderSerializationError",
    "InvalidColumnTypeError",
    "InvalidConfigError",
    "InvalidFileFormatError",
    "InvalidFilePathError",
]
