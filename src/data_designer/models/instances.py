"""Makes a valid instance of a JSON schema, the same one for the same bytes of chance.

No maintained library does this deterministically and fast, so the simulated model brings its own: enough of
draft 2020-12 for what models are asked to fill in.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

_DEEPEST = 6
"""Beyond this, optional members and elements are left out, so that recursive schemas end."""

_WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "field",
    "grove",
    "harbor",
    "island",
    "juniper",
    "kettle",
    "lantern",
    "meadow",
    "north",
    "orchard",
    "prairie",
    "quartz",
    "river",
    "summit",
    "timber",
    "upland",
    "valley",
    "willow",
    "yonder",
    "zephyr",
    "bright",
    "calm",
    "steady",
    "quick",
    "gentle",
    "bold",
    "clear",
    "warm",
]
_FORMATS = {
    "date": "2024-05-{:02d}",
    "date-time": "2024-05-{:02d}T10:30:00Z",
    "time": "10:{:02d}:00Z",
    "email": "person{:02d}@example.com",
    "uri": "https://example.com/{:02d}",
    "uuid": "00000000-0000-4000-8000-0000000000{:02d}",
    "ipv4": "192.0.2.{:d}",
}


class Chance:
    """An endless stream of bytes that depends only on its seed."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0
        self._buffer = b""

    def below(self, limit: int) -> int:
        """An integer of [0, limit)."""
        if len(self._buffer) < 4:
            self._counter += 1
            self._buffer = hashlib.blake2b(self._seed, salt=self._counter.to_bytes(8)).digest()
        drawn, self._buffer = int.from_bytes(self._buffer[:4]), self._buffer[4:]
        return drawn % max(1, limit)

    def choice(self, options: Sequence[Any]) -> Any:
        """One of some values."""
        return options[self.below(len(options))]

    def words(self, count: int) -> str:
        """Some words."""
        return " ".join(self.choice(_WORDS) for _ in range(count))


def instance(schema: Any, chance: Chance) -> Any:
    """A valid instance of a JSON schema.

    Args:
        schema: the schema; `$ref`s point into itself.
        chance: decides between what is allowed.
    """
    return _Maker(schema, chance).make(schema, 0, "")


