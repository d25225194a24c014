"""Regular expressions of users, judged in time that no text can stretch."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

import jsonschema_rs
from pydantic_core import SchemaError, SchemaValidator, core_schema

Search = Callable[[str], bool]
"""Whether a text holds a match."""

_MOST_STEPS: Final = 100_000
"""Ways that are tried for an expression that looks around or back; beyond, a text does not match."""
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords of a schema that hold values, not schemas."""


@lru_cache(maxsize=1000)
def matcher(pattern: str) -> Search:
    """Prepare a regular expression.

    It is what it is for pydantic: in the syntax of Rust's `regex`, which takes time in proportion to the text. One
    that looks around or refers back, which that cannot, is what it is in JavaScript, and tries so many ways only.

    Raises:
        ValueError: neither can read it.
    """
    try:
        schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True)
        return SchemaValidator(schema).isinstance_python
    except SchemaError:
        pass
    limit = jsonschema_rs.FancyRegexOptions(backtrack_limit=_MOST_STEPS)
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=limit).is_valid
    except jsonschema_rs.ValidationError:
        raise ValueError(f"{pattern!r} is no regular expression that Rust or JavaScript can read") from None


def patterns_of(schema: object) -> Iterator[str]:
    """All regular expressions in a schema."""
    match schema:
        case Mapping():
            if isinstance(pattern := schema.get("pattern"), str):
                yield pattern
            if isinstance(named := schema.get("patternProperties"), Mapping):
                yield from named
            for keyword, value in schema.items():
                if keyword not in _DATA:
                    yield from patterns_of(value)
        case list():
            for value in schema:
                yield from patterns_of(value)
