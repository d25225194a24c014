"""What is done to a batch once all its columns are there."""

import json
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import field_validator

from data_designer.config.base import ProcessorConfig
from data_designer.config.templates import check_syntax
from data_designer.errors import InvalidConfigError
from data_designer.plugins import PluginType
from data_designer.plugins.discovery import plugins_of


class ProcessorType(StrEnum):
    """Kinds of processors."""

    DROP_COLUMNS = "drop_columns"
    """Leaves columns out of the dataset."""
    SCHEMA_TRANSFORM = "schema_transform"
    """Writes a second dataset whose rows fill a template."""


class DropColumnsProcessorConfig(ProcessorConfig):
    """Leaves columns out of the dataset. Other columns, and schema transforms, can use them all the same.

    Their values are kept in `dropped-columns-parquet-files/`, unless `RunConfig.preserve_dropped_columns` is off. A
    column with `drop=True` needs no processor.
    """

    processor_type: Literal["drop_columns"] = "drop_columns"
    column_names: list[str]
    """Names, or patterns with `*`, also of side effects such as `answer__trace`. A name that no column has is
    refused; a pattern that means none is warned of."""


def meant_by(pattern: str, names: Iterable[str]) -> list[str]:
    """The columns among `names` that an entry of `column_names` means."""
    return [name for name in names if (fnmatchcase(name, pattern) if "*" in pattern else name == pattern)]


class SchemaTransformProcessorConfig(ProcessorConfig):
    """Writes a second dataset beside the first: a row for each record, in the form of a template.

    The dataset itself stays as it is. The files of the second are in `processors-files/<name>/`;
    `results.load_processor_dataset(name)` reads them, and `preview.processor_artifacts[name]` holds the rows of a
    preview. A record for which the template cannot be rendered has a row of nulls, which the log says.
    """

    processor_type: Literal["schema_transform"] = "schema_transform"
    template: dict[str, Any]
    """JSON whose strings are Jinja templates over the columns, dropped ones too. What a template inserts stays
    inside its string: a number becomes text, an object its JSON. Numbers and truth values of the template itself
    keep their type."""

    @field_validator("template")
    @classmethod
    def _is_json(cls, template: dict[str, object]) -> dict[str, object]:
        try:
            json.dumps(template)
        except (TypeError, ValueError) as error:
            raise InvalidConfigError(f"the template of a schema transform must be JSON: {error}") from error
        _check_leaves(template)
        return template


PROCESSOR_PLUGINS = plugins_of(PluginType.PROCESSOR, ProcessorConfig, ProcessorType)
"""Processor type to the installed plugin that carries such processors out."""


def _check_leaves(form: object) -> None:
    match form:
        case str():
            check_syntax(form)
        case dict():
            for value in form.values():
                _check_leaves(value)
        case list():
            for value in form:
                _check_leaves(value)
        case _:
            pass
