"""Kinds of columns that can be declared, and not yet made."""

from collections.abc import Iterator
from typing import NoReturn

from data_designer.config.base import SingleColumnConfig
from data_designer.errors import ConfigCompilationError
from data_designer.plan.model import Plan, Step
from data_designer.plan.violation import Violation


def not_yet(column: SingleColumnConfig) -> Iterator[Violation]:
    """That this version does not make it."""
    message = f"{column.column_type} columns are not supported by this version"
    yield Violation("unsupported", column.name, message)


def refuse(step: Step, _plan: Plan, _seed_table: object) -> NoReturn:
    """Raise ConfigCompilationError: there is no program."""
    raise ConfigCompilationError(f"column '{step.name}': '{step.kind}' columns cannot be generated")
