"""Errors of columns, where users import them from."""

from data_designer.errors import (
    CustomColumnGenerationError,
    ExpressionTemplateRenderError,
    PromptTemplateRenderError,
    SeedDatasetError,
)

__all__ = [
    "CustomColumnGenerationError",
    "ExpressionTemplateRenderError",
    "PromptTemplateRenderError",
    "SeedDatasetError",
]
