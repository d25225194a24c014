"""Bombs: templates, and records, that would take all memory or time if nothing bounded them."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from data_designer.columns.expression import ExpressionProgram
from data_designer.columns.samplers.conditions import condition_names
from data_designer.columns.templating import costs, jsonpath, metering
from data_designer.columns.templating.skip_conditions import SkipCondition
from data_designer.columns.templating.templates import compile_json_template, compile_template, template_violations
from data_designer.config.base import SkipConfig
from data_designer.config.column_configs import ExpressionColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.template_syntax import MAX_DEPTH
from data_designer.config.templates import references
from data_designer.errors import PromptTemplateRenderError, UserJinjaTemplateSyntaxError
from data_designer.plan.model import Step
from data_designer.values import Drop, Ok

SECURE, NATIVE = JinjaRenderingEngine.SECURE, JinjaRenderingEngine.NATIVE
RECORD: dict[str, Any] = {
    "x": "tea",
    "n": 1_000_000_000,
    "text": "1000000000",
    "big": "a" * 30_000,
    "wide": "%999999999d",
    "brace": "{:>999999999}",
    "list": ["a" * 100] * 300,
    "deep": "[" * 60 + "1" + "]" * 60,
}
NAMES = [*RECORD, "missing"]

BOTH = [
    "{{ (x * n) }}",
    "{{ n * x }}",
    "{{ x * text }}",
    "{{ (x * n) | length }}",
    "{{ list * n }}",
    "{{ ([x] * 9000) * 9000 }}",
    "{{ 7 ** n }}",
    "{{ (7 ** n) | string | length }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 7 ** 500000 }}",
    "{{ ('a' * 1000000000) | length }}",
    "{{ '%2000000000d' % 1 }}",
    "{{ '%.2000000000f' % 1 }}",
    "{{ '%*d' % (n, 1) }}",
    "{{ '%(a)2000000000d' % {'a': 1} }}",
    "{{ '%((a))2000000000d' % {'(a)': 1} }}",
    "{{ wide % 1 }}",
    "{{ ('%(a)s' * 1000) % {'a': big} }}",
    "{{ brace.format(1) }}",
    "{{ '{:{}}'.format(x, n) }}",
    "{{ ('{0}' * 1000).format(big) }}",
    "{{ '{a[b]}'.format_map({'a': {'b': 1}}) ~ x.center(n) }}",
    "{{ x.center(n) | trim }}",
    "{{ x.ljust(n) | length }}",
    "{{ x.rjust(n) }}",
    "{{ x.zfill(n) }}",
    "{{ '\t'.expandtabs(n) }}",
    "{{ big.replace('a', big) }}",
    "{{ big | replace('a', big) }}",
    "{{ big.replace('', big) }}",
    "{{ big.join(list) ~ big.join(big) }}",
    "{{ big.translate({97: big}) }}",
    "{{ n.to_bytes(n) }}",
    "{{ big.encode('punycode') }}",
    "{{ 5 | round(-n) }}",
    "{{ 5.5 | round(n, 'ceil') }}",
    "{{ lipsum(n=n) }}",
    "{{ dict(a=big, b=list).fromkeys(range(9999), big) | string }}",
    "{{ big | list | string | list | string | list | string }}",
    "{{ deep | jsonpath('$..*..*..*..*..*') }}",
    "{{ deep | jsonpath('$" + "[0,0,0]" * 30 + "') }}",
    "{{ big | trim(big * 30) if n else big.strip('b' * 900000) }}",
    "{{ (big * 9).rfind('a' * 30000 ~ 'b' ~ 'a' * 30000) }}",
    "{% for a in range(99999) %}{{ big }}{% endfor %}",
    "{% for a in big %}{{ big | upper }}{% endfor %}",
    "{% for a in big %}{{ 1 if big | upper | length > 3 }}{% endfor %}",
    "{% for a in big %}{% if big in big ~ x %}1{% endif %}{% endfor %}",
    "{% for a in list %}{{ list }}{% endfor %}",
    "{% for a in big %}{{ [list, a] }}{% endfor %}",
]
LIMITS = r"exceeds a limit: .*(units of work|bits|deep|digits|matches|characters|width)"
ONLY_NATIVE = [
    "{{ '%2000000000d' | format(1) }}",
    "{{ wide | format(1) }}",
    "{{ ['%2000000000d'] | format(1) }}",
    "{{ x | center(n) }}",
    "{{ x | indent(n, true) }}",
    "{{ big | indent(big, true) ~ big.replace('a', '\\n') | indent(big) }}",
    "{{ x * 9 | wordwrap(1, true, big * 99) }}",
    "{{ big | join(big) }}",
    "{{ range(99999) | join(big) }}",
    "{{ [x] * 9000 | map('center', n) | join if false else list | map('center', n) | join }}",
    "{{ big | list | map('replace', 'a', big) | join }}",
    "{{ list | map(attribute='0.0.0.0.0.0.0.0' * 9000) | list }}",
    "{{ list | sort(attribute='0,0,0,0,0,0,0,0,' * 9000) }}",
    "{{ big | batch(n, 'x') | list }}",
    "{{ big | slice(n) | list }}",
    "{{ list | tojson(indent=n) }}",
    "{{ x" + " | tojson" * 40 + " }}",
    "{{ " + "[" * 14 + "'\\\\'" + "] | string" * 14 + " * 3000 }}",
    "{{ list | sum(start=[]) ~ [list] * 999 | sum(start=[]) }}",
    "{{ range(99999) | select('in', range(99999) | list) | list }}",
    "{{ ('<!---->' * 100000) | striptags }}",
    "{{ ('a' * 500000) | wordwrap(1) }}",
    "{{ [[[[[x] * 99] * 99] * 99] * 99] * 99 }}",
    "{% filter center(2000000000) %}x{% endfilter %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{{ b }}{% endfor %}{% endfor %}",
    ("{% for a in '" + "x" * 999 + "' %}") * 3 + "{% endfor %}" * 3,
    "{% for a in range(99999) if a" + " or a" * 90 + " %}{% endfor %}",
    "{% set ns = namespace(v='a') %}{% for i in range(99) %}{% set ns.v = ns.v ~ ns.v %}{% endfor %}",
    "{% set ns = namespace(v='a') %}{% for i in range(99) %}{% set ns.v = ns.v + ns.v %}{% endfor %}",
    "{% set ns = namespace(v=[1]) %}{% for i in range(99) %}{% set ns.v = ns.v + ns.v %}{% endfor %}",
    "{% set ns = namespace(v=[1]) %}{% for i in range(99) %}{% set ns.v = [ns.v, ns.v] %}{% endfor %}",
    "{% set ns = namespace(v=[1]) %}{% for i in range(99) %}{% set ns.v = dict(a=ns.v, b=ns.v) %}{% endfor %}",
    "{% set ns = namespace(v=(1,)) %}{% for i in range(99) %}{% set ns.v = (ns.v, ns.v) %}{% endfor %}",
    "{% set ns = namespace(v=[1]) %}{% for i in range(9999) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v }}",
    "{% set ns = namespace(v=3) %}{% for i in range(99) %}{% set ns.v = ns.v * ns.v %}{% endfor %}",
    "{% set ns = namespace(v=big) %}{% for i in range(99) %}{% set ns.v %}{{ ns.v }}{{ ns.v }}{% endset %}{% endfor %}",
    "{% set v = [1] %}{% for i in range(99) %}{% set _ = v.extend(v) %}{% endfor %}",
    "{% set v = [1] %}{% for i in v %}{% set _ = v.append(1) %}{% endfor %}",
    "{% set v = [] %}{{ v.append(v) }}{{ v.append(v) }}{{ v }}",
    "{% macro m(k) %}{{ m(k - 1) }}{{ m(k - 1) }}{% endmacro %}{{ m(9) }}",
    "{% macro m(k) %}{% if k %}{{ m(k - 1) }}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% for i in big %}{% call m() %}{{ big }}{% endcall %}{% endfor %}",
    "{% for a in [1] recursive %}{{ loop([a, a]) }}{% endfor %}",
    "{% block b %}{{ self.b() }}{% endblock %}",
    "{% block b scoped %}{% for i in list %}x{% endfor %}{% endblock %}{% for i in big %}{{ self.b() }}{% endfor %}",
]


def named(value: Any) -> str:
    """Give the beginning of a text, as the name of a test."""
    return str(value)[:60]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sixteenth of the budget, so that coming to it takes no time; the bombs are larger than any machine."""
    monkeypatch.setattr(costs, "MAX_WORK", 1 << 20)
    monkeypatch.setattr(metering, "MAX_WORK", 1 << 20)
    monkeypatch.setattr(jsonpath, "MAX_MATCHES", 1 << 14)
    return iter((None,))


