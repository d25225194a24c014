"""Makes valid instances of a JSON schema, the same one for the same generator.

No maintained library does this deterministically and fast, so the simulated model brings its own: what models are
asked to fill in is right by construction; where a schema also says what must not be, several are tried.
"""

import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for

from data_designer.simulated_model.material import Material
from data_designer.simulated_model.patterns import matching
from data_designer.simulated_model.schemas import (
    Heights,
    Schema,
    both,
    fewest_of,
    list_of,
    merged,
    most_of,
    number_of,
    object_of,
    parts_of,
)
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.usual_numbers import ANY, Shape, Usual, drawn, usual
from data_designer.simulated_model.vocabulary import last_word, suited, tells

_DEEPEST = 6
"""Beyond this, optional members and elements are left out, so that recursive schemas end."""
_LARGEST = 400
"""Beyond so many values likewise, so that they end soon."""
_TRIES = 30
_OPTIONS_CHECKED = 20
_FEWEST = 2
"""Numbers that one would believe; where a schema allows fewer of them, any that it allows will do."""
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
    "date": "20{year:02d}-{month:02d}-{day:02d}",
    "date-time": "20{year:02d}-{month:02d}-{day:02d}T{hour:02d}:{day:02d}:00Z",
    "time": "{hour:02d}:{day:02d}:00Z",
    "duration": "P{day}D",
    "email": "person{number:04d}@example.com",
    "hostname": "host{number}.example.com",
    "uri": "https://example.com/{number:04d}",
    "uuid": "{number:08x}-{number:04x}-4{month:03x}-8{day:03x}-{year:04x}{number:08x}",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{number:x}",
}
"""Format to how a value of it is written."""
_QUOTES = frozenset(("citation", "evidence", "excerpt", "passage", "quotation", "quote", "snippet", "span"))
_REFERENCES = frozenset(("id", "identifier", "sku", "code", "reference", "number", "order", "ticket"))
_KINDS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"),
    "array": ("items", "prefixItems", "contains", "minItems", "uniqueItems"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""What a schema without a type is about, told by its keywords."""


class Instances:
    """The instances of one JSON schema. Raises ValueError for one that refers to what it does not hold."""

    def __init__(self, schema: object) -> None:
        self.schema = schema
        self.heights = Heights(schema)
        self.numbers: dict[Hashable, _Numbers] = {}
        """What numbers a part of it allows, as far as that was found out."""
        self._parts = {id(part) for part in parts_of(schema)}
        self._merged: dict[int, Schema] = {}
        """Parts, by their identity, with what they refer to."""
        self._validator: Validator | None = None
        if isinstance(schema, Mapping) and any(part.keys() & _CHECKED for part in parts_of(schema)):
            self._validator = validator_for(schema, Draft202012Validator)(schema)

    def merged(self, part: Schema) -> Schema:
        """A part of it with its `$ref` and `allOf` worked in. Raises ValueError where they go in a circle."""
        known = self._merged.get(id(part))
        if known is None:
            known = merged(self.schema, part)
            if id(part) in self._parts:
                self._merged[id(part)] = known
        return known

    def make(self, rng: SeededRng, material: Material | None = None) -> object:
        """A valid instance.

        Args:
            rng: decides between what is allowed.
            material: what its texts may be about.

        Raises:
            ValueError: the schema allows none.
        """
        made = _Maker(self, rng, material).make(self.schema, 0, "")
        for left in reversed(range(_TRIES)):
            if self._is_valid(made):
                break
            is_believable = left > _TRIES // 2
            made = _Maker(self, rng, material, is_believable=is_believable).make(self.schema, 0, "")
        return made

    def _is_valid(self, made: Any) -> bool:
        try:
            return self._validator is None or self._validator.is_valid(made)
        except re.error:  # a pattern of another dialect
            return True


class _Maker:
    """Makes one instance; of values that one would believe of a property of that name, as far as the schema allows."""

    def __init__(
        self, instances: Instances, rng: SeededRng, material: Material | None, *, is_believable: bool = True
    ) -> None:
        self._instances = instances
        self._rng = rng
        self._material = material
        self._is_believable = is_believable
        self._made = 0

    def make(self, schema: object, depth: int, name: str) -> object:
        self._made += 1
        if not isinstance(schema, Mapping):
            return self._rng.words(2)
        schema = self._instances.merged(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            values = list_of(schema["enum"])
            if not values:
                raise ValueError(f"the schema allows no value for '{name}'")
            return self._of(values, name)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                rest = {k: v for k, v in schema.items() if k != key}
                return self.make(both(rest, self._option(list_of(schema[key]), depth)), depth, name)
        return self._by_kind(schema, depth, name)

    def _ending(self, depth: int) -> bool:
        return depth >= _DEEPEST or self._made > _LARGEST

    def _option(self, options: Sequence[object], depth: int) -> object:
        if self._ending(depth):
            return min(options, key=self._instances.heights.of)
        something = [o for o in options if o is not False and not (isinstance(o, Mapping) and o.get("type") == "null")]
        kinds = {str(o.get("type")): o for o in something if isinstance(o, Mapping)}
        if len(something) == 2 and kinds.keys() == {"number", "string"}:
            # A decimal, as pydantic declares one: the text may say any number, the number only those that are allowed.
            return kinds["number"]
        return self._rng.choice(something or options)

    def _by_kind(self, schema: Schema, depth: int, name: str) -> object:
        match self._kind(schema, depth):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth, name)
            case "integer":
                return self._integer(schema, name)
            case "number":
                return self._number(schema, name)
            case "boolean":
                return bool(self._rng.below(2))
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
        names = [str(kind) for kind in list_of(kinds)]
        if self._ending(depth):
            return min(names, key=lambda kind: (kind in ("object", "array"), kind != "null"))
        return next((kind for kind in names if kind != "null"), "null")

    # --- objects and arrays ------------------------------------------------------------------------------

    def _object(self, schema: Schema, depth: int) -> dict[str, object]:
        properties = object_of(schema.get("properties", {}))
        additional = schema.get("additionalProperties")
        undeclared = additional if isinstance(additional, Mapping) else {}
        chosen = self._chosen(schema, depth)
        made = {key: self.make(properties[key], depth + 1, key) for key in properties if key in chosen}
        made.update({key: self.make(undeclared, depth + 1, key) for key in chosen if key not in properties})
        fewest, most = fewest_of(schema, "minProperties"), most_of(schema, "maxProperties")
        patterns = object_of(schema.get("patternProperties", {}))
        if isinstance(additional, Mapping) and not self._ending(depth):
            fewest = min(most, max(fewest, len(made) + 2))
        if additional is False and not patterns:
            return made
        for _ in range(20 * fewest):
            if len(made) >= fewest:
                break
            pattern = self._rng.choice(list(patterns)) if patterns else None
            key = self._key(schema, pattern, depth, len(made))
            if key not in made:
                made[key] = self.make(patterns[pattern] if pattern else undeclared, depth + 1, key)
        return made

    def _chosen(self, schema: Schema, depth: int) -> list[str]:
        """Names of the members that are made: the required ones, and some of the others."""
        chosen = dict.fromkeys(map(str, list_of(schema.get("required", []))))
        optional = [key for key, member in object_of(schema.get("properties", {})).items() if member is not False]
        most = most_of(schema, "maxProperties")
        fewest = min(most, fewest_of(schema, "minProperties"))
        wanted = [key for key in optional if key not in chosen and not self._ending(depth) and self._rng.below(4)]
        for key in [*wanted, *optional]:
            if len(chosen) < (most if key in wanted else fewest):
                chosen[key] = None
        dependents = object_of(schema.get("dependentRequired", {}))
        for _ in dependents:
            needs = [str(need) for key, ones in dependents.items() if key in chosen for need in list_of(ones)]
            chosen.update(dict.fromkeys(needs))
        return list(chosen)

    def _key(self, schema: Schema, pattern: str | None, depth: int, number: int) -> str:
        if pattern is not None:
            return matching(pattern, self._rng)
        if "propertyNames" in schema:
            return str(self.make(both({"type": "string"}, schema["propertyNames"]), depth + 1, ""))
        return f"{self._rng.words(1)}_{number}"

    def _array(self, schema: Schema, depth: int, name: str) -> list[object]:
        most, fewest = most_of(schema, "maxItems"), fewest_of(schema, "minItems")
        first = [self.make(item, depth + 1, name) for item in list_of(schema.get("prefixItems", []))]
        if "contains" in schema:
            must = fewest_of({"minContains": 1, **schema}, "minContains")
            first.extend(self.make(schema["contains"], depth + 1, name) for _ in range(must))
        first = first[:most]
        items = schema.get("items", {})
        if items is False:
            return first
        wanted = fewest if self._ending(depth) else min(most, max(fewest, 1 + self._rng.below(3)))
        for tries in range(50 * (wanted + 1)):
            if len(first) >= wanted:
                break
            # There may be fewer believable ones than have to be there.
            item = self.make(items, depth + 1, name if tries < 5 * (wanted + 1) else "")
            if not schema.get("uniqueItems") or item not in first:
                first.append(item)
        return first

    # --- numbers and strings -----------------------------------------------------------------------------

    def _of(self, values: list[object], name: str) -> object:
        """One of the values of an enumeration; on a scale of numbers some are likelier than others."""
        known = self._usual(name)
        numbers = [value for value in values if type(value) is int]
        if not known.is_scale or len(numbers) < len(values):
            return self._rng.choice(values)
        return sorted(numbers)[drawn(self._rng, len(numbers), known.shape)]

    def _usual(self, name: str) -> Usual:
        return usual(name) if name and self._is_believable else ANY

    def _integer(self, schema: Schema, name: str) -> int:
        # An integer that is a multiple of p/q, in lowest terms, is one of p.
        numbers = self._numbers(schema, name, _whole_step)
        return int(self._multiple(numbers))

    def _number(self, schema: Schema, name: str) -> float:
        multiple = schema.get("multipleOf")
        if multiple:
            numbers, value = self._numbers(schema, name, _given_step), 0.0
            for _ in range(_OPTIONS_CHECKED):
                value = self._multiple(numbers)
                # Validators divide floats: 8.6 is no multiple of 0.1 to them.
                if (value / number_of(multiple)).is_integer():
                    break
            return value
        numbers = self._numbers(schema, name, _no_step)
        if numbers.shape is not None:
            return self._multiple(numbers)
        low, high = numbers.bounds.low, numbers.bounds.high
        if low >= high:
            return float(low)
        # Neither end is drawn, so that it may be an exclusive one.
        digits = 3 - math.floor(math.log10(high - low))
        return round(float(low + (high - low) * Fraction(1 + self._rng.below(999), 1000)), digits)

    def _multiple(self, numbers: "_Numbers") -> float:
        """One of some numbers that are so many steps apart."""
        if numbers.count < 1:
            low, high = numbers.bounds.low, numbers.bounds.high
            raise ValueError(f"the schema allows no number from {float(low):g} to {float(high):g}")
        steps = numbers.first + drawn(self._rng, numbers.count, numbers.shape or "even")
        return steps * numbers.step.numerator / numbers.step.denominator

    def _numbers(self, schema: Schema, name: str, step: "Callable[[Schema, Usual], Fraction]") -> "_Numbers":
        """What numbers there are; fractions are slow, so it is found out once."""
        known = self._usual(name)
        key = (id(known), step, *(str(schema.get(word)) for word in _KINDS["number"]))
        numbers = self._instances.numbers.get(key)
        if numbers is None:
            numbers = self._instances.numbers[key] = _numbers_of(schema, known, step)
        return numbers

    def _string(self, schema: Schema, name: str) -> str:
        fewest, most = fewest_of(schema, "minLength"), most_of(schema, "maxLength")
        pattern = schema.get("pattern")
        if pattern is not None:
            return matching(str(pattern), self._rng, shortest=fewest, longest=most)
        form = _FORMATS.get(str(schema.get("format", "")))
        if form is not None:
            below = self._rng.below
            month, day = 1 + below(12), 1 + below(28)
            return form.format(month=month, day=day, year=15 + below(11), hour=below(24), number=below(10_000))
        text = self._suited(name) if name and self._is_believable else None
        if text is None:
            text = self._rng.words(2 + self._rng.below(3))
        while len(text) < fewest:
            text += f" {self._rng.words(1)}"
        return text[:most]

    def _suited(self, name: str) -> str | None:
        """What one would believe of a property of this name; of what the prompt says, where it says something."""
        material = self._material
        if material is None:
            return suited(self._rng, name)
        last = last_word(name)
        if last in _QUOTES and material.passages:
            return self._rng.choice(material.passages)
        if last in _REFERENCES and material.references:
            return self._rng.choice(material.references)
        text = suited(self._rng, name, material.topic(self._rng) if tells(name) else "")
        return self._rng.choice(material.words) if text is None and material.for_lookups and material.words else text


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Multiples of a step, `count` of them from the `first`; one that one would believe, if its shape is known."""

    bounds: "_Bounds"
    """Of all that is allowed."""
    step: Fraction
    first: int
    count: int
    shape: Shape | None


def _numbers_of(schema: Schema, known: Usual, step_of: Callable[[Schema, Usual], Fraction]) -> _Numbers:
    step = step_of(schema, known)
    bounds = _bounds(schema, 100 * step if step_of is not _no_step else 100)
    first, count = _multiples(_believable(schema, bounds, known), step)
    if known is ANY or count < _FEWEST:
        return _Numbers(bounds, step, *_multiples(bounds, step), None)
    return _Numbers(bounds, step, first, count, known.shape)


def _whole_step(schema: Schema, _: Usual) -> Fraction:
    return Fraction(Fraction(str(schema.get("multipleOf", 1))).numerator)


def _given_step(schema: Schema, _: Usual) -> Fraction:
    return Fraction(str(schema["multipleOf"]))


def _no_step(_: Schema, known: Usual) -> Fraction:
    return Fraction(1, 10**known.decimals)


class _Bounds(NamedTuple):
    """The least and the greatest number, each with whether it is itself excluded."""

    low: Fraction
    low_is_out: bool
    high: Fraction
    high_is_out: bool


def _bounds(schema: Schema, span: Fraction | int) -> _Bounds:
    """What a schema allows; `span` apart where one end is open."""
    low, low_is_out = _tightest(schema, "minimum", "exclusiveMinimum", 1)
    high, high_is_out = _tightest(schema, "maximum", "exclusiveMaximum", -1)
    if low is None:
        low = Fraction(0) if high is None else min(Fraction(0), high - span)
    return _Bounds(low, low_is_out, low + span if high is None else high, high_is_out)


def _believable(schema: Schema, bounds: _Bounds, known: Usual) -> _Bounds:
    """The part of what a schema allows that one would believe; all of it where that is nothing."""
    low, _ = _tightest(schema, "minimum", "exclusiveMinimum", 1)
    high, _ = _tightest(schema, "maximum", "exclusiveMaximum", -1)
    if known is ANY or (known.is_scale and low is not None and high is not None):
        return bounds
    least = known.low if low is None else max(low, known.low)
    most = known.high if high is None else min(high, known.high)
    if least >= most:
        return bounds
    return _Bounds(least, bounds.low_is_out and least == low, most, bounds.high_is_out and most == high)


def _multiples(bounds: _Bounds, step: Fraction) -> tuple[int, int]:
    """The first multiple of a step within bounds, in steps, and how many there are."""
    first, last = math.ceil(bounds.low / step), math.floor(bounds.high / step)
    first += bounds.low_is_out and first * step == bounds.low
    last -= bounds.high_is_out and last * step == bounds.high
    return first, last - first + 1


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
