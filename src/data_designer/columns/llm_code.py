"""Code columns: the code in a model's answer."""

from dataclasses import replace

from data_designer.columns.llm import Form, text, written
from data_designer.columns.structured.parsing import parse_code
from data_designer.config.column_configs import LLMCodeColumnConfig
from data_designer.config.utils.code_lang import CodeLang


def code_form(column: LLMCodeColumnConfig, _native: str | None) -> Form:
    """One code fence."""
    language = CodeLang.parse_lang(column.code_lang)
    return Form(lambda reply: parse_code(reply, language), _instructions(language))


def _instructions(language: str) -> str:
    return (
        f"* Write the code in {language}.\n"
        f"* Follow the syntax and the good practice of {language}.\n"
        f"* Put the code into a Markdown code fence tagged `{language}`, opened by ```{language} "
        "and closed by ```.\n"
        "* Give exactly one code fence."
    )


def _language(column: LLMCodeColumnConfig) -> str:
    return str(column.code_lang)


LLM_CODE = replace(written(LLMCodeColumnConfig, code_form), arrow_type=text, language=_language)
