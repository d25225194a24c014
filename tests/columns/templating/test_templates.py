"""Templates: what is refused before a token is paid for, and what a record renders to."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from data_designer.columns.templating.decoding import decoded
from data_designer.columns.templating.templates import (
    Template,
    compile_json_template,
    compile_template,
    template_violations,
)
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import PromptTemplateRenderError, UserJinjaTemplateSyntaxError

SECURE, NATIVE = JinjaRenderingEngine.SECURE, JinjaRenderingEngine.NATIVE
ENGINES = pytest.mark.parametrize("engine", [SECURE, NATIVE])


@ENGINES
@pytest.mark.parametrize(
    ("text", "record", "rendered"),
    [
        ("Hello {{ a }}!", {"a": "you"}, "Hello you!"),
        ("{{ a.k }}", {"a": '{"k": 5}'}, "5"),
        ("{{ a }}", {"a": "1.50"}, "1.50"),
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
        ("{% block a %}{% endblock %}{% block a %}{% endblock %}", "defined twice"),
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


def test_an_integer_too_long_to_print_is_no_reason_to_fail() -> None:
    """Looking for the culprit prints nothing: Python refuses to print integers of thousands of digits."""
    template = compile_template("{% if n < 0 %}below{% endif %}", JinjaRenderingEngine.SECURE, ["n"])
    with pytest.raises(PromptTemplateRenderError, match="none of its conditions holds"):
        template.render({"n": 10**5000})


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
    assert template.text(record) == '[1, true, null] q" true null 1.50'


def test_many_threads_share_a_template() -> None:
    """Rendering keeps no state."""
    template = compile_template("{{ a }}-{{ a }}", SECURE, ["a"])
    with ThreadPoolExecutor(8) as threads:
        rendered = list(threads.map(lambda n: template.render({"a": n}), range(500)))
    assert rendered == [f"{n}-{n}" for n in range(500)]


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1.50", '{"k": "v"}', "[]"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["k", "l", "items", 1, None]), inner),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.sampled_from("ab"), VALUES)
PIECES = st.sampled_from(
    [
        "{{ a }}",
        "{{ b }}",
        "{{- a -}}",
        "{{ 7 }}",
        "{{ a | upper }}",
        "{{ a.k }}",
        "{{ a['k'] }}",
        "{{ a.k.l }}",
        "{{ a['k l'] }}",
        "{{ a[0] }}",
        "{{ a.items() }}",
        "{{ a[b] is defined }}",
        "{{ b.l | length }}",
        "{% if b.k == 'v' %}yes{% endif %}",
        "{% for x in a %}{{ x }},{% endfor %}",
        "{% for a in b %}{{ a.k }}{% endfor %}",
        "{% set a = b.k %}",
        "{% set b = 1 %}",
        "{# b #}",
        "{{ a ~ b }}",
        "{{ [a, (b, 1)] }}",
        "{{ {'k': a}.k }}",
        "{{ a == b }}{{ a in [b] }}",
        "{{ a[:2] }}",
        "{{ a * 2 }}{{ a + b }}",
        "{{ '%s' % a }}{{ '{}'.format(b) }}",
        "{{ [a, b] | join('-') }}",
        "{% for x in [a, b] | map('string') %}{{ loop.last }}{{ x }}{% endfor %}",
        "{% for x in a if x %}{{ loop.index }}{% else %}none{% endfor %}",
        "{% macro m(x) %}{{ x ~ b }}{{ caller() if caller }}{% endmacro %}{{ m(a) }}{% call m(1) %}y{% endcall %}",
        "{% filter upper %}{{ a }}{% endfilter %}",
        "{% set c %}{{ a }}!{% endset %}{{ c }}{% set n = namespace(v=a) %}{% set n.v = b %}{{ n.v }}",
        "{% for x in [[1], 2] recursive %}{{ x if x is number else loop(x) }}{% endfor %}",
        "{% block c %}{{ a }}{% endblock %}{{ self.c() }}",
        "{% with c = a %}{{ c }}{% endwith %}",
    ]
) | st.text("a %s()\n<é\\'\"", max_size=6)


def said(render: Callable[[], str]) -> str:
    """Give what a rendering comes to, or why it fails."""
    try:
        return render()
    except PromptTemplateRenderError as error:
        return str(error)


def outcome(render: Callable[[], str]) -> str | None:
    """Give what a rendering comes to, None where it fails."""
    try:
        return render()
    except PromptTemplateRenderError:
        return None


def by_jinja(text: str, record: dict[str, Any]) -> str | None:
    """Give what plain Jinja makes of the decoded record, None where it fails."""
    try:
        return SandboxedEnvironment().from_string(text).render({name: decoded(v) for name, v in record.items()})
    except Exception:  # noqa: BLE001 - a template may raise anything
        return None


@given(st.lists(PIECES, max_size=4).map("".join), RECORDS)
def test_what_a_template_renders_to_is_what_jinja_says(text: str, record: dict[str, Any]) -> None:
    """No shortcut, be it joining values or decoding only the keys that are read, shows in the text."""
    assume(not template_violations(text, NATIVE, ["a", "b"]))
    template = compile_template(text, NATIVE, ["a", "b"])
    assert outcome(lambda: template.render(record)) == by_jinja(text, record)


@ENGINES
@given(text=st.lists(PIECES, max_size=4).map("".join), records=st.lists(RECORDS, max_size=4))
def test_rows_render_as_their_records_do(
    engine: JinjaRenderingEngine, text: str, records: list[dict[str, Any]]
) -> None:
    """Whole columns give, row by row, the texts and the errors that single records give."""
    assume(not template_violations(text, engine, ["a", "b"]))
    template = compile_template(text, engine, ["a", "b"])
    columns = {name: [record.get(name) for record in records] for name in "ab"}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    singly = [said(partial(template.render, row)) for row in rows]
    assert [str(rendered) for rendered in template.render_rows(columns, len(records))] == singly


@ENGINES
@pytest.mark.parametrize("text", ["fixed", "{{ a }}", "{{ a }}{{ b }}"])
def test_rows_without_a_column_render_as_records_without_it(engine: JinjaRenderingEngine, text: str) -> None:
    """A column that is not there prints as nothing, and there are still as many rows."""
    template = compile_template(text, engine, ["a", "b"])
    wanted = str(template.render_rows({"b": ["x"]}, 1)[0])
    assert [str(rendered) for rendered in template.render_rows({"b": ["x", "x"]}, 2)] == [wanted, wanted]
    assert said(lambda: template.render({"b": "x"})) == wanted


@ENGINES
def test_a_number_too_long_to_print_fails_alike_wherever_it_stands(engine: JinjaRenderingEngine) -> None:
    """Python refuses to write integers of more than 4300 digits."""
    template = compile_template("{{ a }}", engine, ["a"])
    (rendered,) = template.render_rows({"a": [10**5000]}, 1)
    with pytest.raises(PromptTemplateRenderError, match="ValueError: Exceeds the limit") as raised:
        template.render({"a": 10**5000})
    assert str(rendered) == str(raised.value)


@ENGINES
@pytest.mark.parametrize("name", ["range", "namespace", "dict", "cycler", "joiner", "lipsum", "loop"])
@pytest.mark.parametrize("compiling", [compile_template, compile_json_template])
def test_a_column_wins_over_a_function_of_jinjas_of_the_same_name(
    engine: JinjaRenderingEngine, name: str, compiling: Callable[..., Template]
) -> None:
    """It is a column as any other; where there is none of that name, the function is no column either."""
    template = compiling(f"{{{{ {name} }}}} {{{{ {name} | upper }}}}", engine, [name])
    assert template.names == (name,)
    assert template.render({name: "prod"}) == "prod PROD"
    assert template_violations(f"{{{{ {name} }}}}", engine, ["a"]) == [f"`{name}` is not a column of this dataset"]


@ENGINES
@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{% for i in range(3) %}{{ i }}{% endfor %}{{ a }}", "012x"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}{{ range }}{{ dict(k=dict).k }}", "012kmd"),
        ("{% for range in [1, 2] %}{{ range }}{% endfor %}{{ range }}", "12km"),
        ("{{ loop }}{% for i in [7] %}{{ loop.index }}{% endfor %}{{ loop }}", "l1l"),
        ("{% set range = 5 %}{{ range }}", "5"),
        ("{% macro dict(range) %}{{ range }}{% endmacro %}{{ dict(4) }}{{ range }}", "4km"),
        ("{% with dict = 1 %}{{ dict }}{% endwith %}{{ dict }}", "1d"),
    ],
)
def test_what_a_template_names_itself_hides_a_column(engine: JinjaRenderingEngine, text: str, rendered: str) -> None:
    """Variables of loops, macros and `set` are seen where Jinja says; a function that is only called stays one."""
    record = {"a": "x", "loop": "l", "dict": "d", "range": "km"}
    if not template_violations(text, engine, list(record)):
        assert compile_template(text, engine, list(record)).render(record) == rendered
    else:
        assert engine is SECURE
        assert "set" in text or "macro" in text or "with" in text


def test_a_column_that_can_only_be_hidden_is_refused() -> None:
    """`self` is the template itself, whatever the record holds."""
    assert "another name" in template_violations("{{ self }}", NATIVE, ["self"])[0]
