"""Validation columns: verdicts in their places, users' functions held to their contract."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_designer.columns.linting import sql_is_available
from data_designer.columns.validation import ValidationProgram, unavailable
from data_designer.config.column_configs import ValidationColumnConfig
from data_designer.config.utils.code_lang import CodeLang
from data_designer.config.validator_params import (
    CodeValidatorParams,
    LocalCallableValidatorParams,
    RemoteValidatorParams,
    ValidatorType,
)
from data_designer.errors import ConfigCompilationError
from data_designer.values import Block, Made


def block(rows: list[int] | None = None, **columns: list[Any]) -> Block:
    """Make a block; rows are numbered from zero unless given."""
    count = len(next(iter(columns.values())))
    return Block(np.array(range(count) if rows is None else rows, dtype=np.int64), columns)


def python_column(*targets: str) -> ValidationColumnConfig:
    """Declare a column `v` that lints Python."""
    return ValidationColumnConfig(
        name="v",
        target_columns=list(targets),
        validator_type=ValidatorType.CODE,
        validator_params=CodeValidatorParams(code_lang=CodeLang.PYTHON),
    )


def run_local(
    function: Callable[[pd.DataFrame], Any],
    given: Block,
    batch_size: int = 10,
    schema: dict[str, Any] | None = None,
) -> Made:
    """Run a local validator over column `a`."""
    config = ValidationColumnConfig(
        name="v",
        target_columns=["a"],
        validator_type=ValidatorType.LOCAL_CALLABLE,
        validator_params=LocalCallableValidatorParams(validation_function=function, output_schema=schema),
        batch_size=batch_size,
    )
    return ValidationProgram(config).run(given)


def positive(df: pd.DataFrame) -> pd.DataFrame:
    """Tell which numbers are positive, with how many were asked at once."""
    return pd.DataFrame({"is_valid": df["a"] > 0, "n": len(df)})


@pytest.mark.usefixtures("processes")
def test_code_verdicts_are_in_the_places_of_their_rows() -> None:
    """A null target gets no verdict and moves nothing."""
    made = ValidationProgram(python_column("a")).run(block(a=["x = 1", None, "x = y", float("nan")]))
    assert [verdict["is_valid"] for verdict in made.columns["v"]] == [True, None, False, None]
    assert made.drops == {}


@pytest.mark.usefixtures("processes")
def test_several_targets_are_judged_each_for_itself() -> None:
    """A cell maps target to verdict, row by row."""
    made = ValidationProgram(python_column("a", "b")).run(
        block(a=["x = 1", "x = y", "x = 1"], b=["x = y", "x = 1", "x = 1"])
    )
    valid = [{target: verdict["is_valid"] for target, verdict in cell.items()} for cell in made.columns["v"]]
    assert valid == [{"a": True, "b": False}, {"a": False, "b": True}, {"a": True, "b": True}]


def test_a_local_function_is_called_in_chunks_in_record_order() -> None:
    """Whatever the order in which rows arrive, and verdicts go back to their places."""
    calls: list[list[int]] = []

    def function(df: pd.DataFrame) -> pd.DataFrame:
        calls.append(df["a"].tolist())
        return positive(df)

    made = run_local(function, block(rows=[4, 0, 2, 1, 3], a=[-4, 1, -2, 1, 3]), batch_size=2)
    assert calls == [[1, 1], [-2, 3], [-4]]
    assert made.columns["v"] == [
        {"is_valid": False, "n": 1},
        {"is_valid": True, "n": 2},
        {"is_valid": False, "n": 2},
        {"is_valid": True, "n": 2},
        {"is_valid": True, "n": 2},
    ]


def test_a_local_function_may_reorder_its_rows() -> None:
    """The index tells which is which."""
    made = run_local(lambda df: positive(df.sort_values("a")), block(a=[3, -1, 2]))
    assert [verdict["is_valid"] for verdict in made.columns["v"]] == [True, False, True]


def test_no_verdict_is_a_verdict() -> None:
    """Null is allowed, and truth values are plain ones."""
    made = run_local(lambda _: pd.DataFrame({"is_valid": [True, None, np.nan, 0]}), block(a=[1, 2, 3, 4]))
    assert [verdict["is_valid"] for verdict in made.columns["v"]] == [True, None, None, False]


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (lambda df: df["a"], "returned Series"),
        (lambda df: positive(df).iloc[:1], "returned 1 rows for 2"),
        (lambda df: df, "no column `is_valid`"),
        (lambda df: df.assign(is_valid="yes"), "has to be true, false or null and is 'yes'"),
        (lambda df: df["nothing"], "raised KeyError"),
        (lambda _: sys.exit("no more"), "raised SystemExit: no more"),
    ],
)
def test_a_broken_contract_rejects_the_rows_of_its_chunk(function: Callable[..., Any], part: str) -> None:
    """Other chunks are not touched, and the reason names the function."""
    made = run_local(lambda df: positive(df) if df["a"].iloc[0] > 0 else function(df), block(a=[1, 2, -3, 4]), 2)
    assert sorted(made.drops) == [2, 3]
    assert [verdict["is_valid"] for verdict in made.columns["v"][:2]] == [True, True]
    reason = made.drops[2]
    assert reason.kind == "LocalCallableValidationError"
    assert part in reason.message
    assert "validation function" in reason.message


def test_an_output_schema_is_enforced() -> None:
    """The reason names the place in the result."""
    schema = {"properties": {"data": {"items": {"properties": {"n": {"maximum": 1}}}}}}
    made = run_local(positive, block(a=[1, 2]), schema=schema)
    assert "doesn't match output_schema at $.data[0].n" in made.drops[0].message
    assert run_local(positive, block(a=[1]), schema=schema).drops == {}


def test_what_cannot_run_here_is_said_before_a_run() -> None:
    """SQL needs its extra; a service runs elsewhere."""
    remote = python_column("a").model_copy(
        update={"validator_params": RemoteValidatorParams(endpoint_url="http://localhost/check")}
    )
    sql = python_column("a").model_copy(update={"validator_params": CodeValidatorParams(code_lang=CodeLang.SQL_ANSI)})
    assert unavailable(python_column("a")) is None
    assert (unavailable(sql) is None) == sql_is_available()
    assert unavailable(remote) is None
    with pytest.raises(ConfigCompilationError, match="'v'"):
        ValidationProgram(remote)
