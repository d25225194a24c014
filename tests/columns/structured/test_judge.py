"""Judging: the schema asked for and the options accepted."""

import json
import re
from typing import Any

import pytest

from data_designer.columns.structured.answers import ResponseSchema, schema_violations
from data_designer.columns.structured.judge import JudgeSchema, judge_schema
from data_designer.config.column_configs import Score
from data_designer.errors import ParserException

QUALITY = Score(name="quality", description="How good", options={1: "bad", 2: "fair", 3: "good"})
VERDICT = Score(name="Final verdict", description="Pass?", options={"Yes": "passes", "No": "fails"})


def reply(**answers: Any) -> str:
    """Fence an answer."""
    return f"```json\n{json.dumps(answers)}\n```"


@pytest.mark.parametrize("value", [3, "3", 3.0, " 3 "])
def test_spellings_of_an_integer_option(value: Any) -> None:
    """A number and its text are the same option, which stays an integer."""
    result = JudgeSchema([QUALITY]).parse(reply(quality={"reasoning": "r", "score": value, "extra": 1}, more=2))
    assert result == {"quality": {"reasoning": "r", "score": 3}}
    assert type(result["quality"]["score"]) is int


@pytest.mark.parametrize("value", ["3.0", "three", 4, None, True, 2.5, [3]])
def test_what_is_no_option_is_refused(value: Any) -> None:
    """Truth values never match numbers, and nothing is guessed."""
    with pytest.raises(ParserException, match=re.escape("`score` of `quality`")):
        JudgeSchema([QUALITY]).parse(reply(quality={"reasoning": "r", "score": value}))


def test_text_options_ignore_case_and_space() -> None:
    """The option as declared is what is stored, in the order of the scores."""
    answers = {"Final verdict": {"reasoning": "", "score": " yes"}, "quality": {"reasoning": "", "score": 1}}
    result = JudgeSchema([QUALITY, VERDICT]).parse(reply(**answers))
    assert [(name, answer["score"]) for name, answer in result.items()] == [
        ("quality", 1),
        ("Final verdict", "Yes"),
    ]


def test_options_that_differ_in_case_are_told_apart() -> None:
    """An exact spelling wins; one that could be several is refused."""
    schema = JudgeSchema([Score(name="s", description="d", options={"a": "", "A": "", 1: "", "1": ""})])
    assert schema.parse(reply(s={"reasoning": "", "score": "A"}))["s"]["score"] == "A"
    assert schema.parse(reply(s={"reasoning": "", "score": 1}))["s"]["score"] == 1
    assert schema.parse(reply(s={"reasoning": "", "score": "1"}))["s"]["score"] == "1"
    with pytest.raises(ParserException):
        schema.parse(reply(s={"reasoning": "", "score": " a "}))


@pytest.mark.parametrize(
    "answers",
    [{}, {"quality": 3}, {"quality": {"score": 3}}, {"quality": {"reasoning": 1, "score": 3}}],
)
def test_an_incomplete_answer_is_refused(answers: dict[str, Any]) -> None:
    """Every score needs its reasoning and its option."""
    with pytest.raises(ParserException, match="`quality` has to be an object"):
        JudgeSchema([QUALITY]).parse(reply(**answers))


def test_a_list_is_no_judgement() -> None:
    """The answer has to be an object."""
    with pytest.raises(ParserException, match="it has to be an object"):
        JudgeSchema([QUALITY]).parse("```json\n[1]\n```")


def test_the_schema_has_the_documented_shape() -> None:
    """Reasoning comes before the score, options are an enumeration with their meanings beside it."""
    schema = judge_schema([QUALITY, VERDICT])
    assert schema["title"] == "JudgeStructuredOutput"
    assert schema["required"] == ["quality", "Final verdict"]
    assert list(schema["$defs"]["quality"]["properties"]) == ["reasoning", "score"]
    assert schema["$defs"]["qualityEnum"] == {"title": "qualityEnum", "type": "integer", "enum": [1, 2, 3]}
    assert schema["$defs"]["Final_verdictEnum"]["enum"] == ["Yes", "No"]
    described = schema["$defs"]["Final_verdict"]["properties"]["score"]["description"]
    assert described.endswith("\n* Yes: passes\n* No: fails")


def test_the_schema_describes_what_is_accepted() -> None:
    """It is valid, and a judgement in its declared form fits it."""
    schema = judge_schema([QUALITY, VERDICT])
    answer = {"quality": {"reasoning": "", "score": 1}, "Final verdict": {"reasoning": "", "score": "No"}}
    assert schema_violations(schema) == []
    assert ResponseSchema(schema).fitted(answer) == answer


def test_scores_with_similar_names_keep_their_own_definitions() -> None:
    """Names that read the same without punctuation do not collide."""
    scores = [Score(name=name, description="d", options={name: "x"}) for name in ("a b", "a-b", "a_b")]
    schema = judge_schema(scores)
    assert len(schema["$defs"]) == 6
    assert schema_violations(schema) == []


def test_a_score_that_is_a_book_is_shown_in_part() -> None:
    """The words about it go back to the model, and into the log."""
    schema = JudgeSchema([Score(name="s", description="d", options={1: "low"})])
    with pytest.raises(ParserException, match="has to be one of 1") as caught:
        schema.parse('```json\n{"s": {"reasoning": "r", "score": "%s"}}\n```' % ("x" * 100_000))
    assert len(str(caught.value)) < 500
