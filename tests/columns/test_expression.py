"""Expression columns: the cast table of the specification, and records that fail."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.columns.expression import ExpressionProgram
from data_designer.config.column_configs import ExpressionColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.values import Block, Drop, Ok, Outcome

ERR = object()
SECURE, NATIVE = JinjaRenderingEngine.SECURE, JinjaRenderingEngine.NATIVE


def compute(expr: str, dtype: Any, record: dict[str, Any], engine: JinjaRenderingEngine = SECURE) -> Outcome:
    """Run the exchange of one cell."""
    config = ExpressionColumnConfig(name="x", expr=expr, dtype=dtype)
    exchange = ExpressionProgram(config, engine, ["a"]).exchange(record, 0)
    with pytest.raises(StopIteration) as stop:
        next(exchange)
    outcome: Outcome = stop.value.value
    return outcome


@pytest.mark.parametrize(
    ("rendered", "as_int", "as_float", "as_bool"),
    [
        ("1", 1, 1.0, True),
        ("1.0", 1, 1.0, True),
        ("1.7", 1, 1.7, True),
        ("-2.9", -2, -2.9, True),
        ("1e3", 1000, 1000.0, True),
        ("0", 0, 0.0, False),
        ("0.0", 0, 0.0, False),
        ("0.4", 0, 0.4, False),
        ("true", ERR, ERR, True),
        ("True", ERR, ERR, True),
        ("TRUE", ERR, ERR, True),
        ("false", ERR, ERR, False),
        ("no", ERR, ERR, False),
        ("yes", ERR, ERR, False),
        ("abc", ERR, ERR, False),
        ("None", ERR, ERR, False),
        ("1,000", ERR, ERR, False),
        ("0x10", ERR, ERR, False),
        ("nan", ERR, math.nan, False),
        ("inf", ERR, math.inf, ERR),
        (" 3 ", 3, 3.0, True),
        ("9007199254740993", 9007199254740993, 9007199254740992.0, True),
        ("9007199254740993.9", 9007199254740993, 9007199254740994.0, True),
        ("-9223372036854775808", -(2**63), -(2.0**63), True),
        ("9223372036854775807", 2**63 - 1, 2.0**63, True),
        ("9223372036854775808", ERR, 2.0**63, True),
        ("-9223372036854775809", ERR, -(2.0**63), True),
        ("1e19", ERR, 1e19, True),
        ("1e400", ERR, ERR, True),
        ("1e999999999", ERR, ERR, True),
        ("1e-999999999", 0, 0.0, False),
        ("0e9", 0, 0.0, False),
        ("-inf", ERR, -math.inf, ERR),
    ],
)
def test_the_cast_table(rendered: str, as_int: Any, as_float: Any, as_bool: Any) -> None:
    """Rendered text is cast to each type, or the record is dropped; text stays as it is."""
    for dtype, wanted in (("int", as_int), ("float", as_float), ("bool", as_bool), ("str", rendered)):
        outcome = compute(rendered, dtype, {})
        if wanted is ERR:
            assert isinstance(outcome, Drop)
            assert outcome.reason.kind == "ExpressionTemplateRenderError"
            assert f"is no {dtype}" in outcome.reason.message
        else:
            assert isinstance(outcome, Ok)
            (value,) = outcome.values
            assert type(value) is type(wanted)
            assert str(value) == str(wanted)


@pytest.mark.parametrize(("dtype", "bound"), [("int", "int64"), ("float", "float64")])
def test_a_number_that_the_column_cannot_hold_is_rejected_with_its_bound(dtype: str, bound: str) -> None:
    """Nothing becomes another number, or infinity, without a word."""
    outcome = compute("{{ a }}", dtype, {"a": "1e400"})
    assert isinstance(outcome, Drop)
    assert "'1e400'" in outcome.reason.message
    assert bound in outcome.reason.message


@pytest.mark.parametrize("number", [9007199254740993, -9007199254740995])
@pytest.mark.parametrize("expr", ["{{ a }}", "{{ a + 0 }}", "{{ a | int }}", "{{ 1 * a }}"])
def test_long_integers_stay_exact(number: int, expr: str) -> None:
    """From a number or from a text, printed or calculated."""
    for value in (number, str(number)):
        assert compute(expr, "int", {"a": value}) == Ok((number,))
        assert compute(expr, "str", {"a": value}) == Ok((str(number),))


def test_an_expression_reads_decoded_columns() -> None:
    """JSON text can be used as what it says."""
    assert compute("{{ a.k + 1 }}", "int", {"a": '{"k": 5}'}) == Ok((6,))


@pytest.mark.parametrize("record", [{"a": ""}, {"a": " "}, {}])
def test_empty_text_drops_the_record(record: dict[str, Any]) -> None:
    """The reason names the column to look at."""
    outcome = compute("{{ a }}", "str", record)
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ExpressionTemplateRenderError"
    assert "`a` is" in outcome.reason.message


@pytest.mark.parametrize(("dtype", "value"), [("str", ""), ("bool", False)])
def test_empty_text_is_cast_under_the_native_engine(dtype: str, value: Any) -> None:
    """It checks no emptiness; text and truth values have an answer for it."""
    assert compute("{{ a }}", dtype, {"a": ""}, NATIVE) == Ok((value,))


def test_empty_text_is_no_number_under_the_native_engine() -> None:
    """Numbers have none."""
    assert isinstance(compute("{{ a }}", "int", {"a": ""}, NATIVE), Drop)


def test_a_failing_expression_drops_the_record() -> None:
    """What the template raises is in the reason."""
    outcome = compute("{{ a / 0 }}", "float", {"a": 1})
    assert isinstance(outcome, Drop)
    assert "ZeroDivisionError" in outcome.reason.message


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "7", "1e400", "true", "[1]", '{"k": 3}', "x" * 200]),
    st.dictionaries(st.just("k"), st.integers() | st.text(max_size=3)),
)

OF_ONE_KIND = (st.integers(), st.integers(-9, 9), st.floats(), st.booleans(), st.text(max_size=5), st.just("true"))


EXPRESSIONS = [
    "{{ a }}",
    "1{{ a }}",
    "5%",
    "{{ a * 2 }}",
    "{{ a.k }}",
    "{{ a | upper }}",
    "{% if a > 3 %}1{% else %}x{% endif %}",
]


@pytest.mark.parametrize("engine", [SECURE, NATIVE])
@examples(300)
@given(
    expr=st.sampled_from(EXPRESSIONS),
    dtype=st.sampled_from(["str", "int", "float", "bool"]),
    values=st.one_of([st.lists(cells, max_size=5) for cells in (CELLS, *OF_ONE_KIND)]),
)
def test_a_block_computes_as_its_records_do(
    engine: JinjaRenderingEngine, expr: str, dtype: Any, values: list[Any]
) -> None:
    """Together or one by one, rows get the same values of the same types and are dropped for the same reasons."""
    program = ExpressionProgram(ExpressionColumnConfig(name="x", expr=expr, dtype=dtype), engine, ["a"])
    made = program.run(Block(np.arange(len(values)), {"a": values}))
    together = [made.drops.get(row, cell) for row, cell in enumerate(made.columns["x"])]
    outcomes = [compute(expr, dtype, {"a": value}, engine) for value in values]
    singly = [outcome.reason if isinstance(outcome, Drop) else outcome.values[0] for outcome in outcomes]
    assert [repr(cell) for cell in together] == [repr(cell) for cell in singly]
