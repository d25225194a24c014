"""Jinja templates over records: checked and compiled once a step, rendered once a cell."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Final

from jinja2 import Environment, Undefined, UndefinedError, nodes
from jinja2 import Template as Compiled

from data_designer.columns.templating.costs import LimitExceededError
from data_designer.columns.templating.decoding import (
    OPENING,
    OPENING_CONTAINERS,
    decoded,
    decoded_column,
    decoded_fields,
)
from data_designer.columns.templating.environments import compiled, environment, environment_for
from data_designer.columns.templating.substitution import substitution
from data_designer.config.near_names import suggestion
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.template_syntax import parsed
from data_designer.config.templates import references
from data_designer.errors import PromptTemplateRenderError, UserJinjaTemplateSyntaxError
from data_designer.values import Record

SECURE_FILTERS: Final = frozenset(
    {
        "abs",
        "capitalize",
        "escape",
        "first",
        "float",
        "forceescape",
        "int",
        "items",
        "jsonpath",
        "last",
        "length",
        "list",
        "lower",
        "max",
        "min",
        "random",
        "replace",
        "reverse",
        "round",
        "sort",
        "string",
        "title",
        "trim",
        "truncate",
        "unique",
        "upper",
        "urlencode",
    }
)
MAX_NODES: Final = 600
MAX_DEPTH: Final = 10
MAX_CHARACTERS: Final = 512_000

_ELSEWHERE: Mapping[type[nodes.Node], str] = {
    nodes.Import: "import",
    nodes.FromImport: "from ... import",
    nodes.Include: "include",
    nodes.Extends: "extends",
}
"""Constructs that need other templates, of which there are none."""
_FORBIDDEN: Mapping[type[nodes.Node], str] = {
    **_ELSEWHERE,
    nodes.Block: "block",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
}
"""Constructs that the secure engine refuses."""
_CALLABLE_TEXT = re.compile(r"<(?:built-in|bound) (?:method|function) |<function |<class '|<method-wrapper ")

_KEEPING: Final[tuple[type[nodes.Node], ...]] = (
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Block,
    nodes.CallBlock,
    nodes.Extends,
    nodes.FromImport,
    nodes.Import,
    nodes.Include,
    nodes.Macro,
)
"""Constructs that leave something in the context they are rendered in, or render others."""

Path = tuple[str | int, ...]


class Template:
    """A compiled template. Many threads may render it at once."""

    __slots__ = (
        "_compiled",
        "_constant",
        "_decoders",
        "_keeps_nothing",
        "_paths",
        "_render",
        "_secure",
        "_substitution",
        "names",
    )

    def __init__(self, compiled: Compiled, syntax: nodes.Template, names: Collection[str], *, secure: bool) -> None:
        self._secure = secure
        self._paths = tuple(dict.fromkeys(_paths(syntax)))
        self.names: tuple[str, ...] = tuple(sorted(names))
        self._decoders = {name: _decoder(name, self._paths) for name in self.names}
        self._substitution = substitution(syntax, self.names, compiled.environment)
        self._compiled = compiled
        self._keeps_nothing = not any(isinstance(node, _KEEPING) for node in syntax.find_all(nodes.Node))
        self._render = compiled.render if self._substitution is None else self._substitution.render
        self._constant = self._rendered({}) if _is_constant(syntax) else None

    def render(self, record: Record) -> str:
        """Render for a record; only the columns the template names are looked at.

        Raises:
            PromptTemplateRenderError: the template fails for this record or, under the secure engine, comes
                to nothing.
        """
        return self._nonempty(self._seen(record))

    def render_rows(
        self, columns: Mapping[str, Sequence[object]], rows: int
    ) -> Sequence[str | PromptTemplateRenderError]:
        """Render for each of some rows: what `render` returns for its record, or raises."""
        opening = OPENING if self._substitution is None else OPENING_CONTAINERS
        decoders = {name: decode for name, decode in self._decoders.items() if name in columns}
        seen = {name: decoded_column(columns[name], decode, opening) for name, decode in decoders.items()}
        if self._substitution is not None and seen:
            texts = self._substitution.render_rows(seen, MAX_CHARACTERS)
            if texts is not None and (not self._secure or all(map(_is_sound, texts))):
                return texts
        return [
            text if text is not None and (not self._secure or _is_sound(text)) else self._or_error(record)
            for text, record in self._each_row([dict(zip(seen, row, strict=True)) for row in _rows_of(seen, rows)])
        ]

    def _each_row(self, records: Sequence[dict[str, object]]) -> Iterator[tuple[str | None, dict[str, object]]]:
        """Render records that have the same columns; None is what fails."""
        render = self._next_row()
        for record in records:
            try:
                yield render(record), record
            except Exception:  # noqa: BLE001 - what it is, is found out when it is rendered alone
                yield None, record

    def _or_error(self, values: dict[str, object]) -> str | PromptTemplateRenderError:
        try:
            return self._nonempty(values)
        except PromptTemplateRenderError as error:
            return error

    def _next_row(self) -> Callable[[dict[str, object]], str]:
        """Give a way to render rows one after the other, each with the same columns, in one context.

        Making a context takes Jinja longer than rendering most templates.
        """
        if (constant := self._constant) is not None:
            return lambda _: constant
        if self._substitution is not None or not self._keeps_nothing:
            return self._render
        root, concat = self._compiled.root_render_func, self._compiled.environment.concat
        context = self._compiled.new_context()
        values, inner = context.parent, context.__dict__

        def render(row: dict[str, object]) -> str:
            values.update(row)
            inner.pop("meter", None)
            return concat(root(context))

        return render

    def text(self, record: Record) -> str:
        """Render for a record where coming to nothing is no failure.

        Raises:
            PromptTemplateRenderError: the template fails for this record.
        """
        seen = self._seen(record)
        return self._rendered(seen) if self._constant is None else self._constant

    def _seen(self, record: Record) -> dict[str, object]:
        return {name: decode(record[name]) for name, decode in self._decoders.items() if name in record}

    def _nonempty(self, values: dict[str, object]) -> str:
        text = self._rendered(values) if self._constant is None else self._constant
        if self._secure and not text.strip():
            why = _culprit(self._paths, values) or "none of its conditions holds for this record"
            raise PromptTemplateRenderError(f"the template renders to empty text: {why}")
        return text

    def _rendered(self, values: dict[str, object]) -> str:
        try:
            text = self._render(values)
        except UndefinedError as error:
            why = _culprit(self._paths, values)
            raise PromptTemplateRenderError(f"the template cannot be rendered: {why or error.message}") from error
        except LimitExceededError as error:
            raise PromptTemplateRenderError(f"the template exceeds a limit: {error}") from error
        except (RecursionError, MemoryError) as error:
            why = "deep" if isinstance(error, RecursionError) else "large"
            raise PromptTemplateRenderError(
                f"the template exceeds a limit: what it makes or calls is too {why}"
            ) from error
        # A template is the user's program and may raise anything.
        except Exception as error:
            raise PromptTemplateRenderError(
                f"the template cannot be rendered: {type(error).__name__}: {error}"
            ) from error
        return self._checked(text) if self._secure else text

    def _checked(self, text: str) -> str:
        if len(text) > MAX_CHARACTERS:
            raise PromptTemplateRenderError(
                f"the template renders to {len(text)} characters; at most {MAX_CHARACTERS} are allowed. "
                "Shorten what it interpolates, for example with the `truncate` filter."
            )
        if "<" in text and (found := _CALLABLE_TEXT.search(text)):
            raise PromptTemplateRenderError(
                f"the template prints a function ({found.group().strip()} ...>) and no value; "
                "where a key has the name of a method, write {{ column['key'] }}."
            )
        return text


def compile_template(text: str, engine: JinjaRenderingEngine, known: Collection[str]) -> Template:
    """Compile a prompt or expression.

    Raises:
        UserJinjaTemplateSyntaxError: it does not parse.
        PromptTemplateRenderError: it breaks a rule of the engine; every violation is listed.
    """
    return _compile(text, engine, known, environment_for(text, engine))


def compile_json_template(text: str, engine: JinjaRenderingEngine, known: Collection[str]) -> Template:
    """Compile a text that becomes a string inside JSON.

    Values are written as JSON writes them, and in `{{ column.items }}` a key wins over a method.

    Raises:
        UserJinjaTemplateSyntaxError: it does not parse.
        PromptTemplateRenderError: it breaks a rule of the engine; every violation is listed.
    """
    return _compile(text, engine, known, environment_for(text, engine, _json_text))


def template_violations(text: str, engine: JinjaRenderingEngine, known: Collection[str]) -> list[str]:
    """List everything that would keep a template from ever being rendered; empty when it is fine."""
    try:
        return _violations(text, environment(engine, metered=False), engine, known)
    except UserJinjaTemplateSyntaxError as error:
        return [str(error)]


def _compile(text: str, engine: JinjaRenderingEngine, known: Collection[str], within: Environment) -> Template:
    if violations := _violations(text, within, engine, known):
        raise PromptTemplateRenderError("the template is refused: " + "; ".join(violations))
    secure = engine == JinjaRenderingEngine.SECURE
    return Template(compiled(within, text), parsed(text, within), references(text), secure=secure)


_IN_NATIVE: Final = " (RunConfig(jinja_rendering_engine='native') has it)"


def _violations(text: str, within: Environment, engine: JinjaRenderingEngine, known: Collection[str]) -> list[str]:
    syntax = parsed(text, within)
    secure = engine == JinjaRenderingEngine.SECURE
    unknown = sorted(references(text).difference(known))
    found = [f"`{name}` is not a column of this dataset" for name in unknown]
    filters = SECURE_FILTERS if secure else within.filters.keys()
    used = sorted({node.name for node in syntax.find_all(nodes.Filter)})
    found += [
        f"filter `{name}` is not available{suggestion(name, filters)}{_elsewhere(name, within)}"
        for name in used
        if name not in filters
    ]
    tests = sorted({node.name for node in syntax.find_all(nodes.Test)})
    found += [
        f"there is no test `{name}`{suggestion(name, within.tests)}" for name in tests if name not in within.tests
    ]
    found += _construct_violations(syntax, _FORBIDDEN if secure else _ELSEWHERE)
    if secure:
        found += _loop_violations(syntax)
        found += _size_violations(syntax)
    elif "self" in known and any(name.name == "self" for name in syntax.find_all(nodes.Name)):
        found.append("`self` is Jinja's word for the template itself; give the column another name")
    return found


def _elsewhere(name: str, within: Environment) -> str:
    return _IN_NATIVE if name in within.filters else ""


def _construct_violations(syntax: nodes.Template, forbidden: Mapping[type[nodes.Node], str]) -> list[str]:
    words = sorted({word for kind, word in forbidden.items() if syntax.find(kind) is not None})
    hint = _IN_NATIVE if forbidden is _FORBIDDEN else ""
    return [f"`{word}` is not allowed in a template{hint}" for word in words]


def _loop_violations(syntax: nodes.Template) -> list[str]:
    found = []
    loops = list(syntax.find_all(nodes.For))
    if any(loop.recursive for loop in loops):
        found.append("a recursive `for` is not allowed")
    if any(loop.find(nodes.For) is not None for loop in loops):
        found.append(f"a `for` inside a `for` is not allowed{_IN_NATIVE}")
    if any(name.name == "self" for name in syntax.find_all(nodes.Name)):
        found.append("`self` is not allowed")
    return found


def _size_violations(syntax: nodes.Template) -> list[str]:
    found = []
    if (count := 1 + sum(1 for _ in syntax.find_all(nodes.Node))) > MAX_NODES:
        found.append(f"it has {count} syntax nodes; at most {MAX_NODES} are allowed")
    if (depth := _depth(syntax)) > MAX_DEPTH:
        found.append(f"it is nested {depth} levels deep; at most {MAX_DEPTH} are allowed")
    return found


def _depth(node: nodes.Node) -> int:
    return max((1 + _depth(child) for child in node.iter_child_nodes()), default=0)


def _is_constant(syntax: nodes.Template) -> bool:
    """Tell whether nothing in it is computed; a filter such as `random` may differ from cell to cell."""
    return all(isinstance(node, nodes.TemplateData | nodes.Output) for node in syntax.find_all(nodes.Node))


def _rows_of(seen: Mapping[str, Sequence[object]], rows: int) -> Iterable[tuple[object, ...]]:
    return zip(*seen.values(), strict=True) if seen else repeat((), rows)


def _is_sound(text: str) -> bool:
    """Tell whether a text is neither empty nor too long, and names no function."""
    if len(text) > MAX_CHARACTERS or not text.strip():
        return False
    return "<" not in text or _CALLABLE_TEXT.search(text) is None


def _decoder(name: str, paths: Collection[Path]) -> Callable[[object], object]:
    """Give a way to decode a column, or only those keys of it that are read."""
    keys = [path[1] if len(path) > 1 else None for path in paths if path[0] == name]
    fields = frozenset(key for key in keys if isinstance(key, str) and not hasattr(dict, key))
    # What is read as a whole, by position or by a method is needed whole.
    return partial(decoded_fields, fields=fields) if keys and fields.issuperset(keys) else decoded


def _paths(node: nodes.Node) -> Iterator[Path]:
    """Yield what the template reads: a column name, then keys."""
    for child in node.iter_child_nodes():
        path = _path(child)
        if path is None:
            yield from _paths(child)
        else:
            yield path


def _path(node: nodes.Node) -> Path | None:
    match node:
        case nodes.Name(ctx="load"):
            return (node.name,)
        case nodes.Getattr():
            base = _path(node.node)
            return None if base is None else (*base, node.attr)
        case nodes.Getitem(arg=nodes.Const(value=str() | int() as key)):
            base = _path(node.node)
            return None if base is None else (*base, key)
        case _:
            return None


def _culprit(paths: Collection[Path], values: Mapping[str, object]) -> str | None:
    """Name the first thing that a template reads and that is not there, null or empty."""
    for path in paths:
        value: object = values
        for depth, key in enumerate(path):
            try:
                value = _inner(value, key)
            except LookupError:
                return f"`{_dotted(path[: depth + 1])}` is missing in this record"
        if value is None or value in ([], {}) or (isinstance(value, str) and not value.strip()):
            return f"`{_dotted(path)}` is {'null' if value is None else 'empty'} in this record"
    return None


def _inner(value: object, key: str | int) -> object:
    match value, key:
        case Mapping(), _:
            return value[key]
        case Sequence(), int():
            return value[key]
        case _:
            raise LookupError(key)


def _dotted(path: Path) -> str:
    return ".".join(str(key) for key in path)


def _json_text(value: object) -> object:
    match value:
        case str() | Undefined():
            return value
        case bool() | None | dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)
