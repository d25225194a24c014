"""The entry of one public name: what it is, its fields, its methods."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, get_origin

from docs.generate import names, types
from docs.generate.docstrings import Docstring, annotation, below, docstring, flowing, returned
from docs.generate.markdown import code, flow, item, wrapped
from pydantic import BaseModel

from data_designer.config.base import ConfigBase, ProcessorConfig, SingleColumnConfig
from data_designer.config.models import BaseInferenceParams

SHARED = (SingleColumnConfig, BaseInferenceParams)
"""Bases whose fields have an entry of their own, to which those of their kinds refer."""
MOST_ON_A_LINE = 72
"""Characters of a signature that stands on one line."""


def entry(name: str, page: str, level: int) -> str:
    """The entry of a public name, as it stands on a page, with a heading of some level."""
    of, module = names.found(name)
    heads = "#" * level
    title = (f"{heads} `{name}`", f"`from {module} import {name}`")
    if kinds := types.named_in(of) if get_origin(of) is Annotated else []:
        return "\n\n".join([*title, wrapped(f"One of {', '.join(names.mentioned(kinds, page))}.")])
    said = docstring(of)
    text = flow(names.linked(said.text, page, name))
    match of:
        case type() if issubclass(of, Enum):
            body = [text, _members(of, page)]
        case type() if issubclass(of, BaseModel):
            body = [text, *_model(of, page), *_rest(of, page, said, f"{heads}#")]
        case type():
            body = [text, *_constructor(of, page, said), *_rest(of, page, said, f"{heads}#")]
        case _:
            assert callable(of)
            body = [*_call(name, of, page, said)]
    return "\n\n".join(part for part in (*title, *body) if part)


# --- fields ----------------------------------------------------------------------------------------------


def _members(cls: type[Enum], page: str) -> str:
    told = below(cls)
    if not told:
        return wrapped("Values: " + ", ".join(code(member.value) for member in cls) + ".")
    return "\n".join(item(f"**`{member.value}`**: {names.linked(flowing(told[member.name]), page)}") for member in cls)


def fields(cls: type[BaseModel]) -> dict[str, Any]:
    """The fields that an entry tells of."""
    shared = next((base for base in SHARED if issubclass(cls, base) and cls is not base), None)
    return {
        name: field
        for name, field in cls.model_fields.items()
        if not types.is_discriminator(field) and (shared is None or name not in shared.model_fields)
    }


def _model(cls: type[BaseModel], page: str) -> Iterator[str]:
    for name, field in cls.model_fields.items():
        if types.is_discriminator(field) and "cannot stand in a" not in docstring(cls).text:
            yield f"In a file: `{name}: {field.default}`."
    told = below(cls)
    yield "\n".join(_field(cls, name, field, told.get(name, ""), page) for name, field in fields(cls).items())
    for base in SHARED:
        if issubclass(cls, base) and cls is not base:
            place = names.homes()[base.__name__].removeprefix(page)
            others = ", ".join(
                code(one) for one in base.model_fields if not types.is_discriminator(base.model_fields[one])
            )
            yield wrapped(f"And the fields of [`{base.__name__}`]({place}): {others.replace(', `column_type`', '')}.")


def _field(cls: type, name: str, field: Any, told: str, page: str) -> str:
    facts = [code(types.shown(cls, name, field.annotation)), types.default(field), *types.limits(field)]
    see = names.mentioned([one for one in types.named_in(field.annotation) if one != cls.__name__], page)
    if 0 < len(see) <= types.MOST_KINDS:
        facts.append(f"see {', '.join(see)}")
    return item(f"**`{name}`** ({', '.join(facts)}): {names.linked(told, page, cls.__name__)}")


def meanings(cls: type[BaseModel], page: str) -> str:
    """What each field of a model means, for what nobody declares."""
    told = below(cls)
    return "\n".join(item(f"**`{name}`**: {names.linked(told[name], page)}") for name in cls.model_fields)


def settings(cls: type, page: str) -> str:
    """What each field of a dataclass does, for what is set by name."""
    told = below(cls)
    facts = {one.name: f"`{annotation(cls, one.name)}`, default `{types.value(one.default)}`" for one in _fields(cls)}
    return "\n".join(item(f"**`{name}`** ({fact}): {names.linked(told[name], page)}") for name, fact in facts.items())


def _fields(cls: type) -> list[dataclasses.Field[Any]]:
    return [one for one in dataclasses.fields(cls) if not one.name.startswith("_")]


# --- classes that are no models --------------------------------------------------------------------------


def _constructor(cls: type, page: str, said: Docstring) -> Iterator[str]:
    arguments = said.sections.get("Args") or []
    if arguments:
        yield _signature(cls.__name__, cls)
        yield from _sections(said, page, ("Args", "Raises"))


def _rest(cls: type, page: str, said: Docstring, heads: str) -> Iterator[str]:
    attributes = [*_attributes(cls, page, said)]
    if attributes:
        yield "" if dataclasses.is_dataclass(cls) else "Attributes:"
        yield "\n".join(attributes)
    for name, method in _methods(cls):
        yield f"{heads} `{name}`"
        yield from _call(name, method, page, docstring(method))


def _attributes(cls: type, page: str, said: Docstring) -> Iterator[str]:
    told = below(cls)
    if dataclasses.is_dataclass(cls):
        for field in _fields(cls):
            meaning = names.linked(told.get(field.name, ""), page, cls.__name__)
            yield item(f"**`{field.name}`** (`{annotation(cls, field.name)}`): {meaning}")
    for name, text in said.sections.get("Attributes", []):
        yield item(f"**`{name}`**: {names.linked(text, page, cls.__name__)}")
    for name, one in own(cls):
        if isinstance(one, property | cached_property):
            getter = one.fget if isinstance(one, property) else one.func
            assert getter is not None
            meaning = names.linked(docstring(getter).text, page, cls.__name__)
            yield item(f"**`{name}`** (`{returned(getter)}`): {meaning}")


def own(cls: type) -> Iterator[tuple[str, object]]:
    """What a class, and those that it inherits from, define in public, in the order of the source."""
    if issubclass(cls, SingleColumnConfig):
        return  # What a column computes of itself is the engine's.
    hidden = ("_", "model_") if issubclass(cls, BaseModel) else ("_",)
    seen: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("data_designer") and (base is cls or base not in (*SHARED, *_BASES)):
            for name, one in vars(base).items():
                if not name.startswith(hidden) and name not in seen:
                    seen.add(name)
                    yield name, one


_BASES = (ConfigBase, ProcessorConfig)
"""Bases of which only their own entries tell."""


def _methods(cls: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, one in own(cls):
        if isinstance(one, classmethod | staticmethod):
            one = one.__func__  # noqa: PLW2901 - what it wraps
        if inspect.isfunction(one):
            yield name, one


def _call(name: str, of: Callable[..., object], page: str, said: Docstring) -> Iterator[str]:
    yield _signature(name, of)
    yield flow(names.linked(said.text, page))
    yield from _sections(said, page, ("Args", "Returns", "Raises"))


def _signature(name: str, of: Callable[..., object]) -> str:
    parameters = [one for one in inspect.signature(of).parameters.values() if one.name not in ("self", "cls")]
    parts = [*_parameters(parameters)]
    given = "" if isinstance(of, type) else returned(of)
    back = f" -> {given}" if given else ""
    line = f"{name}({', '.join(parts)}){back}"
    if len(line) > MOST_ON_A_LINE and parts:
        inside = "".join(f"    {part},\n" for part in parts)
        line = f"{name}(\n{inside}){back}"
    return f"```py\n{line}\n```"


def _parameters(parameters: list[inspect.Parameter]) -> Iterator[str]:
    star = False
    for one in parameters:
        if one.kind is one.VAR_POSITIONAL:
            star = True
        if one.kind is one.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        prefix = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
        default = "" if one.default is one.empty else f"={_default(one.default)}"
        yield f"{prefix}{one.name}{default}"


def _default(of: object) -> str:
    return getattr(of, "__name__", "...").removeprefix("_") if callable(of) else types.value(of)


def _sections(said: Docstring, page: str, wanted: tuple[str, ...]) -> Iterator[str]:
    for section in wanted:
        entries = said.sections.get(section, [])
        if not entries:
            continue
        if section != "Args":
            yield f"{section}:"
        yield "\n".join(
            item(f"{_names(name, page, is_error=section == 'Raises')}{names.linked(text, page)}")
            for name, text in entries
        )


def _names(name: str, page: str, *, is_error: bool) -> str:
    if not name:
        return ""
    each = [code(one.strip()) for one in name.split(",")]
    return f"{', '.join(names.linked(one, page) if is_error else f'**{one}**' for one in each)}: "
