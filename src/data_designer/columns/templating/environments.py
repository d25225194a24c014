"""The Jinja environments in which templates are rendered."""

from collections.abc import Callable, Collection, Iterable
from functools import cache
from itertools import islice
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateSyntaxError, nodes, tests
from jinja2 import Template as Compiled
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS
from jinja2.nativetypes import NativeEnvironment, native_concat
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment

from data_designer.columns.templating.costs import MAX_PRECISION, LimitExceededError
from data_designer.columns.templating.growth import grows
from data_designer.columns.templating.jsonpath import jsonpath
from data_designer.columns.templating.metering import MeteredEnvironment
from data_designer.columns.templating.scalar_text import ScalarText, said
from data_designer.columns.templating.seeded_random import chosen
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.template_syntax import parsed
from data_designer.config.templates import references
from data_designer.errors import PromptTemplateRenderError

_FUNCTION = "__function"
"""What follows the name of a function of Jinja's where a column has that name."""
_OF_DICTS = frozenset(dir(dict))
_LONGEST_LITERAL = 4096
"""Characters of a text that a condition may be read as a Python value; what is longer is true anyway."""
_OF_WHAT_IS_SAID = ("boolean", "false", "float", "integer", "none", "number", "sameas", "true")


@cache
def environment(
    engine: JinjaRenderingEngine, finalize: Callable[[object], object] | None = None, *, metered: bool
) -> Environment:
    """Give the environment for templates that become text.

    Args:
        engine: Under the secure one, templates can change nothing.
        finalize: Turns a value into what is printed; where there is one, `{{ column.items }}` is a key, if there is
            one, and not a method.
        metered: Whether renderings have a budget. What cannot grow needs none, and is rendered faster without.
    """
    sandbox = ImmutableSandboxedEnvironment if engine == JinjaRenderingEngine.SECURE else SandboxedEnvironment
    bases = (
        *((MeteredEnvironment,) if metered else ()),
        *((_KeysWin,) if finalize else ()),
        _Lookups,
        sandbox,
    )
    return _equipped(type("_Environment", bases, {})(finalize=finalize, optimized=False))


@cache
def condition_environment() -> Environment:
    """Give the environment for templates that become values, where nothing may be missing."""
    return _equipped(_Values(undefined=StrictUndefined, optimized=False))


@cache
def expression_environment() -> Environment:
    """Give the environment for expressions without braces, where nothing may be missing."""
    return _equipped(_Expressions(undefined=StrictUndefined, optimized=False))


def environment_for(
    text: str, engine: JinjaRenderingEngine, finalize: Callable[[object], object] | None = None
) -> Environment:
    """Give the environment that a text needs.

    Raises:
        UserJinjaTemplateSyntaxError: it does not parse.
    """
    plain = environment(engine, finalize, metered=False)
    return environment(engine, finalize, metered=True) if grows(parsed(text, plain)) else plain


def compiled(within: Environment, text: str) -> Compiled:
    """Compile a text so that it renders fast.

    Raises:
        UserJinjaTemplateSyntaxError: it does not parse.
        PromptTemplateRenderError: Jinja cannot compile it, or Python what Jinja makes of it.
    """
    try:
        syntax = parsed(text, within)
        functions = _called_functions(syntax, references(text))
        template = within.from_string(syntax)
    except TemplateSyntaxError as error:
        raise PromptTemplateRenderError(f"the template cannot be compiled: {error.message}") from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise PromptTemplateRenderError(
            f"the template is nested too deeply to be compiled ({error or 'out of memory'}); "
            "use fewer parentheses, brackets and statements inside each other"
        ) from error
    # Jinja copies a template's globals at every render; from its own chain of mappings that costs more than all else.
    template.globals = dict(template.globals) | {name + _FUNCTION: template.globals[name] for name in functions}
    return template


def _called_functions(syntax: nodes.Template, columns: Collection[str]) -> set[str]:
    """Rename functions of Jinja's that are called where a column of that name is read, as no column can be called."""
    found = set()
    bound = {node.name for node in syntax.find_all(nodes.Name) if node.ctx != "load"}
    bound.update(node.name for node in syntax.find_all(nodes.Macro))
    for call in syntax.find_all(nodes.Call):
        match call.node:
            case nodes.Name(name=name) if name in DEFAULT_NAMESPACE and name in columns and name not in bound:
                call.node = nodes.Name(name + _FUNCTION, "load", lineno=call.lineno)
                found.add(name)
    return found


def _equipped(made: Environment) -> Environment:
    made.filters |= {"jsonpath": jsonpath, "round": _rounded, "random": chosen}
    made.tests |= {name: _of_what_is_said(name) for name in _OF_WHAT_IS_SAID}
    made.tests |= {"even": _is_even, "odd": _is_odd, "divisibleby": _is_divisible}
    # JSON has no number that keeps all digits of a decimal.
    made.policies["json.dumps_kwargs"] = {"sort_keys": True, "default": str}
    if isinstance(made, MeteredEnvironment):
        made.meter_all()
    return made


class _Lookups(SandboxedEnvironment):
    """An environment in which keys are looked up fast, and a text that says a number as that number too."""

    def getattr(self, obj: object, attribute: str) -> object:
        # As Jinja does, without an exception where a dict has no such attribute; most of what is read are keys.
        if type(obj) is dict and attribute not in _OF_DICTS:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: object) -> object:
        try:
            return obj[argument]
        except (TypeError, LookupError):
            if not isinstance(argument, ScalarText):
                return super().getitem(obj, argument)
        try:
            return obj[said(argument)]
        except (TypeError, LookupError):
            return super().getitem(obj, argument)


class _KeysWin(SandboxedEnvironment):
    """An environment in which `{{ column.items }}` is the key `items` where there is one."""

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


class _Expressions(MeteredEnvironment, _Lookups):
    """A sandbox for expressions."""


class _Values(MeteredEnvironment, _Lookups, NativeEnvironment):
    """A sandbox whose templates give Python values instead of text."""

    @staticmethod
    def concat(parts: Iterable[object]) -> Any:
        parts = iter(parts)
        first = list(islice(parts, 2))
        if not first:
            return None
        if len(first) > 1:
            text = MeteredEnvironment.concat(map(str, (*first, *parts)))
        elif isinstance(first[0], str) and not isinstance(first[0], ScalarText):
            text = first[0]
        else:
            return first[0]
        if len(text) > _LONGEST_LITERAL:
            return text
        try:
            return native_concat([text])
        except RecursionError:
            return text


def _of_what_is_said(name: str) -> Callable[..., object]:
    test: Callable[..., object] = getattr(tests, f"test_{name}")
    return lambda value, *args: test(said(value), *args)


def _is_even(value: object) -> bool:
    return bool(_number(value) % 2 == 0)


def _is_odd(value: object) -> bool:
    return bool(_number(value) % 2 == 1)


def _is_divisible(value: object, by: object) -> bool:
    return bool(_number(value) % _number(by) == 0)


def _rounded(value: object, precision: object = 0, method: str = "common") -> object:
    digits = _number(precision)
    if abs(digits) > MAX_PRECISION:
        raise LimitExceededError(f"`round` would give more than {MAX_PRECISION} digits")
    return FILTERS["round"](_number(value), int(digits), method)


def _number(value: object) -> Any:
    """Give what is calculated with; a text that says no number would be formatted or repeated instead."""
    value = said(value)
    if isinstance(value, str | bytes | list | tuple):
        raise TypeError(f"a {type(value).__name__} is no number")
    return value