@pytest.mark.parametrize(
    ("text", "engine"), [*product(BOTH, [SECURE, NATIVE]), *product(ONLY_NATIVE, [NATIVE])], ids=named
)
def test_a_bomb_is_ended_at_a_limit(text: str, engine: JinjaRenderingEngine) -> None:
    """Or refused by the engine for what it is made of."""
    if found := template_violations(text, engine, NAMES):
        assert engine is SECURE
        assert "is not allowed" in found[0] or "not available" in found[0] or "levels deep" in found[0]
        return
    template = compile_template(text, engine, NAMES)
    with pytest.raises(PromptTemplateRenderError, match=LIMITS):
        template.render(RECORD)


@pytest.mark.parametrize("text", BOTH + ONLY_NATIVE, ids=named)
def test_a_bomb_is_checked_without_being_set_off(text: str) -> None:
    """Finding its names, its violations and its Python code computes nothing, and what it names is found."""
    assert references(text) <= set(NAMES)
    assert template_violations(text, NATIVE, NAMES) == []
    compile_json_template(text, NATIVE, NAMES)


@pytest.mark.parametrize(
    ("before", "inside", "after"),
    [
        ("(", "1", ")"),
        ("[", "x", "]"),
        ("{1:", "x", "}"),
        ("x[", "0", "]"),
        ("x(", "0", ")"),
        ("-", "1", ""),
        ("not ", "x", ""),
        ("1 if x else ", "0", ""),
        ("1 + ", "1", ""),
        ("", "x", ".k"),
        ("", "x", " | upper"),
        ("x or ", "x", ""),
        ("", "x", "[0]"),
    ],
)
def test_a_template_too_deep_to_be_read_is_refused_by_name(before: str, inside: str, after: str) -> None:
    """When it is declared, in place of what Python says of its own depth."""
    deep = f"{{{{ {before * 2000}{inside}{after * 2000} }}}}"
    with pytest.raises(UserJinjaTemplateSyntaxError, match=r"levels deep|nested too deeply"):
        ExpressionColumnConfig(name="e", expr=deep)
    assert "deep" in template_violations(deep, SECURE, NAMES)[0]
    with pytest.raises(UserJinjaTemplateSyntaxError, match="deep"):
        condition_names(deep[2:-2])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{% if x %}" * 500 + "{% endif %}" * 500, "deep"),
        ("{% for a in x %}" * 18 + "{% endfor %}" * 18, "loops inside each other"),
        ("{{ " + "9" * 5000 + " }}", "digits"),
    ],
)
def test_other_sources_that_cannot_be_compiled_are_refused_by_name(text: str, why: str) -> None:
    """Statements inside each other, and numbers longer than Python reads."""
    with pytest.raises(UserJinjaTemplateSyntaxError, match=why):
        references(text)


