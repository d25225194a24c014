"""What a JSON Schema is made of: its keywords, its parts, and what its references point to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from data_designer.errors import ParserException

Schema = Mapping[str, object]


def resolved(schema: object, reference: str) -> object:
    """Find what a `$ref` points to inside its own schema.

    Raises:
        LookupError, ValueError: it points to nothing there.
    """
    if reference != "#" and not reference.startswith("#/"):
        raise LookupError(f"{reference!r} is not a path inside the schema")
    found = schema
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        match found:
            case Mapping():
                found = found[key]
            case list():
                found = found[int(key)]
            case _:
                raise LookupError(f"{reference!r} leads through what has no parts")
    return found


def parts_of(schema: object) -> Iterator[Schema]:
    """Every object in a schema, itself included."""
    match schema:
        case Mapping():
            yield schema
            for member in schema.values():
                yield from parts_of(member)
        case list():
            for member in schema:
                yield from parts_of(member)


def named(schema: Schema, keyword: str) -> Schema:
    """What a keyword such as `properties` names; nothing where the schema is without it."""
    found = schema.get(keyword)
    return found if isinstance(found, Mapping) else {}


def listed(schema: Schema, keyword: str) -> Sequence[object]:
    """What a keyword such as `anyOf` lists; nothing where the schema is without it."""
    found = schema.get(keyword)
    return found if isinstance(found, list) else ()


_SHOWN: Final = 100
"""Characters of a value that are shown."""


def mismatch(why: str) -> ParserException:
    """What an answer fails with that does not fit; the model is told it."""
    return ParserException(f"The JSON doesn't match requested <response_schema>: {why}")


def shown(value: object) -> str:
    """The beginning of a value that does not fit."""
    return repr(value)[:_SHOWN]
