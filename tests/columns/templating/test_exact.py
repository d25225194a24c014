"""Decimals as templates see them: they print all digits, and calculate with floats."""

import pickle
from decimal import Decimal
from typing import Any

import pytest

from data_designer.columns.templating.exact import Exact
from data_designer.columns.templating.templates import compile_json_template, compile_template
from data_designer.config.run_config import JinjaRenderingEngine


@pytest.mark.parametrize(
    "digits", ["19.90", "12345678901234567.89", "0.00000000", "-0.000000001", "100", "1" * 60 + ".25", "0"]
)
def test_a_decimal_prints_as_it_is_written(digits: str) -> None:
    """In every way in which Python prints, and after it travelled."""
    number = Exact(digits)
    assert [str(number), repr(number), f"{number}", f"{pickle.loads(pickle.dumps(number))}"] == [digits] * 4  # noqa: S301


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("{{ v }}", "19.90"),
        ("{{ v * 2 }}", "39.80"),
        ("{{ v * 1.19 }}", "23.6810"),
        ("{{ 1.5 + v - 0.5 }}", "20.90"),
        ("{{ 100 / v > 5.0 }}", "True"),
        ("{{ v | round(1) }}", "19.9"),
        ("{{ (v * 1.5) * 2.0 }}", "59.7000"),
        ("{{ (-v) | abs }} {{ -v }}", "19.90 -19.90"),
        ("{{ v ~ ' USD' }}", "19.90 USD"),
        ("{{ v == 19.9 }} {{ v < 20 }} {{ [v, 3.5] | max }}", "True True 19.90"),
        ("{{ v > 19.9 }} {{ 19.9 >= v }} {{ v != 19.9 }} {{ v == 'x' }}", "False True False False"),
        ("{{ v | int }} {{ v | float }}", "19 19.9"),
        ("{{ {'a': v} }}", "{'a': 19.90}"),
    ],
)
def test_a_decimal_calculates_with_other_numbers(expression: str, printed: str) -> None:
    """Floats count as what they print, so that nothing is rounded that need not be."""
    template = compile_template(expression, JinjaRenderingEngine.NATIVE, {"v"})
    assert template.render({"v": Decimal("19.90")}) == printed


def test_long_decimals_are_not_rounded() -> None:
    """As many digits as Arrow has are kept by all that has an end."""
    long = Exact("1" * 74 + ".25")
    assert [str(-long), str(abs(long)), str(long + 1)] == [f"-{long}", str(long), "1" * 73 + "2.25"]
    assert str(long * 2) == "2" * 74 + ".50"
    assert str(Exact(10) / 3) == "3.333333333333333333333333333"


@pytest.mark.parametrize("engine", list(JinjaRenderingEngine))
def test_a_decimal_within_json_keeps_its_digits(engine: Any) -> None:
    """JSON has no exact numbers, so it is text there."""
    template = compile_json_template("{{ v }}", engine, {"v"})
    assert template.render({"v": {"a": Decimal("12345678901234567.89")}}) == '{"a": "12345678901234567.89"}'
