"""Checks of prompts beside the columns that they may refer to."""

import string
from collections.abc import Iterator, Mapping

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import ImageColumnConfig, LLMTextColumnConfig
from data_designer.plan.violation import Violation


def prompt_violations(
    column: LLMTextColumnConfig | ImageColumnConfig, makers: Mapping[str, SingleColumnConfig]
) -> Iterator[Violation]:
    """What a prompt has probably got wrong: nothing in it, no reference, or one as f-strings have it."""
    speaks_without = bool(column.multi_modal_context) and isinstance(column, LLMTextColumnConfig) and not column.prompt
    if not (column.prompt.strip() or speaks_without):
        yield Violation("empty_prompt", column.name, "the prompt is empty")
    elif not column.required_columns:
        message = "the prompt refers to no column, so every record gets the same request"
        yield Violation("prompt_without_references", column.name, message, "WARNING")
    for name in sorted(_format_fields(column.prompt) & makers.keys()):
        message = f"the prompt contains {{{name}}}, which is not a reference; write {{{{ {name} }}}}"
        yield Violation("f_string_syntax", column.name, message, "WARNING")


def _format_fields(prompt: str) -> set[str]:
    try:
        return {field.strip() for _, field, _, _ in string.Formatter().parse(prompt) if field}
    except ValueError:
        return set()
