"""Static checks that only those who compute a column can make."""

from collections.abc import Iterator
from typing import Any

from data_designer.columns.custom import custom_violations
from data_designer.columns.llm import unsupported
from data_designer.columns.plugin_columns import plugin_violations
from data_designer.columns.processors import transform_violations
from data_designer.columns.samplers.checks import check_samplers
from data_designer.columns.structured.answers import schema_violations
from data_designer.columns.templating.templates import template_violations
from data_designer.columns.validation import unavailable
from data_designer.config.column_types import COLUMN_PLUGINS
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.run_config import JinjaRenderingEngine, RunConfig
from data_designer.plan.columns import producers
from data_designer.plan.violations import Violation

_NOT_YET = frozenset({"embedding", "image"})


def step_violations(config: DataDesignerConfig, run: RunConfig) -> list[Violation]:
    """What is wrong with samplers, templates, schemas, functions and processors."""
    known = producers(config.columns)
    engine = JinjaRenderingEngine(run.jinja_rendering_engine)
    samplers: list[Any] = [column for column in config.columns if column.column_type == "sampler"]
    found = [
        Violation("invalid_sampler", column, message)
        for column, message in check_samplers(samplers, config.constraints or [])
    ]
    for column in config.columns:
        found.extend(Violation(kind, column.name, message) for kind, message in _column(column, engine, known))
    for processor in config.processors or ():
        if processor.processor_type == "schema_transform":
            messages = transform_violations(processor, engine, known)
            found.extend(Violation("invalid_reference", None, f"processor '{processor.name}': {m}") for m in messages)
    return found


def _column(column: Any, engine: JinjaRenderingEngine, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield from _templates(column, engine, known)
    yield from _by_kind(column)


def _templates(column: Any, engine: JinjaRenderingEngine, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    names = {*known, *column.required_columns, *(column.skip.columns if column.skip else ())}
    for template in filter(None, (getattr(column, field, None) for field in ("prompt", "system_prompt", "expr"))):
        for message in template_violations(template, engine, names):
            yield "invalid_template", message
    if column.skip is not None:
        for message in template_violations(column.skip.when, JinjaRenderingEngine.NATIVE, names):
            yield "invalid_template", f"skip.when: {message}"


def _by_kind(column: Any) -> Iterator[tuple[str, str]]:
    match column.column_type:
        case "llm-text" | "llm-code" | "llm-judge":
            yield from (("unsupported", message) for message in unsupported(column))
        case "llm-structured":
            yield from (("unsupported", message) for message in unsupported(column))
            yield from (("invalid_schema", message) for message in schema_violations(column.output_format))
        case "custom":
            yield from (("invalid_function", message) for message in custom_violations(column))
            if column.model_aliases:
                yield "unsupported", "custom columns that ask models are not supported by this version"
        case "validation":
            missing = unavailable(column)
            if missing:
                yield "unsupported", missing
        case kind if kind in _NOT_YET:
            yield "unsupported", f"{kind} columns are not supported by this version"
        case kind if kind in COLUMN_PLUGINS:
            yield from (("invalid_plugin", message) for message in plugin_violations(column))
        case _:
            pass
