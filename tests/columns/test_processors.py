"""Processors: columns dropped by name and pattern, rows written in another form."""

import re
from typing import Any

import numpy as np
import pytest

from data_designer.columns.processors import SchemaTransform, transform_violations
from data_designer.config.processors import SchemaTransformProcessorConfig, meant_by
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError
from data_designer.values import Block

SECURE, NATIVE = JinjaRenderingEngine.SECURE, JinjaRenderingEngine.NATIVE
NAMES = ["topic", "topic__trace", "Topic", "answer[1]", "a?"]


@pytest.mark.parametrize(
    ("pattern", "dropped"),
    [
        ("topic", ["topic"]),
        ("topic*", ["topic", "topic__trace"]),
        ("*__trace", ["topic__trace"]),
        ("answer[1]", ["answer[1]"]),
        ("a?", ["a?"]),
        ("none", []),
        ("x*", []),
        ("*", NAMES),
    ],
)
def test_columns_are_dropped_by_name_or_pattern(pattern: str, dropped: list[str]) -> None:
    """Only a star makes a pattern; letters keep their case, columns their order."""
    assert meant_by(pattern, NAMES) == dropped


def block(**columns: list[Any]) -> Block:
    """Make a block whose records start at 40."""
    return Block(np.arange(40, 40 + len(next(iter(columns.values()))), dtype=np.int64), columns)


def transform(template: dict[str, Any], given: Block, engine: JinjaRenderingEngine = SECURE) -> list[dict[str, Any]]:
    """Apply a schema transform named `t`."""
    config = SchemaTransformProcessorConfig(name="t", template=template)
    return SchemaTransform(config, engine, list(given.columns)).apply(given)


@pytest.mark.parametrize("engine", [SECURE, NATIVE])
@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("{{ a }}", 3, "3"),
        ("{{ a }}", 1.5, "1.5"),
        ("{{ a }}", True, "true"),
        ("{{ a }}", None, "null"),
        ("{{ a }}", 'say "hi"\n\\', 'say "hi"\n\\'),
        ("{{ a }}", {"k": [1, "é", None]}, '{"k": [1, "é", null]}'),
        ("{{ a }}", [1, 2], "[1, 2]"),
        ("{{ a.items }}", {"items": 3}, "3"),
        ("{{ a.items }}", '{"items": 3}', "3"),
        ('{{ a["items"] }}', {"items": 3}, "3"),
        ("<{{ a | upper }}>", "x", "<X>"),
        ("", "x", ""),
        ("{{ a }}", "", ""),
        ("plain", "x", "plain"),
        ("{% if a %}yes{% endif %}", False, ""),
    ],
)
def test_values_are_written_into_their_text(engine: JinjaRenderingEngine, text: str, value: Any, written: str) -> None:
    """Numbers become text, structures their JSON, and a key wins over a method."""
    assert transform({"x": text}, block(a=[value]), engine) == [{"x": written}]


def test_the_form_of_the_template_is_kept() -> None:
    """Nested objects and lists, and leaves that are no text, stay; every row is written in order."""
    template = {"messages": [{"role": "user", "content": "{{ a }}"}], "n": 5, "ok": True, "none": None}
    rows = transform(template, block(a=["p", "q"]))
    assert [row["messages"][0]["content"] for row in rows] == ["p", "q"]
    assert {key: rows[0][key] for key in ("n", "ok", "none")} == {"n": 5, "ok": True, "none": None}
    rows[0]["messages"].append("changed")
    assert len(rows[1]["messages"]) == 1


def test_a_row_that_fails_is_null_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """The others are there, in their places; the warning names the processor, the record and the cause."""
    assert transform({"x": "{{ 1 / a }}", "y": 1}, block(a=[1, 0, 2])) == [
        {"x": "1.0", "y": 1},
        {"x": None, "y": None},
        {"x": "0.5", "y": 1},
    ]
    assert re.search(r"processor=t record=41 .*ZeroDivision", caplog.text)


def test_a_refused_template_is_found_before_any_row() -> None:
    """Each violation says where in the template it is."""
    config = SchemaTransformProcessorConfig(
        name="t", template={"m": [{"c": "{{ b }}"}, "{{ a | tojson }}"], "n": "{{ a }}"}
    )
    where = [violation.partition(":")[0] for violation in transform_violations(config, SECURE, ["a"])]
    assert where == ["template.m[0].c", "template.m[1]"]
    with pytest.raises(PromptTemplateRenderError):
        SchemaTransform(config, SECURE, ["a"])