class _Maker:
    def __init__(self, root: Any, chance: Chance) -> None:
        self._root = root
        self._chance = chance

    def make(self, schema: Any, depth: int, name: str) -> Any:
        if not isinstance(schema, Mapping):
            return self._chance.words(2)
        schema = self._merged(schema, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                rest = {k: v for k, v in schema.items() if k != key}
                return self.make(_joined(rest, self._option(schema[key], depth)), depth, name)
        return self._by_type(schema, depth, name)

    def _merged(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        while "$ref" in schema:
            rest = {k: v for k, v in schema.items() if k != "$ref"}
            schema = _joined(self._resolve(schema["$ref"]), rest)
        for part in schema.get("allOf", ()):
            schema = _joined({k: v for k, v in schema.items() if k != "allOf"}, self._merged(part, depth))
        return schema

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        found = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                found = found[part.replace("~1", "/").replace("~0", "~")]
        return found if isinstance(found, Mapping) else {}

    def _option(self, options: Sequence[Any], depth: int) -> Any:
        null = next((o for o in options if isinstance(o, Mapping) and o.get("type") == "null"), None)
        if depth >= _DEEPEST and null is not None:
            return null
        rest = [o for o in options if o is not null] or list(options)
        return self._chance.choice(rest)

    def _by_type(self, schema: Mapping[str, Any], depth: int, name: str) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        match kind:
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

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        properties: Mapping[str, Any] = schema.get("properties", {})
        made = {
            key: self.make(member, depth + 1, key)
            for key, member in properties.items()
            if key in required or (depth < _DEEPEST and self._chance.below(4))
        }
        made.update({key: self._chance.words(1) for key in required - set(properties)})
        additional = schema.get("additionalProperties")
        fewest = schema.get("minProperties", 0)
        if isinstance(additional, Mapping) and depth < _DEEPEST:
            fewest = max(fewest, len(made) + 2)
        while len(made) < fewest:
            key = f"{self._chance.choice(_WORDS)}_{len(made)}"
            made[key] = self.make(additional if isinstance(additional, Mapping) else {}, depth + 1, key)
        return made

    def _array(self, schema: Mapping[str, Any], depth: int, name: str) -> list[Any]:
        first = [self.make(item, depth + 1, name) for item in schema.get("prefixItems", ())]
        fewest = schema.get("minItems", 0)
        most = schema.get("maxItems", max(fewest, len(first), 3))
        wanted = fewest if depth >= _DEEPEST else min(most, max(fewest, 1 + self._chance.below(3)))
        items = schema.get("items", {})
        if items is False:
            return first
        for _ in range(50 * (wanted + 1)):
            if len(first) >= wanted:
                break
            item = self.make(items, depth + 1, name)
            if not schema.get("uniqueItems") or item not in first:
                first.append(item)
        return first

    def _bounds(self, schema: Mapping[str, Any], gap: float) -> tuple[float, float]:
        low = schema.get("minimum", -math.inf)
        if "exclusiveMinimum" in schema:
            low = max(low, schema["exclusiveMinimum"] + gap)
        high = schema.get("maximum", math.inf)
        if "exclusiveMaximum" in schema:
            high = min(high, schema["exclusiveMaximum"] - gap)
        if math.isinf(low):
            low = min(0, high - 100) if not math.isinf(high) else 0
        return low, high if not math.isinf(high) else low + 100

    def _integer(self, schema: Mapping[str, Any]) -> int:
        low, high = self._bounds(schema, 1)
        step = int(schema.get("multipleOf", 1)) or 1
        first, last = math.ceil(low / step), math.floor(high / step)
        return (first + self._chance.below(last - first + 1)) * step

    def _number(self, schema: Mapping[str, Any]) -> float:
        step = schema.get("multipleOf")
        if step:
            low, high = self._bounds(schema, step)
            first, last = math.ceil(low / step), math.floor(high / step)
            return float((first + self._chance.below(last - first + 1)) * step)
        low, high = self._bounds(schema, 1e-6)
        return round(low + (high - low) * self._chance.below(1001) / 1000, 6)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        form = _FORMATS.get(schema.get("format", ""))
        if form is not None:
            return form.format(1 + self._chance.below(28))
        pattern = schema.get("pattern")
        if pattern is not None:
            return _matching(pattern, self._chance)
        fewest, most = schema.get("minLength", 0), schema.get("maxLength", 1 << 30)
        text = f"{name.replace('_', ' ')} {self._chance.words(2 + self._chance.below(3))}".strip()
        while len(text) < fewest:
            text += f" {self._chance.choice(_WORDS)}"
        return text[:most]


def _joined(one: Mapping[str, Any], other: Any) -> dict[str, Any]:
    if not isinstance(other, Mapping):
        return dict(one)
    joined = {**one, **other}
    if "properties" in one and "properties" in other:
        joined["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        joined["required"] = [*one["required"], *(r for r in other["required"] if r not in one["required"])]
    return joined


def _matching(pattern: str, chance: Chance) -> str:
    """A text for patterns made of literals, classes and counts; anything else gets words."""
    import re._parser as parser

    def build(parts: Any) -> str:
        made = []
        for operation, argument in parts:
            match str(operation):
                case "LITERAL":
                    made.append(chr(argument))
                case "IN":
                    made.append(_member(argument, chance))
                case "MAX_REPEAT" | "MIN_REPEAT":
                    low, high, inner = argument
                    made.extend(build(inner) for _ in range(low + chance.below(min(high, low + 3) - low + 1)))
                case "SUBPATTERN":
                    made.append(build(argument[-1]))
                case "BRANCH":
                    made.append(build(chance.choice(argument[1])))
                case "ANY":
                    made.append("a")
                case _:
                    pass
        return "".join(made)

    return build(parser.parse(pattern))


def _member(members: Any, chance: Chance) -> str:
    operation, argument = chance.choice(members)
    match str(operation):
        case "RANGE":
            return chr(argument[0] + chance.below(argument[1] - argument[0] + 1))
        case "LITERAL":
            return chr(argument)
        case "CATEGORY" if "DIGIT" in str(argument):
            return str(chance.below(10))
        case "CATEGORY" if "SPACE" in str(argument):
            return " "
        case _:
            return "a"
