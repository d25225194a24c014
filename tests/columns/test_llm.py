"""LLM columns: prompts, the parse-correct-restart loop, traces, and what a rejected row says."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from tests.hostile import CONTENTS

from data_designer import errors
from data_designer.columns.llm import ConversationLimits, LlmProgram
from data_designer.columns.llm_code import code_form
from data_designer.columns.llm_json import judge_form, structured_form
from data_designer.columns.llm_text import text_form
from data_designer.config.column_configs import (
    LLMCodeColumnConfig,
    LLMJudgeColumnConfig,
    LLMStructuredColumnConfig,
    LLMTextColumnConfig,
    Score,
)
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.utils.code_lang import CodeLang
from data_designer.config.utils.trace_type import TraceType
from data_designer.values import REFUSED, ChatResponse, Drop, Message, Ok, Outcome

ONCE = ConversationLimits(restarts=0, corrections=0)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FORMS: dict[type, Any] = {
    LLMTextColumnConfig: text_form,
    LLMCodeColumnConfig: code_form,
    LLMStructuredColumnConfig: structured_form,
    LLMJudgeColumnConfig: judge_form,
}
GOOD = '```json\n{"a": 1}\n```'


def text_column(**fields: Any) -> LLMTextColumnConfig:
    """Declare a text column `x` on column `topic`."""
    return LLMTextColumnConfig(**{"name": "x", "model_alias": "m", "prompt": "About {{ topic }}", **fields})


def structured_column(**fields: Any) -> LLMStructuredColumnConfig:
    """Declare a structured column `x`."""
    return LLMStructuredColumnConfig(
        **{"name": "x", "model_alias": "m", "prompt": "P", "output_format": SCHEMA, **fields}
    )


def converse(
    config: LLMTextColumnConfig,
    replies: Iterable[str | ChatResponse],
    limits: ConversationLimits = ONCE,
    record: dict[str, Any] | None = None,
    makes: tuple[str, ...] = ("x",),
) -> tuple[Outcome, list[list[Message]]]:
    """Run one cell against scripted replies, the last one repeated; give the outcome and what was asked."""
    program = LlmProgram(
        config, FORMS[type(config)](config, None), limits, JinjaRenderingEngine.SECURE, ["topic"], makes
    )
    exchange = program.exchange({"topic": "tea"} if record is None else record, 0)
    asked: list[list[Message]] = []
    script = [reply if isinstance(reply, ChatResponse) else ChatResponse(reply) for reply in replies]
    try:
        request = next(exchange)
        while True:
            asked.append(request.messages)
            request = exchange.send(script[min(len(asked), len(script)) - 1])
    except StopIteration as stop:
        return stop.value, asked


def message(role: str, text: str) -> Message:
    """Write a message as it travels."""
    return {"role": role, "content": [{"type": "text", "text": text}]}


def test_a_text_cell_is_the_stripped_reply() -> None:
    """One request carries the rendered prompt as one text block."""
    outcome, asked = converse(text_column(), [" Tea is fine.\n"])
    assert outcome == Ok(("Tea is fine.",))
    assert asked == [[message("user", "About tea")]]


@pytest.mark.parametrize(
    ("system", "messages"),
    [
        ("Be {{ topic }}.", [message("system", "Be tea."), message("user", "About tea")]),
        ("{% if topic == 'x' %}x{% endif %}", [message("user", "About tea")]),
        ("", [message("user", "About tea")]),
    ],
)
def test_a_system_message_is_sent_when_it_says_something(system: str, messages: list[Message]) -> None:
    """A system prompt that comes to nothing sends none."""
    _, asked = converse(text_column(system_prompt=system), ["ok"])
    assert asked == [messages]


def test_a_prompt_that_renders_empty_costs_no_request() -> None:
    """The row is rejected with the column to look at."""
    outcome, asked = converse(text_column(prompt="{{ topic }}"), ["ok"], record={"topic": ""})
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "PromptTemplateRenderError"
    assert "`topic` is empty" in outcome.reason.message
    assert asked == []


def test_an_empty_text_reply_is_asked_again() -> None:
    """Nothing is no answer, even where any text would do."""
    outcome, asked = converse(text_column(), [" ", "tea"], ConversationLimits(restarts=1, corrections=0))
    assert outcome == Ok(("tea",))
    assert len(asked) == 2


@pytest.mark.parametrize(("restarts", "corrections"), [(5, 0), (0, 2), (2, 3), (0, 0)])
def test_the_limits_bound_the_requests(restarts: int, corrections: int) -> None:
    """A cell whose replies never parse costs (1 + restarts) * (1 + corrections) requests and is rejected."""
    outcome, asked = converse(structured_column(), ["nope"], ConversationLimits(restarts, corrections))
    assert len(asked) == (1 + restarts) * (1 + corrections)
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelGenerationValidationFailureError"
    assert outcome.reason.last_reply == "nope"
    assert "No parsable JSON" in outcome.reason.message
    tried = "no retries" if restarts == corrections == 0 else f"{corrections} correction steps and {restarts}"
    assert tried in outcome.reason.message


def test_a_correction_shows_the_model_its_reply_and_the_problem() -> None:
    """The conversation grows by the bad answer and the parser's words."""
    outcome, asked = converse(
        structured_column(), ['```json\n{"a": "x"}\n```', GOOD], ConversationLimits(restarts=0, corrections=1)
    )
    assert outcome == Ok(({"a": 1},))
    assert asked[1][0] == asked[0][0]
    assert asked[1][1] == message("assistant", '```json\n{"a": "x"}\n```')
    assert asked[1][2]["role"] == "user"
    assert "at $.a: 'x' is not of type 'integer'" in asked[1][2]["content"][0]["text"]


