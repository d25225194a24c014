"""Expression columns: a template rendered for a record and cast to the column's type."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from data_designer.config.column_configs import ExpressionColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError
from data_designer.steps.templates import compile_template
from data_designer.values import Drop, Exchange, Ok, Outcome, Reason, Record

_FAILED = "ExpressionTemplateRenderError"


class ExpressionProgram:
    """Computes a cell of an `expression` column. It never asks anything."""

    def __init__(self, config: ExpressionColumnConfig, engine: JinjaRenderingEngine, known: Collection[str]) -> None:
        self._template = compile_template(config.expr, engine, known)
        self._dtype = config.dtype
        self._cast = _CASTS[config.dtype]

    def exchange(self, record: Record, index: int) -> Exchange:  # noqa: ARG002 - cells do not depend on it
        """Compute the cell as an exchange without a request."""
        yield from ()
        return self.compute(record)

    def compute(self, record: Record) -> Outcome:
        """Compute the cell of a record."""
        try:
            text = self._template.render(record)
        except PromptTemplateRenderError as error:
            return Drop(Reason(_FAILED, str(error)))
        try:
            return Ok((self._cast(text),))
        except (ValueError, OverflowError):
            shown = text if len(text) <= 100 else f"{text[:100]}..."
            return Drop(Reason(_FAILED, f"the expression gives {shown!r}, which is no {self._dtype}"))


def as_int(text: str) -> int:
    """Read a number and cut off its fraction; long integers keep all their digits.

    Raises:
        ValueError: it is no number.
        OverflowError: it is infinite.
    """
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def as_bool(text: str) -> bool:
    """Read a truth value: a number whose integer part is not zero, or the word true.

    Raises:
        OverflowError: it is an infinite number.
    """
    try:
        return bool(int(float(text)))
    except ValueError:
        return text.strip().casefold() == "true"


_CASTS: Mapping[str, Callable[[str], Any]] = {"str": str, "int": as_int, "float": float, "bool": as_bool}
