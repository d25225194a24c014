"""Inequalities that sampled values must satisfy."""

import math
from abc import ABC
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from data_designer.config.base import ConfigBase


class ConstraintType(StrEnum):
    """Kinds of constraints."""

    SCALAR_INEQUALITY = "scalar_inequality"
    """A column compared with a number."""
    COLUMN_INEQUALITY = "column_inequality"
    """A column compared with another."""


class InequalityOperator(StrEnum):
    """How the values of the target column compare with the other side."""

    LT = "lt"
    """Less than it."""
    LE = "le"
    """Less, or equal."""
    GT = "gt"
    """Greater than it."""
    GE = "ge"
    """Greater, or equal."""


class Constraint(ConfigBase, ABC):
    """Base of what sampled values must satisfy."""

    target_column: str
    """The column whose values are drawn again until it holds."""
    constraint_type: ConstraintType
    """What kind of constraint it is."""


class ScalarInequalityConstraint(Constraint):
    """Keeps the numbers of a sampler column on one side of a number.

    Values that are not are drawn again, up to 5,000 times; then the record is rejected. Constraints that no value can
    satisfy together are refused with the configuration.
    """

    constraint_type: Literal["scalar_inequality"] = "scalar_inequality"  # type: ignore[assignment]
    target_column: str
    """Name of a sampler column of numbers."""
    rhs: float
    """The number that its values are compared with, after `convert_to`."""
    operator: InequalityOperator
    """What holds of a value: it is less than the number (`lt`), and so on."""


class ColumnInequalityConstraint(Constraint):
    """Keeps the values of a sampler column on one side of those of another in the same record.

    Both hold numbers, texts or moments. The other column is drawn first; values that do not fit are drawn again, up to
    5,000 times; then the record is rejected.
    """

    constraint_type: Literal["column_inequality"] = "column_inequality"  # type: ignore[assignment]
    target_column: str
    """Name of the sampler column that is drawn again."""
    rhs: str
    """Name of the sampler column that it is compared with; of the same nature."""
    operator: InequalityOperator
    """What holds of a value: it is less than the other column's (`lt`), and so on."""


def _constraint_kind(value: object) -> str:
    if not isinstance(value, dict):
        return str(getattr(value, "constraint_type", None))
    given = value.get("constraint_type")
    if given is not None:
        return str(given)
    try:
        return "scalar_inequality" if math.isfinite(float(value.get("rhs", 0))) else "column_inequality"
    except (TypeError, ValueError):
        return "column_inequality"


AnyConstraint = Annotated[
    Annotated[ScalarInequalityConstraint, Tag("scalar_inequality")]
    | Annotated[ColumnInequalityConstraint, Tag("column_inequality")],
    Discriminator(_constraint_kind),
]