def test_a_restart_asks_the_first_messages_anew() -> None:
    """The abandoned turns are gone; requests already sent are not changed afterwards."""
    _, asked = converse(structured_column(), ["nope"], ConversationLimits(restarts=1, corrections=1))
    assert [len(messages) for messages in asked] == [1, 3, 1, 3]
    assert asked[2] == asked[0]


@pytest.mark.parametrize("reply", ['```json\n{"a": 12', '```json\n{"a": 12}', "Here: ```json"])
def test_json_that_was_cut_off_is_not_mended(reply: str) -> None:
    """`{"a": 12` may have been going to be 1234, though it can be read as something that fits."""
    outcome, _ = converse(structured_column(), [ChatResponse(reply, finish_reason="length")])
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelTruncatedReplyError"
    assert "cut off at the token limit" in outcome.reason.message


def test_a_reply_that_was_cut_off_after_its_json_is_used() -> None:
    """Only what follows the fence is missing."""
    cut = ChatResponse(f"{GOOD}\nThis means", finish_reason="length")
    assert converse(structured_column(), [cut])[0] == Ok(({"a": 1},))


def test_code_that_was_cut_off_is_asked_for_again() -> None:
    """Half a function is no function."""
    column = LLMCodeColumnConfig(name="x", model_alias="m", prompt="P", code_lang=CodeLang.PYTHON)
    replies = [ChatResponse("```python\ndef f(", finish_reason="length"), "```python\ndef f(): ...\n```"]
    outcome, asked = converse(column, replies, ConversationLimits(restarts=0, corrections=1))
    assert outcome == Ok(("def f(): ...",))
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("finish", "advice"),
    [("length", "raise `max_tokens`"), ("model_context_window_exceeded", "shorten the prompt")],
)
def test_a_reply_that_was_cut_off_says_so(finish: str, advice: str) -> None:
    """The reason tells what to change."""
    outcome, _ = converse(structured_column(), [ChatResponse("```json\n", finish_reason=finish)])
    assert isinstance(outcome, Drop)
    assert advice in outcome.reason.message


WEATHER = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}


@pytest.mark.parametrize("column", [text_column(), structured_column()])
@pytest.mark.parametrize(
    ("reply", "called"),
    [
        (ChatResponse("", finish_reason="tool_calls", tool_calls=(WEATHER,)), "the tool 'get_weather'"),
        (ChatResponse(" ", finish_reason="stop", tool_calls=(WEATHER,)), "the tool 'get_weather'"),
        (ChatResponse("", finish_reason="tool_calls", tool_calls=({"function": 7}, {})), "tools"),
        (ChatResponse("", finish_reason="function_call"), "tools"),
    ],
)
def test_a_reply_of_tool_calls_is_called_that(column: LLMTextColumnConfig, reply: ChatResponse, called: str) -> None:
    """It is not empty for want of words; the model is told, and the user which parameters to look at."""
    outcome, asked = converse(column, [reply], ConversationLimits(restarts=0, corrections=1))
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelToolCallsReplyError"
    assert f"the reply calls {called} instead of answering" in outcome.reason.message
    assert "extra_body" in outcome.reason.message
    assert "calls a tool" in asked[1][-1]["content"][0]["text"]


def test_words_beside_tool_calls_are_the_reply() -> None:
    """What was asked for is there."""
    reply = ChatResponse("Sunny.", finish_reason="tool_calls", tool_calls=(WEATHER,))
    assert converse(text_column(), [reply])[0] == Ok(("Sunny.",))


