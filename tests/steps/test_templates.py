"""Templates: what is refused before a token is paid for, and what a record renders to."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError, UserJinjaTemplateSyntaxError
from data_designer.steps.templates import compile_json_template, compile_template, template_violations

SECURE, NATIVE = JinjaRenderingEngine.SECURE, JinjaRenderingEngine.NATIVE
ENGINES = pytest.mark.parametrize("engine", [SECURE, NATIVE])


@ENGINES
@pytest.mark.parametrize(
    ("text", "record", "rendered"),
    [
        ("Hello {{ a }}!", {"a": "you"}, "Hello you!"),
        ("{{ a.k }}", {"a": '{"k": 5}'}, "5"),
        ("{{ a }}", {"a": "1.50"}, "1.5"),
        ("{{ a }}", {"a": None}, "None"),
        ("{{ a }}", {"a": {"k": "x"}}, "{'k': 'x'}"),
        ("{% for x in a %}{{ loop.index }}{{ x }}{% endfor %}", {"a": ["p", "q"]}, "1p2q"),
        ("{{ a | jsonpath('$.k[*]') }}", {"a": {"k": [1, 2]}}, "[1, 2]"),
        ("{{ a['items'] }}", {"a": {"items": 3}}, "3"),
        ("<b>{{ a }}</b>", {"a": "&"}, "<b>&</b>"),
        ("{{ a | upper }}", {"a": "x"}, "X"),
        ("{% if a is defined %}yes{% endif %}", {"a": 1}, "yes"),
        ("no variable", {}, "no variable"),
        ("a {{ a.missing }} b", {"a": {}}, "a  b"),
    ],
)
def test_a_record_renders(engine: JinjaRenderingEngine, text: str, record: dict[str, Any], rendered: str) -> None:
    """JSON text is decoded, dicts print as Python does, nothing is escaped."""
    assert compile_template(text, engine, ["a"]).render(record) == rendered


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{{ a | join }}", "filter `join` is not available"),
        ("{{ a | tojson }}", "filter `tojson`"),
        ("{% set x = 1 %}{{ x }}", "`set` is not allowed"),
        ("{% set x %}1{% endset %}", "`set` is not allowed"),
        ("{% macro m() %}1{% endmacro %}", "`macro` is not allowed"),
        ("{% block b %}{% endblock %}", "`block` is not allowed"),
        ("{% for x in a %}{% for y in x %}{{ y }}{% endfor %}{% endfor %}", "`for` inside a `for`"),
        ("{% for x in a recursive %}{{ x }}{% endfor %}", "recursive `for`"),
        ("{{ self }}", "`self` is not allowed"),
        ("{{ a }}" * 700, "syntax nodes; at most 600"),
        ("{{ " + "-" * 12 + "a }}", "levels deep; at most 10"),
    ],
)
def test_the_secure_engine_refuses_what_the_native_one_allows(text: str, part: str) -> None:
    """Filters off the list, statements that define, and sheer size are found without rendering."""
    assert any(part in violation for violation in template_violations(text, SECURE, ["a"]))
    assert not template_violations(text.replace("self", "a"), NATIVE, ["a"])


@ENGINES
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{{ b }} {{ c }}", "`b` is not a column"),
        ("{{ loop }}", "`loop` is not a column"),
        ("{{ a | nonsense }}", "filter `nonsense`"),
        ("{{ a is nonsense }}", "no test `nonsense`"),
        ("{% include 'x' %}", "`include` is not allowed"),
        ("{% import 'x' as y %}", "`import` is not allowed"),
        ("{{ a ", "syntax error in line 1"),
    ],
)
def test_both_engines_refuse_what_cannot_work(engine: JinjaRenderingEngine, text: str, part: str) -> None:
    """Unknown names, filters and tests, other templates and bad syntax are violations."""
    assert any(part in violation for violation in template_violations(text, engine, ["a"]))


def test_all_violations_are_listed_together() -> None:
    """One look shows everything that has to change."""
    assert len(template_violations("{{ b | join }}{{ c }}{% set x = 1 %}", SECURE, ["a"])) == 4


def test_compiling_raises_what_the_check_lists() -> None:
    """Bad syntax has its own error; all else is listed in one."""
    with pytest.raises(UserJinjaTemplateSyntaxError):
        compile_template("{{ a", SECURE, ["a"])
    with pytest.raises(PromptTemplateRenderError, match=r"`b` is not a column.*`c` is not a column"):
        compile_template("{{ b }}{{ c }}", SECURE, ["a"])


@pytest.mark.parametrize(
    ("text", "record", "part"),
    [
        ("{{ a }}", {"a": ""}, "`a` is empty"),
        (" {{ a }} ", {"a": "  "}, "`a` is empty"),
        ("{{ a.k }}", {"a": {}}, "`a.k` is missing"),
        ("{{ a.k.l }}", {"a": {}}, "`a.k` is missing"),
        ("{{ a.k['l'] }}", {"a": {"k": {"l": ""}}}, "`a.k.l` is empty"),
        ("{% if a %}x{% endif %}", {"a": None}, "`a` is null"),
        ("{% if a > 3 %}x{% endif %}", {"a": 1}, "none of its conditions"),
        ("{{ a + 1 }}", {"a": "x"}, "TypeError"),
        ("{{ a.items }}", {"a": {"items": 1}}, "prints a function"),
        ("{{ a * 600 }}", {"a": "x" * 1000}, "600000 characters; at most 512000"),
        ("{{ a.__class__ }}", {"a": "x"}, "`a.__class__` is missing"),
        ("{{ a.append(1) }}", {"a": []}, "unsafe"),
    ],
)
def test_the_secure_engine_names_the_culprit(text: str, record: dict[str, Any], part: str) -> None:
    """A record that renders to nothing, to a function or to too much fails with the thing to look at."""
    with pytest.raises(PromptTemplateRenderError, match=re.escape(part)):
        compile_template(text, SECURE, ["a"]).render(record)


def test_the_native_engine_lets_empty_text_pass() -> None:
    """It checks neither emptiness nor length."""
    assert compile_template("{{ a }}", NATIVE, ["a"]).render({"a": ""}) == ""


def test_text_may_be_empty_where_that_is_no_failure() -> None:
    """A system prompt may come to nothing."""
    assert compile_template("{{ a }}", SECURE, ["a"]).text({"a": ""}) == ""


def test_only_named_columns_are_looked_at() -> None:
    """A value that would be costly to decode is left alone when the template does not name it."""
    template = compile_template("{{ a }}", SECURE, ["a", "b"])
    assert template.names == ("a",)
    assert template.render({"a": "x", "b": object()}) == "x"


@ENGINES
def test_json_text_is_written_as_json(engine: JinjaRenderingEngine) -> None:
    """In a schema transform, values are JSON text and a key wins over a method."""
    record = {"a": {"items": [1, True, None], "s": 'q"'}, "b": True, "c": None, "d": "1.50"}
    template = compile_json_template("{{ a.items }} {{ a.s }} {{ b }} {{ c }} {{ d }}{{ a.x }}", engine, list("abcd"))
    assert template.text(record) == '[1, true, null] q" true null 1.5'


def test_many_threads_share_a_template() -> None:
    """Rendering keeps no state."""
    template = compile_template("{{ a }}-{{ a }}", SECURE, ["a"])
    with ThreadPoolExecutor(8) as threads:
        rendered = list(threads.map(lambda n: template.render({"a": n}), range(500)))
    assert rendered == [f"{n}-{n}" for n in range(500)]
