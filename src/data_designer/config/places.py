"""Where in a declaration a fault is: the column and the field, the file and the line."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from data_designer.config.wording import fault
from data_designer.errors import InvalidConfigError

if TYPE_CHECKING:
    from data_designer.config.yaml_text import Document

NOUNS = {
    "columns": "column",
    "model_configs": "model",
    "providers": "provider",
    "processors": "processor",
    "tool_configs": "tool config",
    "constraints": "constraint",
    "profilers": "profiler",
    "scores": "score",
}
"""List of a declaration to what one of its members is called."""
WRAPPER = "data_designer"
"""Key under which a file may hold a declaration."""
_MUST_BE = "must be "
_NAMES = ("name", "alias", "tool_alias")

Path = tuple[int | str, ...]
"""Keys and places in lists that lead to a value."""


def path_in(content: object, loc: Sequence[int | str], *, is_missing: bool = False) -> Path:
    """Where in what was given a fault is: its location without the kinds that pydantic has put between.

    Args:
        content: what was given.
        loc: the location.
        is_missing: whether it ends with a field that is not there.
    """
    path: list[int | str] = []
    for place, part in enumerate(loc):
        match content:
            case dict() if part in content:
                content = content[part]
            case list() if isinstance(part, int) and part < len(content):
                content = content[part]
            case _ if not is_missing or place < len(loc) - 1:
                continue
        path.append(part)
    return tuple(path)


def named(content: object, path: Path) -> str:
    """What a path leads to, in words: the column, and the field of it."""
    parts: list[str] = []
    field: list[str] = []
    inside = ""
    for part in path:
        if isinstance(part, int) and inside in NOUNS:
            content = content[part] if isinstance(content, list) else None
            name = _name_of(content)
            parts.append(f"{NOUNS[inside]} '{name}'" if name else f"{NOUNS[inside]} {part + 1}")
            field = []
        else:
            content = content.get(part) if isinstance(content, dict) else None
            field.append(str(part))
        if part == WRAPPER:
            field = []
        inside = str(part)
    if field and parts:
        return f"{', '.join(parts)}, field '{'.'.join(field)}'"
    return ", ".join(parts) or ".".join(field)


def _name_of(content: object) -> str:
    names = [content.get(name) for name in _NAMES] if isinstance(content, dict) else []
    return next((name for name in names if name and isinstance(name, str)), "")


def placed(
    error: ValidationError, content: object, place: Callable[[Path], str], before: Path = (), depth: int = 0
) -> list[InitErrorDetails]:
    """The faults of an error, each with its place and its name where pydantic has a location.

    Args:
        error: what was raised.
        content: what was given as a whole.
        place: the file and line to which a path leads.
        before: the path in `content` to what the error is about.
        depth: how much of a location of the error leads there too.
    """
    faults: dict[str, dict[str, str]] = {}
    for one in error.errors():
        path = path_in(content, (*before, *one["loc"][depth:]), is_missing=one["type"] == "missing")
        where = ": ".join(filter(None, (place(path), named(content, path))))
        faults.setdefault(where, {}).setdefault(one["msg"], one["type"])
    return [_fault(where, words, kind) for where, found in faults.items() for words, kind in _together(found).items()]


def _fault(where: str, words: str, kind: str) -> InitErrorDetails:
    return fault(kind, f"{where}: {words}" if where else words, ())


def _together(found: Mapping[str, str]) -> Mapping[str, str]:
    """What is said of one value: where it might be of several kinds, and is of none, that is one fault."""
    kinds = [words for words in found if words.startswith(_MUST_BE)]
    if len(kinds) < 2:
        return found
    *first, last = kinds
    words = " or ".join([*(one.partition(", not ")[0] for one in first), last.removeprefix(_MUST_BE)])
    return {words: found[last]} | {words: kind for words, kind in found.items() if words not in kinds}


Kind = TypeVar("Kind", bound=BaseModel)


def members(document: "Document", name: str, key: str, kind: type[Kind]) -> list[Kind]:
    """The members of a list that a file holds under a key.

    Args:
        document: what was read.
        name: what the file is called in messages.
        key: the key.
        kind: what each of them is.

    Raises:
        InvalidConfigError: there is no such list.
        pydantic.ValidationError: members are wrong, all at once.
    """
    content = document.value
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise InvalidConfigError(f"{name} must hold a list under the key '{key}'")
    made: list[Kind] = []
    faults: list[InitErrorDetails] = []
    for number, one in enumerate(content[key]):
        try:
            made.append(kind.model_validate(one))
        except ValidationError as error:
            faults += placed(error, content, lambda path: f"{name}:{document.line(path)}", (key, number))
    if faults:
        raise ValidationError.from_exception_data(name, faults, hide_input=True)
    return made
