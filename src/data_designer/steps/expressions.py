"""Expression columns: a template rendered for a record and cast to the column's type."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from data_designer.config.column_configs import ExpressionColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError
from data_designer.steps.templates import compile_template
from data_designer.values import Block, Drop, Exchange, Made, Ok, Outcome, Reason, Record

_FAILED = "ExpressionTemplateRenderError"


class ExpressionProgram:
    """Computes the cells of an `expression` column: a block of rows, or one cell as an exchange that asks nothing."""

    def __init__(self, config: ExpressionColumnConfig, engine: JinjaRenderingEngine, known: Collection[str]) -> None:
        self._name = config.name
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
            rendered: str | PromptTemplateRenderError = self._template.render(record)
        except PromptTemplateRenderError as error:
            rendered = error
        cell = self._cell(rendered)
        return Drop(cell) if isinstance(cell, Reason) else Ok((cell,))

    def run(self, block: Block) -> Made:
        """Compute the cell of every row."""
        cells = [self._cell(rendered) for rendered in self._template.render_rows(block.columns, len(block))]
        drops = {place: cell for place, cell in enumerate(cells) if isinstance(cell, Reason)}
        for place in drops:
            cells[place] = None
        return Made({self._name: cells}, drops)

    def _cell(self, rendered: str | PromptTemplateRenderError) -> Any:
        """Cast what the template came to; gives a Reason where that is no value."""
        if isinstance(rendered, PromptTemplateRenderError):
            return Reason(_FAILED, str(rendered))
        try:
            return self._cast(rendered)
        except (ValueError, OverflowError):
            shown = rendered if len(rendered) <= 100 else f"{rendered[:100]}..."
            return Reason(_FAILED, f"the expression gives {shown!r}, which is no {self._dtype}")


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
