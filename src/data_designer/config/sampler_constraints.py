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
    COLUMN_INEQUALITY = "column_inequality"


class InequalityOperator(StrEnum):
    """How two values compare."""

    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"


class Constraint(ConfigBase, ABC):
    """Base of what sampled values must satisfy."""

    target_column: str
    """The column whose values are redrawn until it holds."""
    constraint_type: ConstraintType


class ScalarInequalityConstraint(Constraint):
    """A column compared with a number."""

    constraint_type: Literal["scalar_inequality"] = "scalar_inequality"  # type: ignore[assignment]
    rhs: float
    operator: InequalityOperator


class ColumnInequalityConstraint(Constraint):
    """A column compared with another."""

    constraint_type: Literal["column_inequality"] = "column_inequality"  # type: ignore[assignment]
    rhs: str
    operator: InequalityOperator


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
