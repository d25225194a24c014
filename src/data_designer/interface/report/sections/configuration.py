"""What was asked for: columns with their prompts, models, seed, settings. Never a key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from data_designer.interface.report.facts import Facts
from data_designer.interface.report.room import Room
from data_designer.interface.report.section import Section
from data_designer.interface.report.texts import Text, as_yaml, text, without_secrets

_ROOM = 600_000
_MOST_LINES = 50
"""Of a prompt or a schema, once its column is opened."""
_BRIEF = 160
"""Characters."""
MOST_COLUMNS = 150
MOST_MODELS = 40
MOST_SETTINGS = 60
_TEMPLATES = {"system_prompt": "System prompt", "prompt": "Prompt", "expr": "Expression"}
_TOLD = frozenset({"name", "column_type", "model_alias", "sampler_type", "validator_type", *_TEMPLATES})
"""Fields of columns that have their own place, or stand in another once more."""
_PARAMS = ("params", "validator_params")
_USUAL = {
    "drop": False,
    "propagate_skip": True,
    "extract_reasoning_content": False,
    "with_trace": "none",
    "conditional_params": {},
    "dtype": "str",
    "generation_strategy": "cell_by_cell",
}
"""What is not worth saying."""
_PARTS = ("seed_config", "constraints", "processors", "profilers", "tool_configs")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it was declared."""

    name: str
    kind: str
    alias: str
    templates: tuple[tuple[str, Text], ...]
    """By what they are."""
    rest: Text | None
    brief: str
    """What it says, in a line."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it was declared."""

    alias: str
    model: str
    provider: str
    slots: str
    rest: Text | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it."""

    columns: tuple[Column, ...]
    more_columns: int
    models: tuple[Model, ...]
    more_models: int
    parts: tuple[tuple[str, Text], ...]
    settings: tuple[tuple[str, Text], ...]
    readable: bool


def section(facts: Facts) -> Section:
    """The configuration."""
    room = Room(_ROOM)
    declared, columns = facts.declared, facts.columns
    asked = {str(one.get("model_alias")) for one in columns} | {one.alias for one in facts.totals.spent.values()}
    models = [one for one in facts.models if one["alias"] in asked]
    parts = tuple(
        (name.replace("_", " ").capitalize(), _data(declared[name], room)) for name in _PARTS if declared.get(name)
    )
    given = sorted(facts.metadata.run_config.items())
    settings = ((name, _data(value, room)) for name, value in given[:MOST_SETTINGS])
    return Section(
        "configuration",
        "Configuration",
        Configuration(
            tuple(_column(one, room) for one in columns[:MOST_COLUMNS]),
            max(0, len(columns) - MOST_COLUMNS),
            tuple(_model(one, room) for one in models[:MOST_MODELS]),
            max(0, len(models) - MOST_MODELS),
            parts,
            tuple(settings),
            bool(declared),
        ),
    )


def _column(one: Mapping[str, Any], room: Room) -> Column:
    templates = tuple(
        (title, room.fit(text(str(one[name]), most_lines=_MOST_LINES)))
        for name, title in _TEMPLATES.items()
        if one.get(name)
    )
    rest = {name: value for name, value in one.items() if name not in _TOLD and _is_worth_saying(name, value)}
    rest.update({name: dict(_set(rest[name])) for name in _PARAMS if isinstance(rest.get(name), dict)})
    alias = str(one.get("model_alias") or "")
    told = " ".join(str(one.get("prompt") or one.get("expr") or one.get("sampler_type") or "").split())
    return Column(
        str(one["name"]),
        str(one.get("column_type", "")),
        alias,
        templates,
        _optional(rest, room),
        room.fit(text(told[:_BRIEF])).whole,
    )


def _is_worth_saying(name: str, value: object) -> bool:
    return value is not None and _USUAL.get(name, _USUAL) != value


def _model(one: Mapping[str, Any], room: Room) -> Model:
    parameters = dict(_set(one.get("inference_parameters") or {}))
    slots = parameters.pop("max_parallel_requests", "")
    for name, usual in (("generation_type", parameters.get("generation_type")), ("structured_output", "prompt")):
        if parameters.get(name) == usual:
            parameters.pop(name, None)
    rest = {**parameters, **({"price": dict(_set(one["price"]))} if one.get("price") else {})}
    return Model(
        str(one["alias"]), str(one.get("model", "")), str(one.get("provider") or ""), str(slots), _optional(rest, room)
    )


def _set(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in fields.items() if value is not None)


def _optional(rest: Mapping[str, Any], room: Room) -> Text | None:
    return _data(rest, room) if rest else None


def _data(value: object, room: Room) -> Text:
    """A value as YAML, which takes its time, so only where there is room for it."""
    kept = without_secrets(value) if room.left > 0 else ""
    return room.fit(text(kept if isinstance(kept, str) else as_yaml(kept), "data", _MOST_LINES))
