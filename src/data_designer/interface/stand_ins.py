"""Replies that stand for those of a model where nobody is asked."""

import json
from collections.abc import Iterator, Mapping

from data_designer.columns.structured.schemas import parts_of

_BEGIN, _END = "<response_schema>", "</response_schema>"


def stand_ins(column: str, prompt: str) -> Iterator[str]:
    """Replies that stand for one of a model, until one fits: text, code; or JSON of the schema that a prompt names."""
    start = prompt.rfind(_BEGIN)
    schema = _parsed(prompt[start + len(_BEGIN) : prompt.find(_END, start)]) if start >= 0 else None
    if schema is None:
        yield f"<{column}>"
        yield f"```\n<{column}>\n```"
        return
    from data_designer.simulated_model.instances import Instances
    from data_designer.simulated_model.seeded_rng import SeededRng

    try:
        made = Instances(schema).make(SeededRng(column.encode()))
    except ValueError:
        return
    yield _fenced(_named(made, column, _listed(schema)))
    yield _fenced(made)


def stand_in_image() -> str:
    """An image that stands for one of a model, in base64."""
    from data_designer.simulated_model.pictures import picture

    return picture("nobody was asked")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _fenced(value: object) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False)}\n```"


def _listed(schema: object) -> set[str]:
    """Texts that a schema gives to choose from."""
    if not isinstance(schema, Mapping):
        return set()
    options = (option for part in parts_of(schema) for option in [*_list(part.get("enum")), part.get("const")])
    return {option for option in options if isinstance(option, str)}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _named(value: object, path: str, listed: set[str]) -> object:
    """The same with texts, but for those that can only be chosen, named after where they stand."""
    match value:
        case dict():
            return {name: _named(inner, f"{path}.{name}", listed) for name, inner in value.items()}
        case list():
            return [_named(inner, f"{path}[{place}]", listed) for place, inner in enumerate(value)]
        case str() if value not in listed:
            return f"<{path}>"
        case _:
            return value
