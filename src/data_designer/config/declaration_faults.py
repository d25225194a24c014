"""Everything that is wrong with a declaration as data: each part is looked at by itself, so that none hides another."""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from data_designer.config.base import SingleColumnConfig
from data_designer.config.config_files import Declared
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.near_names import no_column, no_model
from data_designer.config.places import WRAPPER, Path, named, placed
from data_designer.config.wording import fault
from data_designer.errors import DataDesignerError

Refusal = ValidationError | DataDesignerError


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that is refused by itself."""

    path: Path
    error: Refusal
    depth: int
    """How much of the location of the error leads to the part."""


def refusal(declared: Declared, error: Refusal) -> Refusal:
    """What to raise instead of an error: every fault, with the line and the column it is in.

    Args:
        declared: what was refused.
        error: what refused it.
    """
    parts = list(_parts(declared.content))
    faults = [one for part in parts for one in _faults(declared, part)]
    faults += _faults_of_the_rest(declared, parts)
    faults += _loose_ends(declared, {part.path for part in parts})
    only = parts[0].error if len(parts) == 1 else None
    if len(faults) == 1 and isinstance(only, DataDesignerError):
        return type(only)(_said(declared, parts[0].path, only))
    if not faults:
        return error
    return ValidationError.from_exception_data(declared.name or "the configuration", faults, hide_input=True)


def _parts(content: dict[str, object]) -> Iterator[_Part]:
    """Members of its lists, and its seed dataset, that are refused whatever stands beside them."""
    config = content.get(WRAPPER)
    for key, value in config.items() if isinstance(config, dict) else ():
        if key not in DataDesignerConfig.model_fields:
            continue
        for place, one in enumerate(value) if isinstance(value, list) else [(None, value)]:
            alone = {"columns": [], key: one if place is None else [one]}
            inside = (key,) if place is None else (key, place)
            try:
                DataDesignerConfig.model_validate(alone)
            except (ValidationError, DataDesignerError) as error:
                yield _Part((WRAPPER, *inside), error, len(inside))


def _faults(declared: Declared, part: _Part) -> list[InitErrorDetails]:
    if isinstance(part.error, DataDesignerError):
        return [fault("value_error", _said(declared, part.path, part.error), ())]
    return placed(part.error, declared.content, declared.place, part.path, part.depth)


def _faults_of_the_rest(declared: Declared, parts: list[_Part]) -> list[InitErrorDetails]:
    """What is wrong with the whole but for the parts that are refused by themselves."""
    from data_designer.config.config_builder import BuilderConfig

    rest = {key: value for key, value in declared.content.items() if key != "library_version"}
    config = rest.get(WRAPPER)
    if isinstance(config, dict):
        rest[WRAPPER] = _without(config, {part.path[1:] for part in parts})
    try:
        BuilderConfig.model_validate(rest)
    except ValidationError as error:
        return placed(error, declared.content, declared.place)
    except DataDesignerError as error:
        return [fault("value_error", _said(declared, (), error), ())]
    return []


def _loose_ends(declared: Declared, refused: Container[Path]) -> Iterator[InitErrorDetails]:
    """References of sound columns to columns and models that are not there, sound or not.

    Those of a seed dataset are not known here; what a column that is refused would make beside itself is not either.
    """
    config = declared.content.get(WRAPPER)
    if not isinstance(config, dict):
        return
    columns, models = (_named_members(config.get(key)) for key in ("columns", "model_configs"))
    paths = [(WRAPPER, "columns", place) for place in columns]
    sound = {path: _column(columns[path[2]]) for path in paths if path not in refused}
    names = {str(one.get("name")) for one in columns.values()}
    names |= {name for column in sound.values() for name in column.side_effect_columns}
    aliases = {str(one.get("alias")) for one in models.values()}
    for path, column in sound.items():
        missing = sorted({*column.required_columns, *(column.skip.columns if column.skip else ())} - names)
        for name in missing if not config.get("seed_config") else ():
            if name.partition("__")[0] not in names:
                yield fault("value_error", _said(declared, path, no_column(name, names)), ())
        for alias in sorted(set(column.get_model_aliases()) - aliases) if models else ():
            yield fault("value_error", _said(declared, path, no_model(alias, aliases)), ())


def _named_members(members: object) -> dict[int, dict[str, object]]:
    """The mappings of a list, by their places."""
    listed = members if isinstance(members, list) else []
    return {place: one for place, one in enumerate(listed) if isinstance(one, dict)}


def _column(given: dict[str, object]) -> SingleColumnConfig:
    return DataDesignerConfig.model_validate({"columns": [given]}).columns[0]


def _without(config: dict[str, object], refused: Container[Path]) -> dict[str, object]:
    """A declaration without some of its parts; it has columns where it had any."""
    rest: dict[str, object] = {"columns": []} if "columns" in config else {}
    for key, value in config.items():
        if isinstance(value, list):
            rest[key] = [one for place, one in enumerate(value) if (key, place) not in refused]
        elif (key,) not in refused:
            rest[key] = value
    return rest


def _said(declared: Declared, path: Path, error: Refusal | str) -> str:
    return ": ".join(filter(None, (declared.place(path), named(declared.content, path), str(error))))
