"""Values of others as a page shows them: cut where they are long, without what is secret."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_designer.config.models import without_credentials

LONGEST = 20_000
"""Characters of one text."""
_LONGEST_NAME = 80
_MOST_LINES = 6
"""Of a text, that are shown until it is opened."""
_LINE = 40
"""Characters."""
_PREVIEW = _MOST_LINES * _LINE
_DEEPEST = 40
HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"(?:^|[_\W])(?:api[_-]?key|key|token|secret|passw(?:or)?d|authorization|auth|credentials?|cookie|signature)"
    r"(?:$|[_\W])",
    re.IGNORECASE,
)
"""Names of what nobody else is to see."""
_LOOKS_SECRET = re.compile(
    r"(?i:authorization:)\s*\S|\bBearer\s+[-\w.~+/]{16,}|"
    r"\b(?:(?:sk|pk|nvapi|xox[abp])-|(?:hf|gh[pousr])_|AKIA|AIza)[-\w]{12,}"
)
_OPAQUE = re.compile(r"[A-Za-z0-9_\-+/=.]{20,}")
"""What could be a key where requests are extended by hand."""
_BY_HAND = frozenset({"extra_body", "headers", "extra_headers"})


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and how it is shown."""

    whole: str
    """As much of it as is shown once it is opened."""
    preview: str
    """What is shown first; empty where it is short enough to be shown whole."""
    form: str
    """`text`, `data` for what is written in characters of one width, or `none` where there is no value."""
    note: str = ""
    """How long it is, where it is not shown whole at first."""

    def __len__(self) -> int:
        return len(self.whole) + len(self.preview)


def shown(value: object, *, is_code: bool = False) -> Text:
    """A value of a record."""
    value = plain(value)
    match value:
        case None:
            return Text("null", "", "none")
        case str():
            return text(value, "data" if is_code else "text")
        case dict() | list():
            return _data(value)
        case bool():
            return Text(str(value).lower(), "", "text")
        case _:
            return text(str(value))


def text(whole: str, form: str = "text", most_lines: int = _MOST_LINES) -> Text:
    """A text, of which the first lines are shown where it is long."""
    preview = most_lines * _LINE
    note = f"{len(whole):,} characters"
    kept = clipped(whole)
    lines = kept.splitlines()
    if len(kept) <= preview * 1.2 and len(lines) <= most_lines:
        return Text(kept, "", form)
    beginning = "\n".join(lines[:most_lines])[:preview]
    return Text(kept, f"{beginning.rstrip()} …", form, note)


def clipped(whole: str, longest: int = LONGEST) -> str:
    """A text, cut where it is too long for a page."""
    if len(whole) <= longest:
        return whole
    return f"{whole[:longest]} … ({len(whole) - longest:,} further characters are left out)"


def name(whole: str) -> str:
    """A name, of which the beginning tells it from others."""
    return whole if len(whole) <= _LONGEST_NAME else f"{whole[:_LONGEST_NAME]}…"


def named(names: Sequence[str], most: int = 10) -> str:
    """Some names in a sentence."""
    left = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(name, names[:most]), *left])


def as_json(value: object) -> str:
    """A value as JSON text."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2, default=str)


def as_yaml(value: object) -> str:
    """Settings as YAML text."""
    import yaml

    written: str = yaml.safe_dump(plain(value), allow_unicode=True, sort_keys=False, width=100)
    return written.removesuffix("\n").removesuffix("\n...")


def _data(value: dict[str, Any] | list[Any]) -> Text:
    whole = clipped(as_json(value))
    if len(whole) <= _PREVIEW / 3:
        return Text(json.dumps(value, ensure_ascii=False, default=str), "", "data")
    if isinstance(value, dict):
        parts = (f"{name}: {_brief(inner)}" for name, inner in value.items())
        note = f"{len(value):,} {'field' if len(value) == 1 else 'fields'}"
    else:
        parts = (_brief(inner) for inner in value)
        note = f"{len(value):,} {'item' if len(value) == 1 else 'items'}"
    return Text(whole, _joined(parts), "data", note)


def _joined(parts: Iterable[str]) -> str:
    line = ""
    for part in parts:
        line = f"{line} · {part}" if line else part
        if len(line) > _PREVIEW:
            return f"{line[:_PREVIEW]} …"
    return line


def _brief(value: object) -> str:
    match value:
        case {"score": score}:
            return _brief(score)
        case dict():
            return "{…}" if value else "{}"
        case list():
            return f"[{len(value):,}]"
        case None | bool():
            return json.dumps(value)
        case _:
            line = " ".join(str(value).split())
            return line if len(line) <= 60 else f"{line[:60]}…"


def plain(value: object, depth: int = 0) -> Any:
    """A value as JSON data, as far as it is any; what lies deeper than anybody looks is left out."""
    if depth > _DEEPEST:
        return "…"
    match value:
        case None | str() | bool() | int() | float():
            return value
        case Mapping():
            return {str(name): plain(inner, depth + 1) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner, depth + 1) for inner in value]
        case bytes():
            return f"<{len(value):,} bytes>"
        case _:
            return str(value)


def without_secrets(value: object, *, by_hand: bool = False) -> Any:
    """Settings as JSON data, without what could be a key.

    Args:
        value: the settings.
        by_hand: whether it extends requests by fields that only their endpoint knows.
    """
    match value:
        case Mapping():
            return {str(name): _setting(str(name), inner, by_hand=by_hand) for name, inner in value.items()}
        case list() | tuple():
            return [without_secrets(inner, by_hand=by_hand) for inner in value]
        case str():
            if _LOOKS_SECRET.search(value) or (by_hand and _OPAQUE.fullmatch(value)):
                return HIDDEN
            return without_credentials(value) if "://" in value else value
        case _:
            return plain(value)


def _setting(name: str, value: object, *, by_hand: bool) -> Any:
    if value is not None and (_SECRET.search(name) or name.endswith("headers")):
        return {str(inner): HIDDEN for inner in value} if isinstance(value, Mapping) else HIDDEN
    return without_secrets(value, by_hand=by_hand or name in _BY_HAND)
