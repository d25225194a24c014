"""Columns of JSON that a model writes: to a schema of the user, or as scores."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from data_designer.columns.llm import Form, statistics, written
from data_designer.config.analysis.column_statistics import LLMJudgedColumnStatistics
from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import LLMJudgeColumnConfig, LLMStructuredColumnConfig, Score
from data_designer.plan.constraints import constraint
from data_designer.plan.kinds import Statistics
from data_designer.plan.profile import Profile
from data_designer.plan.violation import Violation

if TYPE_CHECKING:
    import pyarrow as pa

    from data_designer.columns.structured.answers import ResponseSchema
    from data_designer.columns.structured.judge import JudgeSchema


def structured_form(column: LLMStructuredColumnConfig, native: str | None) -> Form:
    """JSON of the column's schema."""
    from data_designer.columns.structured.answers import ResponseSchema

    return _form(ResponseSchema(column.output_format, bare=native is not None), column.name, native)


def judge_form(column: LLMJudgeColumnConfig, native: str | None) -> Form:
    """JSON with a score and a reason for each thing to be judged."""
    from data_designer.columns.structured.judge import JudgeSchema

    return _form(JudgeSchema(column.scores, bare=native is not None), column.name, native)


def integer_options(columns: Iterable[SingleColumnConfig]) -> dict[str, dict[str, list[int]]]:
    """Judge column to its scores, to those of their options that are integers, which keys of JSON do not tell."""
    found = {
        column.name: {
            score.name: integers
            for score in column.scores
            if (integers := [option for option in score.options if isinstance(option, int)])
        }
        for column in columns
        if isinstance(column, LLMJudgeColumnConfig)
    }
    return {name: scores for name, scores in found.items() if scores}


def _form(schema: "ResponseSchema | JudgeSchema", name: str, native: str | None) -> Form:
    params = {} if native is None else constraint(native, name, schema.asked)
    return Form(schema.parse, schema.instructions, params)


def _check(column: LLMStructuredColumnConfig) -> Iterator[Violation]:
    from data_designer.columns.structured.answers import schema_violations

    for message in schema_violations(column.output_format):
        yield Violation("invalid_schema", column.name, message)


def _arrow_type(column: LLMStructuredColumnConfig) -> "pa.DataType | None":
    from data_designer.columns.structured.arrow_types import arrow_type

    return arrow_type(column.output_format)


def _judge_statistics(column: LLMJudgeColumnConfig, profile: Profile) -> Statistics:
    """Those of a text, and how often each option of each score was given, the others included."""
    _, found = statistics(column, profile)
    given = profile.get("scores")
    counts = None if given is None else {score.name: _counts(score, given) for score in column.scores}
    return LLMJudgedColumnStatistics, {**found, "score_counts": counts}


def _counts(score: Score, given: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    own = given.get(score.name, {})
    return {str(option): own.get(str(option), 0) for option in score.options}


LLM_STRUCTURED = replace(
    written(LLMStructuredColumnConfig, structured_form), check=_check, arrow_type=_arrow_type, in_json=True
)
LLM_JUDGE = replace(
    written(LLMJudgeColumnConfig, judge_form), in_json=True, group="judge", statistics=_judge_statistics
)
