"""What several JSON schemas ask for together, and which of them can be satisfied with the least nesting."""

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any
from urllib.parse import unquote

Schema = Mapping[str, Any]


def both(one: Schema, other: Any) -> dict[str, Any]:
    """A schema that asks for what either asks for.

    Args:
        one: a schema without `$ref` of its own, unless `other` has none.
        other: another; True asks for nothing.
    """
    if not isinstance(other, Mapping):
        return dict(one)
    joined = {**one, **other}
    for key in one.keys() & other.keys():
        join = _JOINS.get(key)
        if join is not None:
            joined[key] = join(one[key], other[key])
    return joined


def resolved(root: Any, reference: str) -> Schema:
    """What a `$ref` into the same document points at. Raises ValueError where there is nothing."""
    if reference != "#" and not reference.startswith("#/"):
        raise ValueError(f"the schema refers to '{reference}'; only references into itself (#/...) are followed")
    found = root
    for part in unquote(reference.removeprefix("#")).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (LookupError, ValueError, TypeError):
            raise ValueError(f"the schema refers to '{reference}', which it does not define") from None
    return found if isinstance(found, Mapping) else {}


def merged(root: Any, schema: Schema) -> Schema:
    """The schema with its `$ref` and `allOf` worked in. Raises ValueError where they go in a circle."""
    followed: set[str] = set()
    while "$ref" in schema:
        reference = schema["$ref"]
        if reference in followed:
            raise ValueError(f"the schema's '{reference}' refers to itself")
        followed.add(reference)
        schema = both(resolved(root, reference), {k: v for k, v in schema.items() if k != "$ref"})
    if "allOf" not in schema:
        return schema
    parts = [merged(root, part) for part in schema["allOf"] if isinstance(part, Mapping)]
    return reduce(both, parts, {k: v for k, v in schema.items() if k != "allOf"})


def parts_of(schema: Any) -> Iterator[Schema]:
    """Every object in a schema, itself included."""
    if isinstance(schema, Mapping):
        yield schema
        for member in schema.values():
            yield from parts_of(member)
    elif isinstance(schema, list):
        for member in schema:
            yield from parts_of(member)


class Heights:
    """How deep the flattest instance of a schema is; infinite for one that never ends."""

    def __init__(self, root: Any) -> None:
        targets = {
            part["$ref"]: resolved(root, part["$ref"]) for part in parts_of(root) if isinstance(part.get("$ref"), str)
        }
        self._targets = dict.fromkeys(targets, math.inf)
        # Each round finds the height of at least one more target, or none is left that ends.
        for _ in targets:
            found = {reference: self.of(target) for reference, target in targets.items()}
            if found == self._targets:
                break
            self._targets = found

    def of(self, schema: Any) -> float:
        """The height of an instance of this schema."""
        if not isinstance(schema, Mapping) or "const" in schema or "enum" in schema:
            return 0
        least = [self._targets.get(schema["$ref"], math.inf)] if "$ref" in schema else []
        least.extend(self.of(part) for part in schema.get("allOf", ()))
        least.extend(min(map(self.of, schema[key]), default=0) for key in ("anyOf", "oneOf") if key in schema)
        kinds = schema.get("type")
        if not isinstance(kinds, list) or set(kinds) <= {"object", "array"}:
            properties = schema.get("properties", {})
            least.extend(1 + self.of(properties.get(key)) for key in schema.get("required", ()))
            if schema.get("minItems", 0) > 0:
                least.append(1 + self.of(schema.get("items")))
        return max(least, default=0)


# --- joining keyword by keyword ----------------------------------------------------------------------------


def _all_of(one: Any, other: Any) -> Any:
    if one is False or other is False:
        return False
    if not isinstance(one, Mapping) or one == other:
        return other
    return {"allOf": [one, other]} if isinstance(other, Mapping) else one


def _each(one: Schema, other: Schema) -> dict[str, Any]:
    shared = {key: _all_of(one[key], other[key]) for key in one if key in other}
    return {**one, **other, **shared}


def _types(one: Any, other: Any) -> Any:
    """The types that both allow; an integer is a number."""
    first, second = ([kinds] if isinstance(kinds, str) else kinds for kinds in (one, other))
    common = [kind for kind in first if kind in second or (kind == "integer" and "number" in second)]
    if "integer" in second and "number" in first:
        common.append("integer")
    if not common:
        raise ValueError(f"the schema asks for {one} and {other} at once")
    return common[0] if len(common) == 1 else common


def _combinations(one: list[Any], other: list[Any]) -> list[Any]:
    return [_all_of(first, second) for first in one for second in other]


def _common_multiple(one: float, other: float) -> float:
    first, second = Fraction(str(one)), Fraction(str(other))
    common = Fraction(math.lcm(first.numerator, second.numerator), math.gcd(first.denominator, second.denominator))
    return common.numerator if common.denominator == 1 else float(common)


_JOINS: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), min),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains"), _all_of),
    **dict.fromkeys(("properties", "patternProperties"), _each),
    **dict.fromkeys(("anyOf", "oneOf"), _combinations),
    "allOf": lambda one, other: [*one, *other],
    "enum": lambda one, other: [value for value in one if value in other],
    "multipleOf": _common_multiple,
    "required": lambda one, other: [*one, *(name for name in other if name not in one)],
    "type": _types,
    "uniqueItems": lambda one, other: one or other,
}
