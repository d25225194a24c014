"""Whether a value fits a JSON Schema: what jsonschema says, said faster where that is safe.

A schema's meaning is what jsonschema says, but for regular expressions: what they match is decided in `patterns`. Its
verdicts come from jsonschema-rs, two orders of magnitude faster, wherever both are known to judge alike; jsonschema
itself is imported only where it is needed.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, Protocol

import jsonschema_rs
import orjson

from data_designer.columns.patterns import matcher
from data_designer.columns.structured.schemas import Schema, named, resolved

if TYPE_CHECKING:
    from jsonschema import ValidationError

_PATTERN: Final = "pattern-judged-here"
"""The keyword under which a pattern is handed to jsonschema-rs, which then has `patterns` judge it."""
_WATCHED: Final = "counted-here"
"""The keyword by which jsonschema-rs counts how often it comes to a schema that refers to itself."""
_MOST_WORK: Final = 200_000
"""Times that an answer may be compared with a schema that refers to itself: with several variants inside one another
they are as many as variants to the power of levels."""
_WORK_OF_JSONSCHEMA: Final = 40
"""As many as one of jsonschema's comparisons counts for, by the time it takes."""
_MAX_LEVELS: Final = 16
"""Schemas that look at the same value inside one another. Times orjson's 254 levels of a value it bounds the stack
that jsonschema-rs needs; a schema that refers to itself for the same value exceeds it too."""
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: Final = frozenset({"string", "number", "integer", "boolean", "null"})
_ALIKE: Final = frozenset(
    {"type", "enum", "const", "required", "dependentRequired", "uniqueItems", "minContains", "maxContains"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"}
    | {"minItems", "maxItems", "minProperties", "maxProperties"}
)
"""Keywords without inner schemas that both libraries judge alike."""
_SAME_VALUE: Final = frozenset({"not", "if", "then", "else", "allOf", "anyOf", "oneOf", "dependentSchemas"})
_INNER_VALUE: Final = frozenset(
    {"items", "contains", "additionalProperties", "propertyNames", "prefixItems", "properties"}
)
_BY_NAME: Final = frozenset({"properties", "dependentSchemas"})
_DOUBTFUL: Final = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor"}
    | {"patternProperties", "multipleOf", "unevaluatedItems", "unevaluatedProperties"}
)
"""Keywords that the libraries read differently: another regex dialect, other rounding, other notions of scope."""


class WorkError(Exception):
    """A value cannot be compared with a schema in reasonable time."""


class _Work(threading.local):
    left: float = math.inf


_WORK: Final = _Work()


def limit_work(work: float = _MOST_WORK) -> None:
    """What this thread judges from now on may take so much work in all."""
    _WORK.left = work


class Validator(Protocol):
    """What is used of a validator of jsonschema, which takes any value."""

    def is_valid(self, instance: object) -> bool:
        """Whether a value fits."""

    def iter_errors(self, instance: object) -> "Iterator[ValidationError]":
        """Where a value does not fit."""

    def descend(self, instance: object, schema: object, *, path: str, schema_path: str) -> "Iterator[ValidationError]":
        """Where a part of a value does not fit."""

    def evolve(self, *, schema: object) -> "Validator":
        """The same for another schema."""


class SchemaCheck:
    """Tells whether values fit a schema, exactly as jsonschema does. Prepared once, used for every answer."""

    def __init__(self, schema: object, root: object) -> None:
        """Prepare a schema.

        Args:
            schema: The schema, or a part of it.
            root: The whole schema, inside which references lead.
        """
        self._schema = schema
        self._root = root
        self.quick: Final = _quick(schema, root)
        """The validator of jsonschema-rs; None where it might judge differently."""

    def fits(self, value: object) -> bool:
        """Tell whether a value fits.

        Raises:
            RecursionError: it is nested too deeply.
            WorkError: it would take too long, where that was limited.
        """
        if self.quick is not None and _is_plain(value):
            fits = self.quick.is_valid(value)
            if _WORK.left < 0:
                raise WorkError
            return fits
        try:
            return self.exact.is_valid(value)
        except BaseException as error:
            # Where the stack ends inside the Rust code that jsonschema looks references up with, that code panics.
            if type(error).__name__ == "PanicException":
                raise RecursionError("the schema or the value is nested too deeply") from None
            raise

    @cached_property
    def exact(self) -> Validator:
        """The validator of jsonschema, which also finds the words for what does not fit."""
        from referencing import Registry

        # An explicit registry keeps the validator from fetching references over the network.
        whole = exact_validator()(self._root, registry=Registry())
        return whole if self._schema is self._root else whole.evolve(schema=self._schema)


