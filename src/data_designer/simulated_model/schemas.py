"""What several JSON schemas ask for together, and which of them can be satisfied with the least nesting."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import reduce
from typing import TypeAlias
from urllib.parse import unquote

Schema: TypeAlias = Mapping[str, object]


def number_of(value: object) -> int | float:
    """A number of a schema. Raises ValueError for anything else."""
    if isinstance(value, int | float):
        return value
    raise ValueError(f"the schema has {value!r} where a number belongs")


def list_of(value: object) -> list[object]:
    """A list of a schema. Raises ValueError for anything else."""
    if isinstance(value, list):
        return value
    raise ValueError(f"the schema has {value!r} where a list belongs")


def object_of(value: object) -> Schema:
    """An object of a schema. Raises ValueError for anything else."""
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"the schema has {value!r} where an object belongs")


def fewest_of(schema: Schema, keyword: str) -> int:
    """A least number of things."""
    return int(number_of(schema.get(keyword, 0)))


def most_of(schema: Schema, keyword: str) -> int:
    """A greatest number of things."""
    return int(number_of(schema.get(keyword, sys.maxsize)))


def both(one: Schema, other: object) -> dict[str, object]:
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


def resolved(root: object, reference: object) -> Schema:
    """What a `$ref` into the same document points at. Raises ValueError where there is nothing."""
    if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
        raise ValueError(f"the schema refers to '{reference}'; only references into itself (#/...) are followed")
    found = root
    for part in unquote(reference.removeprefix("#")).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(key)] if isinstance(found, list) else object_of(found)[key]
        except (LookupError, ValueError):
            raise ValueError(f"the schema refers to '{reference}', which it does not define") from None
    return found if isinstance(found, Mapping) else {}


def merged(root: object, schema: Schema) -> Schema:
    """The schema with its `$ref` and `allOf` worked in. Raises ValueError where they go in a circle."""
    followed: set[object] = set()
    while "$ref" in schema:
        reference = schema["$ref"]
        if reference in followed:
            raise ValueError(f"the schema's '{reference}' refers to itself")
        followed.add(reference)
        schema = both(resolved(root, reference), {k: v for k, v in schema.items() if k != "$ref"})
    if "allOf" not in schema:
        return schema
    parts = [merged(root, part) for part in list_of(schema["allOf"]) if isinstance(part, Mapping)]
    return reduce(both, parts, {k: v for k, v in schema.items() if k != "allOf"})


def parts_of(schema: object) -> Iterator[Schema]:
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

    def __init__(self, root: object) -> None:
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

    def of(self, schema: object) -> float:
        """The height of an instance of this schema."""
        if not isinstance(schema, Mapping) or "const" in schema or "enum" in schema:
            return 0
        least = [self._targets.get(schema["$ref"], math.inf)] if "$ref" in schema else []
        least.extend(self.of(part) for part in list_of(schema.get("allOf", [])))
        least.extend(min(map(self.of, list_of(schema[key])), default=0) for key in ("anyOf", "oneOf") if key in schema)
        kinds = schema.get("type")
        if not isinstance(kinds, list) or set(kinds) <= {"object", "array"}:
            properties = object_of(schema.get("properties", {}))
            least.extend(1 + self.of(properties.get(str(key))) for key in list_of(schema.get("required", [])))
            if fewest_of(schema, "minItems") > 0:
                least.append(1 + self.of(schema.get("items")))
        return max(least, default=0)


# --- joining keyword by keyword ----------------------------------------------------------------------------


def _all_of(one: object, other: object) -> object:
    if one is False or other is False:
        return False
    if not isinstance(one, Mapping) or one == other:
        return other
    return {"allOf": [one, other]} if isinstance(other, Mapping) else one


def _each(one: object, other: object) -> object:
    first, second = object_of(one), object_of(other)
    shared = {key: _all_of(first[key], second[key]) for key in first if key in second}
    return {**first, **second, **shared}


def _larger(one: object, other: object) -> object:
    return max(number_of(one), number_of(other))


def _smaller(one: object, other: object) -> object:
    return min(number_of(one), number_of(other))


def _types(one: object, other: object) -> object:
    """The types that both allow; an integer is a number."""
    first, second = ([kinds] if isinstance(kinds, str) else list_of(kinds) for kinds in (one, other))
    common = [kind for kind in first if kind in second or (kind == "integer" and "number" in second)]
    if "integer" in second and "number" in first:
        common.append("integer")
    if not common:
        raise ValueError(f"the schema asks for {one} and {other} at once")
    return common[0] if len(common) == 1 else common


def _combinations(one: object, other: object) -> object:
    return [_all_of(first, second) for first in list_of(one) for second in list_of(other)]


def _values(one: object, other: object) -> object:
    others = list_of(other)
    return [value for value in list_of(one) if value in others]


def _names(one: object, other: object) -> object:
    return list(dict.fromkeys([*list_of(one), *list_of(other)]))


def _common_multiple(one: object, other: object) -> object:
    first, second = Fraction(str(one)), Fraction(str(other))
    common = Fraction(math.lcm(first.numerator, second.numerator), math.gcd(first.denominator, second.denominator))
    return common.numerator if common.denominator == 1 else float(common)


_JOINS: dict[str, Callable[[object, object], object]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), _larger),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), _smaller),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains"), _all_of),
    **dict.fromkeys(("properties", "patternProperties"), _each),
    **dict.fromkeys(("anyOf", "oneOf"), _combinations),
    "allOf": lambda one, other: [*list_of(one), *list_of(other)],
    "enum": _values,
    "multipleOf": _common_multiple,
    "required": _names,
    "type": _types,
    "uniqueItems": lambda one, other: one or other,
}
