"""Checks of prompts beside the columns that they may refer to."""

import string
from collections.abc import Iterator, Mapping

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import (
    ImageColumnConfig,
    LLMJudgeColumnConfig,
    LLMStructuredColumnConfig,
    LLMTextColumnConfig,
)
from data_designer.config.near_names import suggestion
from data_designer.config.templates import parts
from data_designer.plan.violation import Violation

_OPEN = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties"})
"""Members of a schema by which an object may have more than its `properties`."""


def prompt_violations(
    column: LLMTextColumnConfig | ImageColumnConfig, makers: Mapping[str, SingleColumnConfig]
) -> Iterator[Violation]:
    """What a prompt has probably got wrong: it is empty, has no reference, an f-string's, or a part never there."""
    speaks_without = bool(column.multi_modal_context) and isinstance(column, LLMTextColumnConfig) and not column.prompt
    if not (column.prompt.strip() or speaks_without):
        yield Violation("empty_prompt", column.name, "the prompt is empty")
    elif not column.required_columns:
        message = "the prompt refers to no column, so every record gets the same request"
        yield Violation("prompt_without_references", column.name, message, "WARNING")
    for name in sorted(_format_fields(column.prompt) & makers.keys()):
        message = f"the prompt contains {{{name}}}, which is not a reference; write {{{{ {name} }}}}"
        yield Violation("f_string_syntax", column.name, message, "WARNING")
    made = {name: _parts_of(makers[name]) for name in column.required_columns if name in makers}
    if any(made.values()):
        for name, part in sorted(parts(column.prompt) | parts(getattr(column, "system_prompt", None) or "")):
            known = made.get(name)
            if known and part not in known and not hasattr(dict, part):
                message = f"the prompt refers to '{name}.{part}', which is never there{suggestion(part, known)}"
                yield Violation("unknown_part", column.name, message, "WARNING")


def _parts_of(column: SingleColumnConfig) -> frozenset[str]:
    """Parts that cells of a column have at most; none where that is not known."""
    if isinstance(column, LLMJudgeColumnConfig):
        return frozenset(score.name for score in column.scores)
    if not isinstance(column, LLMStructuredColumnConfig):
        return frozenset()
    schema = column.output_format
    declared = schema.get("properties")
    is_open = bool(schema.keys() & _OPEN) or schema.get("additionalProperties", False) is not False
    return frozenset(declared) if isinstance(declared, dict) and not is_open else frozenset()


def _format_fields(prompt: str) -> set[str]:
    try:
        return {field.strip() for _, field, _, _ in string.Formatter().parse(prompt) if field}
    except ValueError:
        return set()