def test_the_last_reply_is_stored_in_part() -> None:
    """A long reply is cut to two thousand characters."""
    outcome, _ = converse(structured_column(), ["y" * 5000])
    assert isinstance(outcome, Drop)
    assert outcome.reason.last_reply == "y" * 2000


def test_side_effects_are_aligned_with_what_the_step_makes() -> None:
    """Reasoning is stripped, and the trace holds the surviving conversation with the reasoning beside it."""
    config = text_column(system_prompt="S", with_trace=TraceType.ALL_MESSAGES, extract_reasoning_content=True)
    outcome, _ = converse(
        config, [ChatResponse(" t ", reasoning=" why ")], makes=("x", "x__trace", "x__reasoning_content")
    )
    trace = [
        message("system", "S"),
        message("user", "About tea"),
        {**message("assistant", "t"), "reasoning_content": "why"},
    ]
    assert outcome == Ok(("t", trace, "why"))


def test_a_full_trace_shows_failed_turns_but_no_abandoned_ones() -> None:
    """Corrections stay, an earlier conversation does not."""
    config = structured_column(with_trace=TraceType.ALL_MESSAGES)
    outcome, _ = converse(config, ["one", "two", "three", GOOD], ConversationLimits(1, 1), makes=("x", "x__trace"))
    assert isinstance(outcome, Ok)
    texts = [m["content"][0]["text"] for m in outcome.values[1] if m["role"] == "assistant"]
    assert texts == ["three", GOOD]


def test_a_short_trace_is_the_last_message() -> None:
    """Without reasoning it has no such key."""
    config = text_column(with_trace=TraceType.LAST_MESSAGE, extract_reasoning_content=True)
    outcome, _ = converse(config, ["t"], makes=("x", "x__reasoning_content", "x__trace"))
    assert outcome == Ok(("t", None, [message("assistant", "t")]))


def test_a_code_cell_is_the_code() -> None:
    """The prompt asks for a fence of the language without its dialect."""
    config = LLMCodeColumnConfig(name="x", model_alias="m", prompt="P", code_lang=CodeLang.SQL_ANSI)
    outcome, asked = converse(config, ["```sql\nSELECT 1\n```"])
    assert outcome == Ok(("SELECT 1",))
    prompt = asked[0][0]["content"][0]["text"]
    assert prompt.startswith("P\n\n* Write the code in sql.")
    assert "ansi" not in prompt


def test_a_judge_cell_has_reasoning_and_score() -> None:
    """The schema of the scores is in the prompt."""
    config = LLMJudgeColumnConfig(
        name="x",
        model_alias="m",
        prompt="P",
        scores=[Score(name="s", description="d", options={1: "low", 2: "high"})],
    )
    outcome, asked = converse(config, ['```json\n{"s": {"reasoning": "r", "score": "2"}}\n```'])
    assert outcome == Ok(({"s": {"reasoning": "r", "score": 2}},))
    assert re.search(
        r"<response_schema>\n\{.*JudgeStructuredOutput.*\}\n</response_schema>$",
        asked[0][0]["content"][0]["text"],
    )


THINKING = f"<think>\nA draft:\n{GOOD}\nNo, it has to be"


@pytest.mark.parametrize(
    "reply",
    [
        THINKING,
        THINKING.replace("<think>", "<thinking>"),
        THINKING.replace("<think>", "Well. <REASONING effort='high'>"),
        THINKING.replace("<think>", "[THINK]"),
        THINKING.replace("<think>", "\u25c1think\u25b7"),
        THINKING.replace("<think>", "<|channel|>analysis<|message|>"),
        THINKING.replace("<think>", "<think>a</think>b<think>"),
        f"{GOOD}\n```json\n{{",
        '{"a": 1',
    ],
)
@pytest.mark.parametrize("finish", ["length", "max_tokens"])
def test_a_reply_that_is_cut_off_before_its_answer_is_no_answer(reply: str, finish: str) -> None:
    """However much what it holds looks like one."""
    outcome, _ = converse(structured_column(), [ChatResponse(reply, finish_reason=finish)])
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelTruncatedReplyError"


@pytest.mark.parametrize("reply", ["<think>\nhm", "I [THINK] so"])
def test_text_that_is_cut_off_inside_its_reasoning_is_no_answer(reply: str) -> None:
    """Of text, which is kept however short it was cut, there is none yet."""
    outcome, _ = converse(text_column(), [ChatResponse(reply, finish_reason="length")])
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelTruncatedReplyError"