@pytest.mark.parametrize(
    ("chain", "last"), [("x or ", "x"), ("x ~ ", "x"), ("1 + ", "1"), ("x.k if n < 1 else ", "x")], ids=named
)
@pytest.mark.parametrize("length", [20, 100])
def test_long_templates_that_are_not_deep_are_rendered(chain: str, last: str, length: int) -> None:
    """Long chains are compiled, up to the limit of depth."""
    length = min(length, 50) if "if" in chain else length
    assert length < MAX_DEPTH
    assert compile_template(f"{{{{ {chain * length}{last} }}}}", NATIVE, NAMES).render(RECORD)


def test_the_row_of_a_bomb_alone_is_dropped() -> None:
    """With the column's kind of reason, and the limit in its message."""
    program = ExpressionProgram(ExpressionColumnConfig(name="e", expr="{{ x * n }}"), SECURE, NAMES)
    outcomes = [program.compute({"x": "tea", "n": n}) for n in (1, 1_000_000_000, 2)]
    assert [type(outcome) for outcome in outcomes] == [Ok, Drop, Ok]
    assert isinstance(outcomes[1], Drop)
    assert outcomes[1].reason.kind == "ExpressionTemplateRenderError"
    assert "`*` would exceed" in outcomes[1].reason.message


def test_values_too_deep_to_print_are_named() -> None:
    """They may come with a record."""
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    template = compile_template("{{ x }}{{ x | string }}", NATIVE, ["x"])
    text = json.dumps(deep)
    assert template.render({"x": text})
    with pytest.raises(PromptTemplateRenderError, match="deep"):
        compile_template("{{ [x] | tojson }}", NATIVE, ["x"]).render({"x": text})


