"""Templates that only set values between texts: whole columns come to what Jinja makes of their records."""

from decimal import Decimal
from typing import Any

import pytest
from tests.odd_values import KEPT

from data_designer.columns.templating.environments import environment
from data_designer.columns.templating.substitution import Substitution, substitution
from data_designer.columns.templating.templates import MAX_CHARACTERS, compile_template
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.template_syntax import parsed
from data_designer.engine.dataset.encoding import kept
from data_designer.errors import PromptTemplateRenderError

SECURE = JinjaRenderingEngine.SECURE
CELLS = [kept(given) for given, _ in KEPT.values()]
KINDS = sorted({type(cell) for cell in CELLS}, key=str)
NOT_ALWAYS_TEXT = ["7", " 1.10", "true", '{"k": [1.50]}', " [2]", "{", "  ", "<function x>", "<b>", "100 %s"]


def of(text: str) -> Substitution | None:
    """What a template is, if it is one."""
    within = environment(SECURE, metered=False)
    return substitution(parsed(text, within), ["a", "b"], within)


def rendered(template: Any, record: dict[str, Any]) -> str:
    """What a record comes to, or why it does not."""
    try:
        return str(template.render(record))
    except PromptTemplateRenderError as error:
        return str(error)


@pytest.mark.parametrize("engine", list(JinjaRenderingEngine))
@pytest.mark.parametrize(
    "text", ["{{ a }}", "{{ a }} and {{ b }}", "100 % {{ a }}{{ a }} %s", "{{ a | string }}|{{ b }}"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_one_kind_renders_as_its_records_do(kind: type, text: str, engine: JinjaRenderingEngine) -> None:
    """Texts that say numbers or lists, NaN and long numbers included, and with nulls among them."""
    mine: list[Any] = [cell for cell in CELLS if type(cell) is kind] + (NOT_ALWAYS_TEXT if kind is str else [])
    template = compile_template(text, engine, ["a", "b"])
    for cells in (mine, [*mine, None]):
        columns = {"a": cells, "b": cells[::-1]}
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        rows = [str(row) for row in template.render_rows(columns, len(cells))]
        assert rows == [rendered(template, record) for record in records]


@pytest.mark.parametrize(
    ("text", "texts", "columns"),
    [
        ("{{ a }}", ("", ""), ("a",)),
        ("x {{ b }}{{ a }}%", ("x ", "", "%"), ("b", "a")),
    ],
)
def test_what_is_a_substitution(text: str, texts: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """Texts, and names of columns between them."""
    found = of(text)
    assert found is not None
    assert (found.texts, found.columns) == (texts, columns)


@pytest.mark.parametrize("text", ["{{ a | upper }}", "{{ a.b }}", "{{ a + b }}", "{% if a %}x{% endif %}", "{{ 1 }}"])
def test_what_is_none(text: str) -> None:
    """Whatever computes."""
    assert of(text) is None


@pytest.mark.parametrize(
    "cell", [Decimal("1e999999"), [1], {"k": 1}, "x" * MAX_CHARACTERS, 10**5000], ids=lambda cell: type(cell).__name__
)
def test_what_may_be_long_is_left_to_a_rendering_of_its_own(cell: Any) -> None:
    """So that a block never takes the memory of a thousand rows that are refused."""
    found = of("{{ a }}!")
    assert found is not None
    assert found.render_rows({"a": ["short", 1, cell]}, MAX_CHARACTERS) is None


def test_rows_share_nothing_but_their_columns() -> None:
    """A row that fails leaves nothing behind, and each has the whole budget of a rendering."""
    template = compile_template("{{ a * b }}", SECURE, ["a", "b"])
    many = "x" * 1000
    rows = template.render_rows({"a": [many, many, None, "y", many], "b": [500] * 5}, 5)
    assert [row[:1] if isinstance(row, str) else None for row in rows] == ["x", "x", None, "y", "x"]
    assert len({row for row in rows if row == many * 500}) == 1
