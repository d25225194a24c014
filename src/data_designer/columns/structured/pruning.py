"""Removes from an answer what its JSON Schema does not declare, and nothing else."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from data_designer.columns.patterns import Search, matcher
from data_designer.columns.structured.schemas import Schema, listed, mismatch, named, resolved, shown

_STRUCTURE: Final = frozenset(
    {"$ref", "allOf", "properties", "patternProperties", "additionalProperties", "if", "then", "else"}
)
"""Keywords beside which `anyOf` and `oneOf` add to an object instead of offering a choice."""
_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "deprecated", "$comment"})
_MAX_HOPS: Final = 16
"""References followed in a row; a schema that only refers to itself ends here."""
_PLACES: Final = re.compile(r"\\\.\??\\d\{0,(\d+)\}")
"""The digits after the point in the pattern by which pydantic describes a decimal."""


Judge = Callable[[object], bool]
"""Tells whether a value fits one part of the schema."""
_Chosen = dict[tuple[int, int], object]
"""What was chosen for a part of an answer where the schema offers a choice, by the identities of both."""


@dataclass(slots=True)
class _Node:
    """What pruning needs to know of one place in the schema."""

    properties: dict[str, "_Node"] = field(default_factory=dict)
    patterns: list[tuple[Search, "_Node"]] = field(default_factory=list)
    others: "_Node | None" = None
    """Shape of properties that are not declared by name."""
    closed: bool = False
    """Whether undeclared properties are removed."""
    items: "_Node | None" = None
    prefix: tuple["_Node", ...] = ()
    branches: tuple["_Branch", ...] = ()
    tag: str = ""
    """Property by which a branch is chosen, where the schema names one."""
    tagged: dict[object, "_Node"] = field(default_factory=dict)
    is_decimal: bool = False
    places: int | None = None


@dataclass(frozen=True, slots=True)
class _Branch:
    """One of the schemas a choice is made from."""

    node: _Node
    fits: Judge
    types: frozenset[str]
    """JSON types it admits; empty when it names none."""


class Pruner:
    """A schema prepared for pruning. Prepared once, used for every answer.

    An object loses properties only where its schema declares some and says nothing of others; maps (a schema
    or true as `additionalProperties`) and objects without declared properties keep all they hold. Where the
    schema offers a choice, the branch that fits and loses least decides.
    """

    def __init__(self, schema: object, judge_for: Callable[[object], Judge]) -> None:
        """Prepare a schema.

        Args:
            schema: The whole schema.
            judge_for: Makes the judge of a part of it.

        Raises:
            LookupError: it refers to something outside itself.
        """
        self._root = schema
        self._judge_for = judge_for
        self.has_decimals = False
        """Whether a place of the schema holds a decimal."""
        self._nodes: dict[int, _Node] = {}
        self._made: list[Schema] = []
        self._node = self._compiled(schema)

    def prune(self, value: object) -> object:
        """Give a copy of the value without what the schema does not declare, its decimals rounded, as `Decimal`.

        Raises:
            ParserException: a discriminator has a value that no variant is for.
        """
        return self._pruned(self._node, value, {})

    def judged(self, pruned: object) -> object:
        """A pruned value, or a part of it, as a validator takes it, which knows no decimals."""
        return _with_floats(pruned) if self.has_decimals else pruned

    # --- preparing ---------------------------------------------------------------------------------------

    def _compiled(self, schema: object) -> _Node:
        schema = self._aimed_at(schema)
        if not isinstance(schema, Mapping):
            return _Node()
        known = self._nodes.get(id(schema))
        if known is None:
            known = self._nodes[id(schema)] = _Node()
            self._fill(known, schema)
        return known

    def _aimed_at(self, schema: object) -> object:
        """Follow references, and `allOf` with a single item, that stand alone."""
        for _ in range(_MAX_HOPS):
            if not isinstance(schema, Mapping):
                break
            match schema:
                case {"$ref": str(ref)} if schema.keys() <= {"$ref", *_ANNOTATIONS}:
                    schema = resolved(self._root, ref)
                case {"allOf": [only]} if schema.keys() <= {"allOf", *_ANNOTATIONS}:
                    schema = only
                case _:
                    break
        return schema

    def _fill(self, node: _Node, schema: Schema) -> None:
        if (digits := decimal_places(schema)) is not None:
            node.is_decimal, node.places = True, digits[0]
            self.has_decimals = True
        elif choice := _choice(schema):
            self._fill_choice(node, schema, choice)
        else:
            parts = list(self._parts(schema, frozenset()))
            self._fill_object(node, parts)
            self._fill_array(node, parts)

    def _fill_choice(self, node: _Node, schema: Schema, choice: Sequence[object]) -> None:
        match schema.get("discriminator"):
            case {"propertyName": str(tag), "mapping": Mapping() as variants} if variants:
                node.tag = tag
                node.tagged = {key: self._compiled(resolved(self._root, ref)) for key, ref in variants.items()}
        node.branches = tuple(
            _Branch(self._compiled(part), self._judge_for(part), self._types(part)) for part in choice
        )

    def _fill_object(self, node: _Node, parts: list[Schema]) -> None:
        declared: dict[str, list[object]] = {}
        for part in parts:
            for name, schema in named(part, "properties").items():
                declared.setdefault(name, []).append(schema)
            for pattern, schema in named(part, "patternProperties").items():
                node.patterns.append((matcher(pattern), self._compiled(schema)))
        node.properties = {name: self._merged(schemas) for name, schemas in declared.items()}
        additional = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
        is_open = any(value is not False for value in additional) or any(
            part.get("unevaluatedProperties", False) is not False for part in parts
        )
        node.closed = not is_open and bool(declared or node.patterns or additional)
        maps: list[object] = [value for value in additional if isinstance(value, Mapping)]
        node.others = self._merged(maps) if maps else None

    def _fill_array(self, node: _Node, parts: list[Schema]) -> None:
        for part in parts:
            if "items" in part:
                node.items = self._compiled(part["items"])
            if "prefixItems" in part:
                node.prefix = tuple(map(self._compiled, listed(part, "prefixItems")))

    def _merged(self, schemas: list[object]) -> _Node:
        if len(schemas) == 1:
            return self._compiled(schemas[0])
        both: Schema = {"allOf": schemas}
        self._made.append(both)  # keeps its id from being used again
        return self._compiled(both)

    def _parts(self, schema: object, seen: frozenset[str]) -> Iterator[Schema]:
        """Yield all schemas that describe one place: the schema itself and what it refers to or combines."""
        if not isinstance(schema, Mapping):
            return
        yield schema
        if isinstance(ref := schema.get("$ref"), str) and ref not in seen:
            yield from self._parts(resolved(self._root, ref), seen | {ref})
        for keyword in ("allOf", "anyOf", "oneOf"):
            for part in listed(schema, keyword):
                yield from self._parts(part, seen)
        for keyword in ("if", "then", "else"):
            yield from self._parts(schema.get(keyword), seen)

    def _types(self, schema: object) -> frozenset[str]:
        match self._aimed_at(schema):
            case {"type": str(kind)}:
                return frozenset({kind})
            case {"type": list(kinds)}:
                return frozenset(kinds)
            case _:
                return frozenset()

    # --- pruning -----------------------------------------------------------------------------------------

    def _pruned(self, node: _Node, value: object, chosen: _Chosen) -> object:
        if node.is_decimal:
            return _rounded(value, node.places)
        if node.branches:
            return self._chosen(node, value, chosen)
        match value:
            case dict():
                return self._pruned_object(node, value, chosen)
            case list():
                return self._pruned_array(node, value, chosen)
            case _:
                return value

    def _pruned_object(self, node: _Node, value: dict[str, object], chosen: _Chosen) -> dict[str, object]:
        kept = {}
        for name, item in value.items():
            inner = node.properties.get(name)
            if inner is None:
                inner = next((shape for is_named, shape in node.patterns if is_named(name)), node.others)
            if inner is not None:
                kept[name] = self._pruned(inner, item, chosen)
            elif not node.closed:
                kept[name] = item
        return kept

    def _pruned_array(self, node: _Node, value: list[object], chosen: _Chosen) -> list[object]:
        if node.items is None and not node.prefix:
            return value
        first = [self._pruned(shape, item, chosen) for shape, item in zip(node.prefix, value, strict=False)]
        rest = value[len(first) :]
        return first + (rest if node.items is None else [self._pruned(node.items, item, chosen) for item in rest])

    def _chosen(self, node: _Node, value: object, chosen: _Chosen) -> object:
        if not isinstance(value, dict | list):
            return self._best(node, value, chosen)
        # What is inside several variants is looked at once for each of them, and not once for each way to it.
        key = id(node), id(value)
        if key not in chosen:
            chosen[key] = self._best(node, value, chosen)
        return chosen[key]

    def _best(self, node: _Node, value: object, chosen: _Chosen) -> object:
        if node.tagged and isinstance(value, dict):
            return self._pruned(_variant(node, value), value, chosen)
        types = _json_types(value)
        fitting = [branch for branch in node.branches if not branch.types or branch.types & types]
        if len(fitting) == 1:
            return self._pruned(fitting[0].node, value, chosen)
        candidates = ((branch, self._pruned(branch.node, value, chosen)) for branch in fitting)
        valid = [pruned for branch, pruned in candidates if branch.fits(self.judged(pruned))]
        return max(valid, key=_size, default=value)


def _variant(node: _Node, value: dict[str, object]) -> _Node:
    tag = value.get(node.tag)
    # A list or an object is no key of a dict, so it is told apart before the look-up.
    if not isinstance(tag, str | int | None) or tag not in node.tagged:
        raise mismatch(
            f"property `{node.tag}` is {shown(tag)} and has to be one of {', '.join(map(repr, node.tagged))}."
        )
    return node.tagged[tag]


def _choice(schema: Schema) -> Sequence[object]:
    """Give the branches of a schema that does nothing but offer a choice; none of another."""
    if _STRUCTURE.intersection(schema) or ("anyOf" in schema and "oneOf" in schema):
        return ()
    return listed(schema, "anyOf") or listed(schema, "oneOf")


def decimal_places(schema: Schema) -> tuple[int | None] | None:
    """Recognise a decimal (number, or string with a pattern, or null); gives its places after the point."""
    branches = [part for part in listed(schema, "anyOf") if isinstance(part, Mapping)]
    kinds = {part.get("type") if isinstance(part.get("type"), str) else "" for part in branches}
    patterns = [part["pattern"] for part in branches if part.get("type") == "string" and "pattern" in part]
    if not patterns or not {"number", "string"} <= kinds <= {"number", "string", "null"}:
        return None
    places = _PLACES.findall(patterns[0])
    return (int(places[-1]) if places else None,)


def _rounded(value: object, places: int | None) -> object:
    """Give a decimal, rounded; what is no number, or would become another one, is left as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        number = Decimal(str(value).strip())
        if places is not None:
            number = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except InvalidOperation:
        return value
    return number if number.is_finite() and math.isfinite(float(number)) else value


def _with_floats(value: object) -> object:
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: _with_floats(item) for name, item in value.items()}
        case list():
            return [_with_floats(item) for item in value]
        case _:
            return value


def _json_types(value: object) -> frozenset[str]:
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int() | float():
            return frozenset({"integer", "number"} if value == value // 1 else {"number"})
        case str():
            return frozenset({"string"})
        case dict():
            return frozenset({"object"})
        case _:
            return frozenset({"array"})


def _size(value: object) -> int:
    match value:
        case dict():
            return 1 + sum(map(_size, value.values()))
        case list():
            return 1 + sum(map(_size, value))
        case _:
            return 1
