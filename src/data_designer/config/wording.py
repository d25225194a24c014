"""What pydantic finds wrong with a value, in the words of who wrote it: what is wrong, and what is allowed."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from data_designer.config.near_names import nearest, suggestion

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from data_designer.config.base import ConfigBase

_SECRET = re.compile(r"key|token(?!s)|secret|password|header|credential", re.IGNORECASE)
_QUOTED = re.compile(r"'([^']*)'")
_UNIONS = ("tagged-union[", "function-wrap[", "union[")
"""How pydantic describes a union where it is one of several kinds."""
_LONGEST = 40
"""Characters of a value that are shown."""
_NAMED_BY = {
    "column_kind()": "column_type",
    "_inference_kind()": "generation_type",
    "_distribution_kind()": "distribution_type",
    "_modality_kind()": "modality",
    "_constraint_kind()": "constraint_type",
}
"""Function that tells members of a union apart to the field that says which one is meant."""
_TAGS = ("union_tag_invalid", "union_tag_not_found")
_MAPPINGS = ("model_type", "model_attributes_type", "dict_type")


def in_words(error: ValidationError, cls: "type[ConfigBase]") -> ValidationError:
    """The same error with each fault in one line, without what was given as a whole and without addresses of pages.

    Args:
        error: what was raised.
        cls: the class whose fields were given.
    """
    hidden = not cls.SHOWN
    found = error.errors(include_url=True)
    unsaid = [one for one in found if "url" in one]  # Those of a class inside are in words already.
    with_fault = {one["loc"] for one in found if one["type"] not in _TAGS}
    faults: list[InitErrorDetails] = []
    for one in found:
        if one not in unsaid:
            words = one["msg"]
        elif one["type"] in _TAGS and _is_said_elsewhere(one, with_fault):
            continue
        else:
            words = _words(one, cls, hidden=hidden)
        faults.append(fault(one["type"], words, _fields(one["loc"]), None if hidden else one["input"]))
    return ValidationError.from_exception_data(error.title, faults, hide_input=True)


def _fields(loc: Iterable[int | str]) -> tuple[int | str, ...]:
    """A location without the unions that pydantic describes in it."""
    return tuple(part for part in loc if not str(part).startswith(_UNIONS))


def fault(kind: str, words: str, loc: Iterable[int | str], given: object = None) -> InitErrorDetails:
    """One fault, for an error of pydantic's."""
    # The words may hold braces, which pydantic leaves alone where there is no context.
    return InitErrorDetails(type=PydanticCustomError(kind, "{words}", {"words": words}), loc=tuple(loc), input=given)


def _is_said_elsewhere(one: "ErrorDetails", with_fault: Iterable[tuple[int | str, ...]]) -> bool:
    """Whether the field that tells what is meant has a fault of its own, or another kind of value was refused too."""
    loc = one["loc"]
    beside = [other for other in with_fault if other[: len(loc) - 1] == loc[:-1] and len(other) >= len(loc)]
    return bool(beside) and (str(loc[-1]).startswith(_UNIONS) or (*loc[:-1], _tag_field(one)) in beside)


def _tag_field(one: "ErrorDetails") -> str:
    name = str(one.get("ctx", {}).get("discriminator", "")).strip("'")
    return _NAMED_BY.get(name, name)


def _words(one: "ErrorDetails", cls: "type[ConfigBase]", *, hidden: bool) -> str:
    """One fault of a field."""
    kind, loc = one["type"], one["loc"]
    given = "" if hidden or any(_SECRET.search(str(part)) for part in loc) else _shown(one["input"])
    not_given = f", not {given}" if given else ""
    if kind in _TAGS:
        return _wrong_tag(one)
    if kind in _MAPPINGS:
        return f"must be a mapping of fields{not_given}"
    match kind:
        case "extra_forbidden":
            return f"there is no such {cls.FIELD}{suggestion(str(loc[-1]), cls.model_fields)}"
        case "missing":
            return "is missing"
        case "literal_error" | "enum":
            return _wrong_choice(one, not_given)
        case "value_error" | "assertion_error":
            return one["msg"].partition(", ")[2]
    words = one["msg"].partition(", unable to")[0].partition(", got a number with")[0]
    is_own = words.startswith("Input should be")
    return f"must be{words.removeprefix('Input should be')}{not_given}" if is_own else words


def _wrong_tag(one: "ErrorDetails") -> str:
    field, context = _tag_field(one), one.get("ctx", {})
    if not isinstance(one["input"], dict | BaseModel):
        return f"must be a mapping of fields, not {_shown(one['input'])}"
    tag, allowed = context.get("tag"), _QUOTED.findall(str(context.get("expected_tags", "")))
    if tag in (None, "", "None"):
        return f"{field} is missing" + (f"; it is one of {', '.join(allowed)}" if allowed else "")
    return f"there is no {field} '{tag}'{suggestion(str(tag), allowed)}"


def _wrong_choice(one: "ErrorDetails", not_given: str) -> str:
    expected = str(one.get("ctx", {}).get("expected", ""))
    near = nearest(one["input"], _QUOTED.findall(expected)) if isinstance(one["input"], str) else None
    return f"cannot be '{one['input']}'; did you mean '{near}'?" if near else f"must be {expected}{not_given}"


def _shown(given: object) -> str:
    """A value in a few characters; nothing where it is no simple one."""
    match given:
        case str() | bool() | int() | float() | None:
            text = repr(given)
            return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return ""
