"""Makes valid instances of a JSON schema, the same one for the same chance.

No maintained library does this deterministically and fast, so the simulated model brings its own: what models are
asked to fill in is right by construction; where a schema also says what must not be, several are tried.
"""

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for

from data_designer.simulated_model.patterns import matching
from data_designer.simulated_model.schemas import Heights, Schema, both, merged, parts_of
from data_designer.simulated_model.seeded_rng import SeededRng

_DEEPEST = 6
"""Beyond this, optional members and elements are left out, so that recursive schemas end."""
_LARGEST = 400
"""Beyond so many values likewise, so that they end soon."""
_TRIES = 30
_OPTIONS_CHECKED = 20
_CHECKED = {
    "contains",
    "dependentSchemas",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
}
"""Keywords that an instance satisfies by luck; a schema that has none is satisfied by construction."""

_FORMATS = {
    "date": "2024-05-{:02d}",
    "date-time": "2024-05-{:02d}T10:30:00Z",
    "time": "10:{:02d}:00Z",
    "duration": "P{:d}D",
    "email": "person{:02d}@example.com",
    "hostname": "host{:d}.example.com",
    "uri": "https://example.com/{:02d}",
    "uuid": "00000000-0000-4000-8000-0000000000{:02d}",
    "ipv4": "192.0.2.{:d}",
    "ipv6": "2001:db8::{:d}",
}
_KINDS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"),
    "array": ("items", "prefixItems", "contains", "minItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""What a schema without a type is about, told by its keywords."""


class Instances:
    """The instances of one JSON schema. Raises ValueError for one that refers to what it does not hold."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.heights = Heights(schema)
        checked = any(part.keys() & _CHECKED for part in parts_of(schema))
        self._validator: Validator | None = validator_for(schema, Draft202012Validator)(schema) if checked else None

    def make(self, chance: SeededRng) -> Any:
        """A valid instance.

        Args:
            chance: decides between what is allowed.

        Raises:
            ValueError: the schema allows none.
        """
        made = _Maker(self, chance).make(self.schema, 0, "")
        for _ in range(_TRIES):
            if self._is_valid(made):
                break
            made = _Maker(self, chance).make(self.schema, 0, "")
        return made

    def _is_valid(self, made: Any) -> bool:
        try:
            return self._validator is None or self._validator.is_valid(made)
        except re.error:  # a pattern of another dialect
            return True


class _Maker:
    def __init__(self, instances: Instances, chance: SeededRng) -> None:
        self._instances = instances
        self._chance = chance
        self._made = 0

    def make(self, schema: Any, depth: int, name: str) -> Any:
        self._made += 1
        if not isinstance(schema, Mapping):
            return self._chance.words(2)
        schema = merged(self._instances.schema, schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            if not schema["enum"]:
                raise ValueError(f"the schema allows no value for '{name}'")
            return self._chance.choice(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                rest = {k: v for k, v in schema.items() if k != key}
                return self.make(both(rest, self._option(schema[key], depth)), depth, name)
        return self._by_kind(schema, depth, name)

    def _ending(self, depth: int) -> bool:
        return depth >= _DEEPEST or self._made > _LARGEST

    def _option(self, options: Sequence[Any], depth: int) -> Any:
        if self._ending(depth):
            return min(options, key=self._instances.heights.of)
        something = [o for o in options if o is not False and not (isinstance(o, Mapping) and o.get("type") == "null")]
        return self._chance.choice(something or options)

    def _by_kind(self, schema: Schema, depth: int, name: str) -> Any:
        match self._kind(schema, depth):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth, name)
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema)
            case "boolean":
                return bool(self._chance.below(2))
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _kind(self, schema: Schema, depth: int) -> str:
        kinds = schema.get("type")
        if kinds is None:
            return next((kind for kind, words in _KINDS.items() if any(w in schema for w in words)), "string")
        if isinstance(kinds, str):
            return kinds
        if self._ending(depth):
            return str(min(kinds, key=lambda kind: (kind in ("object", "array"), kind != "null")))
        return next((kind for kind in kinds if kind != "null"), "null")

    # --- objects and arrays ------------------------------------------------------------------------------

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: Schema = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        undeclared = additional if isinstance(additional, Mapping) else {}
        chosen = self._chosen(schema, depth)
        made = {key: self.make(properties[key], depth + 1, key) for key in properties if key in chosen}
        made.update({key: self.make(undeclared, depth + 1, key) for key in chosen if key not in properties})
        fewest, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        patterns: Schema = schema.get("patternProperties", {})
        if isinstance(additional, Mapping) and not self._ending(depth):
            fewest = min(most, max(fewest, len(made) + 2))
        if additional is False and not patterns:
            return made
        for _ in range(20 * fewest):
            if len(made) >= fewest:
                break
            pattern = self._chance.choice(list(patterns)) if patterns else None
            key = self._key(schema, pattern, depth, len(made))
            if key not in made:
                made[key] = self.make(patterns[pattern] if pattern else undeclared, depth + 1, key)
        return made

    def _chosen(self, schema: Schema, depth: int) -> list[str]:
        """Names of the members that are made: the required ones, and some of the others."""
        chosen = dict.fromkeys(schema.get("required", ()))
        optional = [key for key, member in schema.get("properties", {}).items() if member is not False]
        most = schema.get("maxProperties", math.inf)
        fewest = min(most, schema.get("minProperties", 0))
        wanted = [key for key in optional if key not in chosen and not self._ending(depth) and self._chance.below(4)]
        for key in [*wanted, *optional]:
            if len(chosen) < (most if key in wanted else fewest):
                chosen[key] = None
        dependents = schema.get("dependentRequired", {})
        for _ in dependents:
            chosen.update(dict.fromkeys(need for key, needs in dependents.items() if key in chosen for need in needs))
        return list(chosen)

    def _key(self, schema: Schema, pattern: str | None, depth: int, number: int) -> str:
        if pattern is not None:
            return matching(pattern, self._chance)
        if "propertyNames" in schema:
            return str(self.make(both({"type": "string"}, schema["propertyNames"]), depth + 1, ""))
        return f"{self._chance.words(1)}_{number}"

    def _array(self, schema: Schema, depth: int, name: str) -> list[Any]:
        most = schema.get("maxItems", math.inf)
        fewest = schema.get("minItems", 0)
        first = [self.make(item, depth + 1, name) for item in schema.get("prefixItems", ())]
        if "contains" in schema:
            first.extend(self.make(schema["contains"], depth + 1, name) for _ in range(schema.get("minContains", 1)))
        first = first[: len(first) if math.isinf(most) else most]
        items = schema.get("items", {})
        if items is False:
            return first
        wanted = fewest if self._ending(depth) else min(most, max(fewest, 1 + self._chance.below(3)))
        for _ in range(50 * (wanted + 1)):
            if len(first) >= wanted:
                break
            item = self.make(items, depth + 1, name)
            if not schema.get("uniqueItems") or item not in first:
                first.append(item)
        return first

    # --- numbers and strings -----------------------------------------------------------------------------

    def _integer(self, schema: Schema) -> int:
        # An integer that is a multiple of p/q, in lowest terms, is one of p.
        step = Fraction(Fraction(str(schema.get("multipleOf", 1))).numerator)
        return int(self._multiple(schema, step))

    def _number(self, schema: Schema) -> float:
        multiple = schema.get("multipleOf")
        if multiple:
            value = 0.0
            for _ in range(_OPTIONS_CHECKED):
                value = float(self._multiple(schema, Fraction(str(multiple))))
                # Validators divide floats: 8.6 is no multiple of 0.1 to them.
                if (value / multiple).is_integer():
                    break
            return value
        low, _, high, _ = _bounds(schema, 100)
        if low >= high:
            return float(low)
        # Neither end is drawn, so that it may be an exclusive one.
        digits = 3 - math.floor(math.log10(high - low))
        return round(float(low + (high - low) * Fraction(1 + self._chance.below(999), 1000)), digits)

    def _multiple(self, schema: Schema, step: Fraction) -> Fraction:
        low, low_is_out, high, high_is_out = _bounds(schema, 100 * step)
        first, last = math.ceil(low / step), math.floor(high / step)
        first += low_is_out and first * step == low
        last -= high_is_out and last * step == high
        if last < first:
            raise ValueError(f"the schema allows no number from {float(low):g} to {float(high):g}")
        return (first + self._chance.below(last - first + 1)) * step

    def _string(self, schema: Schema, name: str) -> str:
        fewest, most = schema.get("minLength", 0), schema.get("maxLength")
        pattern = schema.get("pattern")
        if pattern is not None:
            return matching(pattern, self._chance, shortest=fewest, longest=most)
        form = _FORMATS.get(schema.get("format", ""))
        if form is not None:
            return form.format(1 + self._chance.below(28))
        text = f"{name.replace('_', ' ')} {self._chance.words(2 + self._chance.below(3))}".strip()
        while len(text) < fewest:
            text += f" {self._chance.words(1)}"
        return text[:most]


def _bounds(schema: Schema, span: Fraction | int) -> tuple[Fraction, bool, Fraction, bool]:
    """The least and the greatest number, each with whether it is itself excluded; `span` apart where one is open."""
    low, low_is_out = _tightest(schema, "minimum", "exclusiveMinimum", 1)
    high, high_is_out = _tightest(schema, "maximum", "exclusiveMaximum", -1)
    if low is None:
        low = Fraction(0) if high is None else min(Fraction(0), high - span)
    return low, low_is_out, low + span if high is None else high, high_is_out


def _tightest(schema: Schema, inclusive: str, exclusive: str, sign: int) -> tuple[Fraction | None, bool]:
    given = [
        (sign * Fraction(str(schema[key])), key == exclusive)
        for key in (inclusive, exclusive)
        if isinstance(schema.get(key), int | float) and not isinstance(schema[key], bool)
    ]
    if not given:
        return None, False
    bound, is_out = max(given)
    return sign * bound, is_out


def instance(schema: Any, chance: SeededRng) -> Any:
    """A valid instance of a JSON schema that is used once.

    Args:
        schema: the schema; `$ref`s point into itself.
        chance: decides between what is allowed.

    Raises:
        ValueError: the schema allows none, or refers to what it does not hold.
    """
    return Instances(schema).make(chance)
