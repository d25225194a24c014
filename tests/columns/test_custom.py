"""Custom columns: what a function is given, what it owes, and what a broken contract says."""

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from data_designer.columns.custom import CustomCellProgram, CustomColumnProgram, custom_violations
from data_designer.config.column_configs import CustomColumnConfig, GenerationStrategy
from data_designer.config.custom_column import custom_column_generator
from data_designer.errors import CustomColumnGenerationError, ModelRateLimitError
from data_designer.values import Block, Drop, Ok, Outcome

FULL = GenerationStrategy.FULL_COLUMN


class Params(BaseModel):
    """Parameters of a function."""

    factor: int = 2


def column(function: Callable[..., Any], **fields: Any) -> CustomColumnConfig:
    """Declare a custom column `x`."""
    return CustomColumnConfig(name="x", generator_function=function, **fields)


def cell(config: CustomColumnConfig, record: dict[str, Any], makes: tuple[str, ...] = ("x",)) -> Outcome:
    """Run one cell, record 7."""
    exchange = CustomCellProgram(config, makes).exchange(record, 7)
    with pytest.raises(StopIteration) as stop:
        next(exchange)
    outcome: Outcome = stop.value.value
    return outcome


def block(**columns: list[Any]) -> Block:
    """Make a block."""
    return Block(np.arange(len(next(iter(columns.values()))), dtype=np.int64), columns)


@custom_column_generator(required_columns=["a"])
def double(row: dict[str, Any], generator_params: Params) -> dict[str, Any]:
    """Multiply."""
    row["x"] = row["a"] * generator_params.factor
    return row


@custom_column_generator(required_columns=["a"])
def double_all(df: pd.DataFrame) -> pd.DataFrame:
    """Multiply all."""
    return df.assign(x=df["a"] * 2)


def test_a_function_that_needs_no_column_is_given_as_many_rows() -> None:
    """It knows by the table's length what to make."""

    @custom_column_generator()
    def numbered(df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(x=range(len(df)))

    made = CustomColumnProgram(column(numbered, generation_strategy=FULL), ("x",)).run(
        Block(np.arange(4, dtype=np.int64), {})
    )
    assert made.columns == {"x": [0, 1, 2, 3]}
    assert made.drops == {}


def test_a_row_goes_in_and_comes_out() -> None:
    """The function may change and return what it was given; the record itself stays as it was."""
    record = {"a": 2, "other": None}
    assert cell(column(double, generator_params=Params(factor=5)), record) == Ok((10,))
    assert record == {"a": 2, "other": None}


def test_side_effects_come_in_the_order_of_the_step() -> None:
    """Values are aligned with what the step makes."""

    @custom_column_generator(side_effect_columns=["s"])
    def function(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "x": 1, "s": 2}

    assert cell(column(function), {}, ("x", "s")) == Ok((1, 2))
    assert cell(column(function), {}, ("s", "x")) == Ok((2, 1))


def test_a_three_parameter_function_is_given_models() -> None:
    """By alias, and its parameters even when there are none."""

    @custom_column_generator(model_aliases=["m"])
    def function(row: dict[str, Any], generator_params: None, models: dict[str, Any]) -> dict[str, Any]:
        assert generator_params is None
        return {**row, "x": models["m"]}

    program = CustomCellProgram(column(function), ("x",))
    assert program.finish({}, program.call({}, {"m": "facade"}), 0) == Ok(("facade",))


def wrong_type(row: dict[str, Any]) -> Any:
    """Return no row."""
    return [row]


def forgets(row: dict[str, Any]) -> Any:
    """Return the row without the column."""
    return row


def removes(row: dict[str, Any]) -> Any:
    """Return the column only."""
    return {"x": 1}


def raises(row: dict[str, Any]) -> Any:
    """Fail."""
    raise KeyError("nothing")


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (wrong_type, "returned list for record 7. It has to return what it was given, a dict"),
        (forgets, "returned no `x` for record 7"),
        (removes, "removed `a` for record 7"),
        (raises, "raised KeyError for record 7: 'nothing'"),
    ],
)
def test_a_broken_contract_drops_the_row(function: Callable[..., Any], part: str) -> None:
    """The reason names the function, the record and what is owed."""
    outcome = cell(column(custom_column_generator()(function)), {"a": 1})
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "CustomColumnGenerationError"
    assert f"function {function.__name__!r} of custom column 'x'" in outcome.reason.message
    assert part in outcome.reason.message


class Unspeakable(BaseException):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), asyncio.CancelledError(), Unspeakable()]
)
def test_whatever_a_function_raises_drops_the_row(error: BaseException) -> None:
    """Also what ends a process elsewhere, whichever way the function is called."""

    def function(row: Any) -> Any:
        raise error

    async def awaited(row: Any) -> Any:
        raise error

    def whole(df: Any) -> Any:
        raise error

    for one in (function, awaited):
        outcome = cell(column(custom_column_generator()(one)), {"a": 1})
        assert isinstance(outcome, Drop)
        assert f"raised {type(error).__name__} for record 7" in outcome.reason.message
    made = CustomColumnProgram(column(custom_column_generator()(whole), generation_strategy=FULL), ("x",)).run(
        block(a=[1, 2])
    )
    assert sorted(made.drops) == [0, 1]


def test_the_end_of_the_process_is_not_the_functions_doing() -> None:
    """Ray raises it in whatever runs when it ends a process; the row is run again elsewhere."""
    end = SystemExit(1)
    end.ray_terminate_msg = "The process receives a SIGTERM."  # type: ignore[attr-defined]

    @custom_column_generator()
    def function(row: dict[str, Any]) -> dict[str, Any]:
        raise end

    with pytest.raises(SystemExit):
        next(CustomCellProgram(column(function), ("x",)).exchange({}, 0))