@cache
def exact_validator() -> Callable[..., Validator]:
    """The class of jsonschema's validators that judge with our regular expressions."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    own = {
        "$ref": _reference,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional,
    }
    validator: Callable[..., Validator] = extend(Draft202012Validator, own)  # type: ignore[no-untyped-call]
    return validator


def _reference(validator: Validator, ref: str, instance: object, schema: Schema) -> "Iterator[ValidationError]":
    from jsonschema import Draft202012Validator

    _WORK.left -= _WORK_OF_JSONSCHEMA
    if _WORK.left < 0:
        raise WorkError
    yield from Draft202012Validator.VALIDATORS["$ref"](validator, ref, instance, schema)


def _pattern(_: Validator, pattern: str, instance: object, __: Schema) -> "Iterator[ValidationError]":
    from jsonschema import ValidationError

    if isinstance(instance, str) and not matcher(pattern)(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Validator, patterns: Schema, instance: object, _: Schema
) -> "Iterator[ValidationError]":
    if isinstance(instance, dict):
        for pattern, inner in patterns.items():
            for name in filter(matcher(pattern), instance):
                yield from validator.descend(instance[name], inner, path=name, schema_path=pattern)


def _additional(validator: Validator, allowed: object, instance: object, schema: Schema) -> "Iterator[ValidationError]":
    """As jsonschema judges it, where all properties are declared that some pattern is for."""
    from jsonschema import Draft202012Validator

    if isinstance(instance, dict) and (patterns := named(schema, "patternProperties")):
        matching = (name for pattern in patterns for name in filter(matcher(pattern), instance))
        schema = {"properties": {**named(schema, "properties"), **dict.fromkeys(matching, True)}}
    yield from Draft202012Validator.VALIDATORS["additionalProperties"](validator, allowed, instance, schema)


class _Pattern:
    """The keyword `pattern` of jsonschema-rs."""

    def __init__(self, parent_schema: object, value: str, schema_path: object) -> None:  # noqa: ARG002 - its form
        self._search = matcher(value)

    def validate(self, instance: object) -> None:
        """Raise for a string that does not match."""
        if isinstance(instance, str) and not self._search(instance):
            raise ValueError


class _Watch:
    """The keyword of jsonschema-rs that counts."""

    def __init__(self, parent_schema: object, value: bool, schema_path: object) -> None:
        pass

    def validate(self, _: object) -> None:
        """Raise where there was too much work: then nothing fits any more, and it is over soon."""
        _WORK.left -= 1
        if _WORK.left < 0:
            raise ValueError


class _DoubtfulError(Exception):
    """The two libraries may judge a schema differently."""


class _Rewriter:
    """Copies a schema so that jsonschema-rs judges as jsonschema does.

    It keeps what both read alike, leaves out what jsonschema ignores, and gathers what is referred to under
    `$defs`, since a part of a schema refers to the whole.
    """

    def __init__(self, root: object) -> None:
        self._root = root
        self._names: dict[tuple[str, int], str] = {}
        self._targets: dict[str, object] = {}
        self._recursive: set[str] = set()

    def rewritten(self, schema: object) -> dict[str, object]:
        """Copy the schema and all that it refers to.

        Raises:
            _DoubtfulError: it may be judged differently, or is no schema.
            LookupError, ValueError: a reference leads out of the whole schema, or nowhere.
        """
        copy = self._copy(schema, 0)
        return {"allOf": [copy], "$defs": self._targets}

    def _copy(self, schema: object, level: int) -> object:
        """Copy one schema; so many others around it look at the same value."""
        if isinstance(schema, bool):
            return schema
        if level > _MAX_LEVELS or not isinstance(schema, Mapping) or _is_doubtful(schema):
            raise _DoubtfulError
        copy: dict[str, object] = {}
        for keyword, value in schema.items():
            if keyword in _ALIKE:
                copy[keyword] = value
            elif keyword == "pattern":
                copy[_PATTERN] = value
            elif keyword == "$ref":
                copy[keyword] = f"#/$defs/{self._target(str(value), level + 1)}"
            elif keyword in _SAME_VALUE:
                copy[keyword] = self._inner(keyword, value, level + 1)
            elif keyword in _INNER_VALUE:
                copy[keyword] = self._inner(keyword, value, 0)
        return copy

    def _inner(self, keyword: str, value: object, level: int) -> object:
        match value:
            case Mapping() if keyword in _BY_NAME:
                return {name: self._copy(schema, level) for name, schema in value.items()}
            case list():
                return [self._copy(schema, level) for schema in value]
            case _:
                return self._copy(value, level)

    def _target(self, ref: str, level: int) -> str:
        name = self._names.get((ref, level))
        if name is None:
            name = self._names[ref, level] = str(len(self._names))
            copy = self._copy(resolved(self._root, ref), level)
            self._targets[name] = {"allOf": [{_WATCHED: True}, copy]} if name in self._recursive else copy
        elif name not in self._targets:  # It is being copied.
            self._recursive.add(name)
        return name


def _quick(schema: object, root: object) -> jsonschema_rs.Validator | None:
    """Make the fast validator of a schema that both libraries judge alike."""
    try:
        copy = _Rewriter(root).rewritten(schema)
        if not _is_plain(copy):
            return None
        return jsonschema_rs.Draft202012Validator(
            copy,
            validate_formats=False,  # jsonschema takes formats as annotations
            offline=True,  # nothing is fetched; what refers outside has been left to jsonschema before
            keywords={_PATTERN: _Pattern, _WATCHED: _Watch},
        )
    except (_DoubtfulError, LookupError, ValueError, TypeError, RecursionError, jsonschema_rs.ReferencingError):
        return None


def _is_plain(value: object) -> bool:
    """Tell whether a value is the same after a way through JSON text.

    What is not may be judged differently, or worse: jsonschema-rs takes infinity and NaN for no numbers, refuses
    lone surrogates, and ends the process on values of 100,000 levels. orjson stops at 254 levels.
    """
    try:
        return bool(orjson.loads(orjson.dumps(value)) == value)
    except (ValueError, TypeError, RecursionError):
        return False


def _is_doubtful(schema: Schema) -> bool:
    if not _DOUBTFUL.isdisjoint(schema) or schema.get("$schema", _DIALECT) != _DIALECT:
        return True
    # jsonschema finds equal items by sorting them, and misses some lists among lists that mix true with 1.
    return schema.get("uniqueItems", False) is not False and not _holds_scalars(schema)


def _holds_scalars(schema: Schema) -> bool:
    items = schema.get("items")
    types = items.get("type") if isinstance(items, Mapping) and "prefixItems" not in schema else None
    return types is not None and _SCALARS.issuperset([types] if isinstance(types, str) else types)
