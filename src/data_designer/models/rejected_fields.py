"""Which fields of a request an endpoint complains of."""

from collections.abc import Iterator

from data_designer.models.bodies import decoded

_MOST = 5
_LONGEST = 100
"""Fields that are named, and characters of each."""
_NAMES = ("loc", "param", "field", "path", "pointer")
"""Members that name a field: of FastAPI and pydantic, OpenAI, Google, others."""
_AROUND = (
    "error",
    "errors",
    "detail",
    "details",
    "fieldViolations",
    "violations",
    "invalid_params",
    "invalid-params",
    "source",
)
"""Members in which such complaints stand."""
_DEEPEST = 4


def fields_of(content: bytes) -> str:
    """The fields that a refusal names apart from its words, as text to add to these; nothing where it names none."""
    try:
        data = decoded(content)
    except ValueError:
        return ""
    found = dict.fromkeys(_fields(data, _DEEPEST))
    shown = ", ".join(name[:_LONGEST] for name in list(found)[:_MOST])
    return f" (field{'s' if len(found) > 1 else ''}: {shown})" if shown else ""


def _fields(data: object, depth: int) -> Iterator[str]:
    if isinstance(data, list):
        for item in data[: 2 * _MOST]:
            yield from _fields(item, depth)
    elif isinstance(data, dict):
        yield from filter(None, (_named(data.get(name)) for name in _NAMES))
        if depth:
            for name in _AROUND:
                yield from _fields(data.get(name), depth - 1)


def _named(place: object) -> str:
    """A field as one writes it: `messages[0].content`."""
    if isinstance(place, str):
        return place
    if not isinstance(place, list):
        return ""
    steps = place[1:] if place[:1] in (["body"], ["query"], ["header"]) and len(place) > 1 else place
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps[:20])
    return text.lstrip(".")