@pytest.mark.parametrize("when", ["{{ x * n }}", "{{ 'a' in x.center(n) }}", "{% for i in x * n %}{% endfor %}1"])
def test_a_condition_that_is_a_bomb_skips_its_cell(when: str) -> None:
    """A cell in doubt costs no tokens."""
    step = Step("y", (), ("x", "n"), ("y",), "cell", "m", (), SkipConfig(when=when))
    skip_condition = SkipCondition(step)
    assert skip_condition.decide({"x": "tea", "n": 1_000_000_000}, ())
    assert skip_condition.failures == 1


@pytest.mark.parametrize(
    "text", ["(" * 3000, "[0," * 3000, "-" * 3000 + "1", "1" + "+1" * 3000, "0," * 9000], ids=named
)
def test_a_condition_is_no_way_to_have_a_text_compiled(text: str) -> None:
    """What is too long to be a value that is false is true as it stands."""
    step = Step("y", (), ("x",), ("y",), "cell", "m", (), SkipConfig(when="{{ x }}"))
    skip_condition = SkipCondition(step)
    assert skip_condition.decide({"x": text}, ())


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ x * 3 }}{{ n * 2 }}{{ 2 ** 60 }}", "teateatea20000000001152921504606846976"),
        ("{{ x.center(7) }}|{{ '%5d' % 1 }}|{{ '{:>4}'.format(x) }}", "  tea  |    1| tea"),
        ("{{ list | length }}{{ list | map('length') | sum }}{{ list[:2] | join('-') | length }}", "30030000201"),
        ("{{ big | replace('a', 'b') | length }}{{ big.count('a') }}", "3000030000"),
        (
            "{% set ns = namespace(n=0) %}{% for i in range(500) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
            "124750",
        ),
        ("{% macro m(k) %}{{ k }}{% if k %}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", "543210"),
        ("{% for a in [[1, [2]], [3]] recursive %}{{ a if a is number else loop(a) }}{% endfor %}", "123"),
        ("{% for a in list[:3] if a %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "1/3 2/3 3/3 "),
        ("{% for a in [1, 2] | map('string') %}{{ loop.last }}{{ a }}{% endfor %}", "False1True2"),
        ("{% for a in missing %}{{ a }}{% else %}none{% endfor %}", "none"),
        ("{% macro m(l) %}{{ l.index }}{% endmacro %}{% for a in [1, 2] %}{{ m(loop) }}{% endfor %}", "12"),
        (
            "{{ cycler('a', 'b').next() }}{{ dict(a=1).a }}{{ [3, 1] | sort }}{{ {'a': [1]} | tojson }}",
            'a1[1, 3]{"a": [1]}',
        ),
        ("{{ 5 | round(2) }}{{ 5.678 | round(1, 'floor') }}{{ 1234.5 | round(-2) | int }}", "55.61200"),
        ("{{ 'a b c' | wordwrap(3) }}{{ '<b>x</b>' | striptags }}{{ x | indent(2, true) }}", "a b\ncx  tea"),
    ],
)
def test_what_is_within_the_limits_is_what_jinja_says(text: str, made: str) -> None:
    """Counting changes nothing."""
    assert compile_template(text, NATIVE, NAMES).render(RECORD) == made
