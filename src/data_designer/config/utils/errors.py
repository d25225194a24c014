"""Errors of templates and enumerations, where users import them from."""

from data_designer.errors import (
    DatasetSampleDisplayError,
    InvalidDiscriminatorFieldError,
    InvalidEnumValueError,
    InvalidTypeUnionError,
    UserJinjaTemplateSyntaxError,
)

__all__ = [
    "DatasetSampleDisplayError",
    "InvalidDiscriminatorFieldError",
    "InvalidEnumValueError",
    "InvalidTypeUnionError",
    "UserJinjaTemplateSyntaxError",
]
