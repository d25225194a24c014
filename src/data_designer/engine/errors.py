"""Errors of the engine, where users import them from."""

from data_designer.errors import (
    DataDesignerRuntimeError,
    LocalCallableValidationError,
    NoModelProvidersError,
    RemoteValidationSchemaError,
    SecretResolutionError,
    UnknownProviderError,
)

__all__ = [
    "DataDesignerRuntimeError",
    "LocalCallableValidationError",
    "NoModelProvidersError",
    "RemoteValidationSchemaError",
    "SecretResolutionError",
    "UnknownProviderError",
]
