"""Text columns: whatever a model answers."""

from dataclasses import replace

from data_designer.columns.llm import Form, text, written
from data_designer.columns.structured.parsing import parse_text
from data_designer.config.column_configs import LLMTextColumnConfig


def text_form(_column: LLMTextColumnConfig, _native: str | None) -> Form:
    """Anything but nothing, cut off or not."""
    return Form(parse_text, is_whole=lambda _: True)


LLM_TEXT = replace(written(LLMTextColumnConfig, text_form), arrow_type=text)
