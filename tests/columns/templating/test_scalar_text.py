"""Texts that look like numbers: the text they are wherever it shows, the number they say wherever it is calculated."""

from typing import Any

import pytest

from data_designer.columns.templating.templates import compile_json_template, compile_template
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError

SECURE, NATIVE = JinjaRenderingEngine.SECURE, JinjaRenderingEngine.NATIVE
TEXTS = ["1.10", "19.90", "3.0", "1E5", "NaN", "-Infinity", "007", "true", "null", " 7 ", "9007199254740993", "0", "-0"]


def rendered(text: str, engine: JinjaRenderingEngine = NATIVE, **record: Any) -> str:
    """Render a template for a record."""
    return compile_template(text, engine, list(record)).render(record)


@pytest.mark.parametrize("engine", [SECURE, NATIVE])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_said_joined_and_compared_as_it_is(engine: JinjaRenderingEngine, text: str) -> None:
    """Alone, with a filter, beside other text, in a list, and in JSON."""
    assert rendered("v{{ a }}", engine, a=text) == f"v{text}"
    assert rendered("{{ 'v' + a }}{{ a + 'v' }}{{ 'v' ~ a ~ a }}", engine, a=text) == f"v{text}{text}vv{text}{text}"
    assert rendered("{{ a | string }}{{ a | default('x', true) }}", NATIVE, a=text).startswith(text)
    assert rendered(f"{{{{ a == {text!r} and a != 'x' and a in [{text!r}] }}}}", engine, a=text) == "True"
    assert rendered("{{ a }} {{ a[0] }}", engine, a=[text]) == f"{[text]} {text}"
    assert rendered("{{ '%s' % a }}{{ '{}'.format(a) }}{{ '{:>3}'.format(a) }}", NATIVE, a=text) == (
        f"{text}{text}{text:>3}"
    )
    assert rendered("{{ a | tojson }}", NATIVE, a=text) == f'"{text}"'
    assert compile_json_template("{{ a }}", engine, ["a"]).text({"a": text}) == text


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a + 1", "2.1"),
        ("1 + a", "2.1"),
        ("a - 1 > 0", "True"),
        ("2 - a < 1", "True"),
        ("a * 2", "2.2"),
        ("2 * a", "2.2"),
        ("a / 1", "1.1"),
        ("2.2 / a", "2.0"),
        ("a // 1", "1.0"),
        ("3 // a", "2.0"),
        ("a ** 1", "1.1"),
        ("2 ** n", "512"),
        ("a % 1 < 1", "True"),
        ("10 % n", "1"),
        ("-a", "-1.1"),
        ("+a", "1.1"),
        ("a | abs", "1.1"),
        ("a | round(1)", "1.1"),
        ("a | float", "1.1"),
        ("a | int", "1"),
        ("n | int + 1", "10"),
        ("a + n", "10.1"),
        ("[a, n, 2] | sum", "12.1"),
        ("[n, m] | sort | first", "9"),
        ("[n, m] | max", "10"),
        ("a < 2 and a > 1 and a >= 1.1 and a <= 1.1 and a == 1.1", "True"),
        ("2 > a", "True"),
        ("n < m", "True"),
        ("a in [1.1]", "True"),
        ("n is odd and m is even and n is divisibleby(3)", "True"),
        ("a is number and a is float and a is string and n is integer", "True"),
        ("'%d %.2f' % (n, a)", "9 1.10"),
        ("'%.2f' % a", "1.10"),
        ("'{:.3f} {:03}'.format(a, n)", "1.100 009"),
        ("'ab' * n", "ab" * 9),
        ("l[o]", "y"),
        ("{1: 'low', 9: 'high'}[n]", "high"),
        ("range(n) | length", "9"),
        ("a[0] ~ a[-1] ~ (a | length)", "104"),
        ("big + 0", "9007199254740993"),
        ("big | int", "9007199254740993"),
    ],
)
def test_a_text_that_says_a_number_calculates_as_that_number(expression: str, value: str) -> None:
    """Exactly where it is an integer; with numbers, and with its like."""
    record = {"a": "1.10", "n": "9", "m": "10", "o": "1", "l": ["x", "y"], "big": "9007199254740993"}
    assert rendered(f"{{{{ {expression} }}}}", NATIVE, **record) == value


@pytest.mark.parametrize(
    ("text", "truth"),
    [("true", "T"), ("false", "F"), ("null", "F"), ("0", "F"), ("0.0", "F"), ("1", "T"), ("NaN", "T"), ("False", "T")],
)
def test_a_text_is_as_true_as_what_it_says(text: str, truth: str) -> None:
    """An answer `false` of a model does not hold."""
    assert rendered("{% if a %}T{% else %}F{% endif %}", SECURE, a=text) == truth
    assert rendered("{{ 'F' if not a else 'T' }}", NATIVE, a=text) == truth


def test_words_are_what_they_say_where_that_is_asked_for() -> None:
    """Tests of Jinja, and comparisons with what is no text."""
    assert rendered("{{ a is true }} {{ a == true }} {{ a is boolean }} {{ a is none }}", a="true") == (
        "True True True False"
    )
    assert rendered("{{ a is none }} {{ a == none }}", a="null") == "True True"
    assert rendered("{{ a is false }} {{ a == false }}", a="false") == "True True"


def test_two_texts_are_equal_as_texts_and_ordered_as_numbers() -> None:
    """`1.10` is another text than `1.1`; 9 is less than 10; against other text, they are ordered as text."""
    assert rendered("{{ a == b }} {{ a >= b and a <= b }}", a="1.10", b="1.1") == "False True"
    assert rendered("{{ a < b }} {{ a < 'x' }} {{ a < '10' }}", a="9", b="10") == "True True False"
    assert rendered("{{ a < b }}", a="true", b="null") == "False"


def test_what_says_nothing_to_calculate_with_fails_by_name() -> None:
    """As the value it says would."""
    with pytest.raises(PromptTemplateRenderError, match="TypeError"):
        rendered("{{ a + 1 }}", a="null")
    with pytest.raises(PromptTemplateRenderError, match="a str is no number"):
        rendered("{{ a is even }}", a="%999999999d")


@pytest.mark.parametrize("text", ["9" * 5000, '"quoted"', "\uff11\uff12", "1_000", "+1", "0x10", "1.", ".5"])
def test_what_is_no_number_in_json_is_only_a_text(text: str) -> None:
    """It prints as it is, and does not calculate."""
    assert rendered("{{ a }}", a=text) == text
    with pytest.raises(PromptTemplateRenderError):
        rendered("{{ a + 1 }}", a=text)
