"""Expression columns: a template rendered for a record and cast to the column's type."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation

import pyarrow as pa

from data_designer.columns.random_streams import key
from data_designer.columns.templating.seeded_random import draw_for
from data_designer.columns.templating.templates import compile_template
from data_designer.config.analysis.column_statistics import ExpressionColumnStatistics
from data_designer.config.column_configs import ExpressionColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError
from data_designer.plan.columns import producers
from data_designer.plan.kinds import ColumnKind, Statistics
from data_designer.plan.model import Plan, Step
from data_designer.plan.profile import Profile
from data_designer.values import Block, Drop, Exchange, Made, Ok, Outcome, Reason, Record

_Cell = str | float | Reason | None
"""A value, why there is none, or nothing."""

_FAILED = "ExpressionTemplateRenderError"


class ExpressionProgram:
    """Computes the cells of an `expression` column: a block of rows, or one cell as an exchange that asks nothing."""

    def __init__(
        self, config: ExpressionColumnConfig, engine: JinjaRenderingEngine, known: Collection[str], stream: int = 0
    ) -> None:
        """Prepare the template.

        Args:
            config: The column.
            engine: How it is rendered.
            known: Columns that it may name.
            stream: What `random` draws from.
        """
        self._stream = stream
        self._draws = "random" in config.expr
        self._name = config.name
        self._template = compile_template(config.expr, engine, known)
        self._dtype = config.dtype
        self._cast = _CASTS[config.dtype]
        self._cast_all = _CASTS_OF_ALL[config.dtype]

    def exchange(self, record: Record, index: int) -> Exchange:
        """Compute the cell as an exchange without a request."""
        yield from ()
        return self.compute(record, index)

    def compute(self, record: Record, index: int = 0) -> Outcome:
        """Compute the cell of a record."""
        cell = self._drawn(record, index)
        return Drop(cell) if isinstance(cell, Reason) else Ok((cell,))

    def run(self, block: Block) -> Made:
        """Compute the cell of every row."""
        if self._draws:
            cells = [
                self._drawn({name: values[place] for name, values in block.columns.items()}, index)
                for place, index in enumerate(block.rows.tolist())
            ]
        else:
            cells = self._cells(self._template.render_rows(block.columns, len(block)))
        drops = {place: cell for place, cell in enumerate(cells) if isinstance(cell, Reason)}
        for place in drops:
            cells[place] = None
        return Made({self._name: cells}, drops)

    def _drawn(self, record: Record, index: int) -> _Cell:
        draw_for(self._stream, index)
        try:
            rendered: str | PromptTemplateRenderError = self._template.render(record)
        except PromptTemplateRenderError as error:
            rendered = error
        return self._cell(rendered)

    def _cells(self, rendered: Sequence[str | PromptTemplateRenderError]) -> list[_Cell]:
        """Cast what the rows came to: all at once where every one is a plain value."""
        texts = [text for text in rendered if isinstance(text, str)]
        cells = self._cast_all(texts) if len(texts) == len(rendered) else None
        return [self._cell(one) for one in rendered] if cells is None else cells

    def _cell(self, rendered: str | PromptTemplateRenderError) -> _Cell:
        """Cast what the template came to; gives a Reason where that is no value."""
        if isinstance(rendered, PromptTemplateRenderError):
            return Reason(_FAILED, str(rendered))
        try:
            return self._cast(rendered)
        except _BeyondError as error:
            return Reason(_FAILED, f"the expression gives {_shown(rendered)}, which is no {self._dtype}: {error}")
        except (ValueError, ArithmeticError):
            return Reason(_FAILED, f"the expression gives {_shown(rendered)}, which is no {self._dtype}")


class _BeyondError(Exception):
    """A number is none that the column can hold."""


def as_int(text: str) -> int:
    """Read a number and cut off its fraction; it keeps all its digits.

    Raises:
        ValueError: it is no number.
        ArithmeticError: it is infinite.
    """
    try:
        number = int(text)
    except ValueError:
        exact = _decimal(text)
        # Written out, 1e999999999 would fill the memory.
        number = int(exact) if exact.adjusted() < _DIGITS else _MOST + 1
    if not -_MOST - 1 <= number <= _MOST:
        raise _BeyondError("it is beyond 64 bits (int64)")
    return number


def as_float(text: str) -> float:
    """Read a number as the nearest one that is represented.

    Raises:
        ValueError: it is no number.
    """
    number = float(text)
    if math.isinf(number) and _decimal(text).is_finite():
        raise _BeyondError("it is beyond the largest one (float64)")
    return number


def as_bool(text: str) -> bool:
    """Read a truth value: a number whose integer part is not zero, or the word true.

    Raises:
        ArithmeticError: it is an infinite number.
    """
    try:
        number = _decimal(text)
    except ValueError:
        return text.strip().casefold() == "true"
    if number.is_nan():
        return False
    if number.is_infinite():
        raise OverflowError("infinity is no truth value")
    return bool(number) and number.adjusted() >= 0


def _texts(texts: list[str]) -> list[_Cell]:
    return [*texts]


def _ints(texts: list[str]) -> list[_Cell] | None:
    """Read all of some texts as `as_int` does; None where one is not plainly a number that it takes."""
    try:
        numbers = [*map(int, texts)]
    except ValueError:
        return None
    return [*numbers] if not numbers or (min(numbers) >= -_MOST - 1 and max(numbers) <= _MOST) else None


def _floats(texts: list[str]) -> list[_Cell] | None:
    """Read all of some texts as `as_float` does; None where one is not plainly a number that it takes."""
    try:
        numbers = [*map(float, texts)]
    except ValueError:
        return None
    return None if any(map(math.isinf, numbers)) else [*numbers]


def _bools(texts: list[str]) -> list[_Cell] | None:
    """Read all of some texts as `as_bool` does; None where one is neither word."""
    known = [_WORDS.get(text) for text in texts]
    return None if None in known else [*known]


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:100]!r} is no number") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}...")


_MOST = 2**63 - 1
_DIGITS = 19
"""Digits of an integer of 64 bits."""
_CASTS: Mapping[str, Callable[[str], str | float]] = {"str": str, "int": as_int, "float": as_float, "bool": as_bool}
_WORDS: Mapping[str, bool] = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
_CASTS_OF_ALL: Mapping[str, Callable[[list[str]], list[_Cell] | None]] = {
    "str": _texts,
    "int": _ints,
    "float": _floats,
    "bool": _bools,
}
_TYPES: Mapping[str, pa.DataType] = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def _build(step: Step, plan: Plan, _: "pa.Table | None") -> ExpressionProgram:
    [column] = step.of(ExpressionColumnConfig)
    engine = JinjaRenderingEngine(plan.run.jinja_rendering_engine)
    return ExpressionProgram(column, engine, producers(plan.config.columns), key(plan.seed, step.name))


def _arrow_type(column: ExpressionColumnConfig) -> pa.DataType:
    return _TYPES[column.dtype]


def _statistics(column: ExpressionColumnConfig, _: Profile) -> Statistics:
    return ExpressionColumnStatistics, {"column_type": column.column_type}


EXPRESSION = ColumnKind(
    config=ExpressionColumnConfig,
    build=_build,
    cheap=True,
    templates=("expr",),
    missing_reference="expression_reference_missing",
    arrow_type=_arrow_type,
    statistics=_statistics,
)