def test_a_missing_required_column_drops_the_row() -> None:
    """The function is not called."""
    outcome = cell(column(double, generator_params=Params()), {"b": 1})
    assert isinstance(outcome, Drop)
    assert "needs `a`" in outcome.reason.message


def test_undeclared_keys_are_removed_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody declared is not kept."""

    @custom_column_generator()
    def function(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "x": 1, "extra": 2}

    program = CustomCellProgram(column(function), ("x",))
    with caplog.at_level(logging.WARNING):
        assert [program.finish({}, program.call({}), n) for n in range(3)] == [Ok((1,))] * 3
    assert len(caplog.records) == 1
    assert "`extra`" in caplog.text


def test_a_model_error_that_may_pass_is_raised() -> None:
    """The runner tries such a cell again."""

    @custom_column_generator()
    def function(row: dict[str, Any]) -> dict[str, Any]:
        raise ModelRateLimitError("slow down")

    program = CustomCellProgram(column(function), ("x",))
    with pytest.raises(ModelRateLimitError):
        next(program.exchange({}, 0))


class Pause:
    """Something to await."""

    def __await__(self) -> Generator[None, str, str]:
        return (yield)


@custom_column_generator()
async def waits(row: dict[str, Any]) -> dict[str, Any]:
    """Wait for something."""
    return {**row, "x": await Pause()}


@custom_column_generator()
async def waits_for_nothing(row: dict[str, Any]) -> dict[str, Any]:
    """Return at once."""
    return {**row, "x": 1}


def test_an_async_function_can_be_awaited_between_call_and_finish() -> None:
    """The caller drives the coroutine."""
    program = CustomCellProgram(column(waits), ("x",))
    assert program.is_async
    coroutine = program.call({})
    coroutine.send(None)
    with pytest.raises(StopIteration) as stop:
        coroutine.send("late")
    assert program.finish({}, stop.value.value, 0) == Ok(("late",))


def test_an_exchange_runs_an_async_function_that_does_not_wait() -> None:
    """One that waits needs a loop, and the row says so."""
    assert cell(column(waits_for_nothing), {}) == Ok((1,))
    outcome = cell(column(waits), {})
    assert isinstance(outcome, Drop)
    assert "event loop" in outcome.reason.message


def test_a_full_column_function_works_on_a_table() -> None:
    """One call for all rows."""
    made = CustomColumnProgram(column(double_all, generation_strategy=FULL), ("x",)).run(block(a=[1, 2, 3]))
    assert made.columns == {"x": [2, 4, 6]}
    assert made.drops == {}


def test_rows_that_come_back_in_another_order_find_their_places() -> None:
    """The index tells which row is which."""

    @custom_column_generator()
    def function(df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(x=df["a"] * 2).sort_values("a")

    made = CustomColumnProgram(column(function, generation_strategy=FULL), ("x",)).run(block(a=[3, 1, 2]))
    assert made.columns == {"x": [6, 2, 4]}


def test_missing_values_come_back_as_none() -> None:
    """Whatever mark pandas makes of them, except that NaN stays among floats."""

    @custom_column_generator(side_effect_columns=["y", "z"])
    def function(df: pd.DataFrame) -> pd.DataFrame:
        nested: list[Any] = [[1], None, {"k": 1}]
        return df.assign(x=df["a"], y=nested, z=np.array([1.0, np.nan, 2.0]))

    program = CustomColumnProgram(column(function, generation_strategy=FULL), ("x", "y", "z"))
    made = program.run(block(a=["p", None, "q"]))
    assert made.columns["x"] == ["p", None, "q"]
    assert made.columns["y"] == [[1], None, {"k": 1}]
    assert str(made.columns["z"]) == "[1.0, nan, 2.0]"


def no_frame(df: pd.DataFrame) -> Any:
    """Return a list."""
    return df.to_dict("records")


def fewer(df: pd.DataFrame) -> Any:
    """Lose a row."""
    return df.assign(x=1).iloc[1:]


def fails(df: pd.DataFrame) -> Any:
    """Fail."""
    raise ValueError("bad")


@pytest.mark.parametrize(
    ("function", "part"),
    [(no_frame, "returned list"), (fewer, "returned 1 rows for 2"), (fails, "raised ValueError: bad")],
)
def test_a_failing_full_column_function_drops_all_rows(function: Callable[..., Any], part: str) -> None:
    """Every row has the same reason."""
    config = column(custom_column_generator()(function), generation_strategy=FULL)
    made = CustomColumnProgram(config, ("x",)).run(block(a=[1, 2]))
    assert set(made.drops) == {0, 1}
    assert all(part in reason.message for reason in made.drops.values())


def test_the_first_parameter_has_to_suit_the_strategy() -> None:
    """It is a violation before it is an error."""
    config = column(double, generation_strategy=FULL)
    assert "the first one, two or three of (df, generator_params, models)" in custom_violations(config)[0]
    with pytest.raises(CustomColumnGenerationError, match="takes \\(row, generator_params\\)"):
        CustomColumnProgram(config, ("x",))


def test_an_async_full_column_function_is_refused() -> None:
    """Nothing could await it."""

    @custom_column_generator()
    async def function(df: pd.DataFrame) -> pd.DataFrame:
        return df

    violations = custom_violations(column(function, generation_strategy=FULL))
    assert violations == ["function 'function' is `async def`, which the strategy `full_column` cannot call"]