@pytest.mark.parametrize("reply", ["half a sen", "<think>\nhm\n</think>\nhalf a sen"])
def test_text_that_is_cut_off_elsewhere_is_kept(reply: str) -> None:
    """As it is."""
    assert converse(text_column(), [ChatResponse(reply, finish_reason="length")])[0] == Ok((reply,))


@pytest.mark.parametrize("finish", ["stop", None])
def test_a_reply_that_is_nothing_but_reasoning_is_no_answer(finish: str | None) -> None:
    """A draft in there is none, even where the reply was not cut off."""
    outcome, _ = converse(structured_column(), [ChatResponse(THINKING, finish_reason=finish)])
    assert isinstance(outcome, Drop)
    assert "reasoning and no answer" in outcome.reason.message


@pytest.mark.parametrize(("restarts", "corrections", "asked_in_all"), [(1, 0, 6), (0, 1, 6), (0, 0, 1)])
def test_a_model_lost_in_thought_is_asked_some_more_times(restarts: int, corrections: int, asked_in_all: int) -> None:
    """Where it may be asked again at all: how long it thinks is chance."""
    lost = ChatResponse(THINKING, finish_reason="length")
    outcome, asked = converse(structured_column(), [lost], ConversationLimits(restarts, corrections))
    assert isinstance(outcome, Drop)
    assert len(asked) == asked_in_all
    outcome, asked = converse(structured_column(), [lost, lost, lost, GOOD], ConversationLimits(1, 0))
    assert outcome == Ok(({"a": 1},))
    assert asked == [asked[0]] * 4


def test_code_keeps_the_indentation_that_its_fence_does_not_have() -> None:
    """White space around the reply is not the code's; white space inside it is."""
    column = LLMCodeColumnConfig(name="x", model_alias="m", prompt="P", code_lang=CodeLang.PYTHON)
    assert converse(column, ["\n    ```python\n    if a:\n    \tb()\n    ```\n"])[0] == Ok(("if a:\n\tb()",))
    assert converse(column, ["```python\n    return x  \n\n```"])[0] == Ok(("    return x  \n",))


def test_what_a_parser_did_not_foresee_ends_one_reply_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for again, then rejected by name."""

    def broken(_: str) -> None:
        raise ZeroDivisionError("no idea")

    monkeypatch.setattr("data_designer.columns.llm_text.parse_text", broken)
    outcome, asked = converse(text_column(), ["x"], ConversationLimits(restarts=1, corrections=0))
    assert isinstance(outcome, Drop)
    assert len(asked) == 2
    assert "ZeroDivisionError: no idea" in outcome.reason.message


@pytest.mark.parametrize(("size", "asked_in_all"), [(1000, 3), (200_000, 1)])
def test_a_reply_that_is_too_long_to_be_repeated_is_not_corrected(size: int, asked_in_all: int) -> None:
    """The next conversation begins instead, where there is one; the words about it are short, too."""
    reply = f'```json\n{{"a": "{"x" * size}"}}\n```'
    outcome, asked = converse(structured_column(), [reply], ConversationLimits(restarts=0, corrections=2))
    assert isinstance(outcome, Drop)
    assert len(asked) == asked_in_all
    assert len(outcome.reason.message) < 3000


NAMED: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(("name", "body"), CONTENTS, ids=[name for name, _ in CONTENTS])
@pytest.mark.parametrize(
    "column",
    [
        text_column(),
        structured_column(output_format=NAMED),
        LLMCodeColumnConfig(name="x", model_alias="m", prompt="P", code_lang=CodeLang.PYTHON),
        LLMJudgeColumnConfig(
            name="x",
            model_alias="m",
            prompt="P",
            scores=[Score(name="s", description="d", options={1: "low", 2: "high"})],
        ),
    ],
    ids=lambda column: column.column_type,
)
def test_whatever_a_reply_holds_is_a_value_or_a_rejection_of_a_name(
    column: LLMTextColumnConfig, name: str, body: bytes
) -> None:
    """Soon, and without a number or a text that nothing can hold."""
    choice = json.loads(body)["choices"][0]
    finish = {"content_filter": REFUSED}.get(choice["finish_reason"], choice["finish_reason"])
    outcome, _ = converse(column, [ChatResponse(choice["message"]["content"], finish_reason=finish)])
    if isinstance(outcome, Drop):
        assert issubclass(getattr(errors, outcome.reason.kind), errors.ModelError)
        assert len(outcome.reason.message) < 2000
    else:
        assert isinstance(outcome, Ok)
        assert json.dumps(outcome.values, ensure_ascii=False).encode()
        assert (name, column.column_type) in {
            (name, "llm-text"),
            ("half a pair", "llm-structured"),
            ("a long name", "llm-structured"),
        }
