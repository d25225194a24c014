"""Turns in which a model calls tools: what is asked, what is called, what is kept, and when it ends."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from data_designer.columns.llm import ConversationLimits, LlmProgram
from data_designer.columns.llm_json import structured_form
from data_designer.columns.llm_text import text_form
from data_designer.columns.tool_turns import REFUSALS, REFUSED_CALL, ToolTurns
from data_designer.config.column_configs import LLMStructuredColumnConfig, LLMTextColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.plan.tools import Tool, ToolSet
from data_designer.values import (
    ChatRequest,
    ChatResponse,
    Drop,
    Ok,
    Outcome,
    Request,
    ToolCall,
    ToolRequest,
    ToolResponse,
)

LIMITS = ConversationLimits(restarts=2, corrections=0)
DEFINITION = {"type": "function", "function": {"name": "add", "description": "", "parameters": {}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def tools(most_turns: int = 2) -> ToolSet:
    """One tool."""
    return ToolSet("t", (Tool("add", "p", DEFINITION),), most_turns)


def calls(*arguments: object, name: str = "add", number: int = 0, text: str = "") -> ChatResponse:
    """A reply that calls a tool, once for each arguments."""
    made = tuple(
        {"id": f"c{number}{place}", "function": {"name": name, "arguments": one}} for place, one in enumerate(arguments)
    )
    return ChatResponse(text, finish_reason="tool_calls", tool_calls=made, reasoning=" I think. ")


def column(**fields: Any) -> LLMTextColumnConfig:
    """A text that tells what was said."""
    return LLMTextColumnConfig(**{"name": "x", "model_alias": "m", "prompt": "P", "tool_alias": "t", **fields})


def converse(
    replies: Sequence[ChatResponse | str],
    config: LLMTextColumnConfig | None = None,
    given: ToolSet | None = None,
    makes: tuple[str, ...] = ("x",),
    limits: ConversationLimits = LIMITS,
) -> tuple[Outcome, list[Request]]:
    """Run a cell against a script, the last reply repeated; each call comes to its arguments."""
    config = config or column()
    form = structured_form(config, None) if isinstance(config, LLMStructuredColumnConfig) else text_form(config, None)
    program = LlmProgram(config, form, limits, JinjaRenderingEngine.SECURE, [], makes, given or tools())
    exchange, asked, script = program.exchange({}, 0), [], [*replies]
    try:
        request = next(exchange)
        while True:
            asked.append(request)
            if isinstance(request, ToolRequest):
                said = tuple([{"type": "text", "text": json.dumps(call.arguments)}] for call in request.calls)
                request = exchange.send(ToolResponse(said))
            else:
                reply = script.pop(0) if len(script) > 1 else script[0]
                request = exchange.send(reply if isinstance(reply, ChatResponse) else ChatResponse(reply))
    except StopIteration as stop:
        return stop.value, asked


def conversation(request: Request) -> list[tuple[object, ...]]:
    """Roles and texts of what a chat model was asked."""
    assert isinstance(request, ChatRequest)
    return [(one["role"], one["content"][0]["text"]) for one in request.messages]  # type: ignore[index]


def test_a_turn_is_a_request_of_its_own() -> None:
    """Its calls are asked for together; the next request repeats the reply and holds a result for each call."""
    outcome, asked = converse([calls('{"a": 1}', '{"a": 2}', text=" so "), "done"])
    assert outcome == Ok(("done",))
    first, called, last = asked
    assert called == ToolRequest("t", (ToolCall("add", {"a": 1}, 0), ToolCall("add", {"a": 2}, 1)))
    assert isinstance(first, ChatRequest)
    assert isinstance(last, ChatRequest)
    assert first.params["tools"] == last.params["tools"] == [DEFINITION]
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    text = {"type": "text", "text": "so"}
    assert last.messages[1] == {
        "role": "assistant",
        "content": [text],
        "reasoning_content": "I think.",
        "tool_calls": [
            {"id": "c00", **call},
            {"id": "c01", **call, "function": {"name": "add", "arguments": '{"a": 2}'}},
        ],
    }
    assert last.messages[2:] == [
        {"role": "tool", "content": [{"type": "text", "text": '{"a": 1}'}], "tool_call_id": "c00"},
        {"role": "tool", "content": [{"type": "text", "text": '{"a": 2}'}], "tool_call_id": "c01"},
    ]


def test_a_trace_holds_calls_and_results() -> None:
    """All messages: the whole conversation; the last message: the answer alone."""
    makes = ("x", "x__trace")
    outcome, asked = converse([calls("{}"), "done"], column(with_trace="all_messages"), makes=makes)
    assert isinstance(outcome, Ok)
    [_, trace] = outcome.values
    assert isinstance(trace, list)
    assert isinstance(asked[-1], ChatRequest)
    assert trace == [*asked[-1].messages, {"role": "assistant", "content": [{"type": "text", "text": "done"}]}]
    outcome, _ = converse([calls("{}"), "done"], column(with_trace="last_message"), makes=makes)
    assert outcome == Ok(("done", trace[-1:]))


def test_a_conversation_that_starts_anew_keeps_what_tools_said() -> None:
    """A reply that cannot be parsed is left out; no call is made twice."""
    config = LLMStructuredColumnConfig(name="x", model_alias="m", prompt="P", output_format=SCHEMA, tool_alias="t")
    outcome, asked = converse([calls('{"a": 1}'), "no JSON", '```json\n{"a": 1}\n```'], config)
    assert outcome == Ok(({"a": 1},))
    assert [type(one) for one in asked] == [ChatRequest, ToolRequest, ChatRequest, ChatRequest]
    assert conversation(asked[2]) == conversation(asked[3])
    assert conversation(asked[3])[-1] == ("tool", '{"a": 1}')


def test_a_correction_follows_what_tools_said() -> None:
    """The reply and what is wrong with it come after the results."""
    config = LLMStructuredColumnConfig(name="x", model_alias="m", prompt="P", output_format=SCHEMA, tool_alias="t")
    replies = [calls('{"a": 1}'), "no JSON", '```json\n{"a": 1}\n```']
    _, asked = converse(replies, config, limits=ConversationLimits(restarts=0, corrections=1))
    assert [role for role, _ in conversation(asked[-1])] == ["user", "assistant", "tool", "assistant", "user"]


def test_calls_beyond_the_limit_are_refused_in_words() -> None:
    """They are not made, and the model hears why for each; then it answers."""
    outcome, asked = converse([calls("{}"), calls("{}", "{}"), "done"], given=tools(most_turns=1))
    assert outcome == Ok(("done",))
    assert [type(one) for one in asked] == [ChatRequest, ToolRequest, ChatRequest, ChatRequest]
    assert conversation(asked[-1])[-2:] == [("tool", REFUSED_CALL)] * 2


@pytest.mark.parametrize("restarts", [0, 2])
def test_a_model_that_goes_on_calling_comes_to_an_end(restarts: int) -> None:
    """After a few refusals each attempt counts as one that failed; the reason names the limit."""
    limits = ConversationLimits(restarts, corrections=0)
    outcome, asked = converse([calls("{}")], given=tools(most_turns=2), limits=limits)
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelToolCallsReplyError"
    assert "raise max_tool_call_turns of tool config 't'" in outcome.reason.message
    assert sum(isinstance(one, ToolRequest) for one in asked) == 2
    assert sum(isinstance(one, ChatRequest) for one in asked) == 2 + REFUSALS + 1 + restarts


def test_words_beside_calls_that_are_refused_for_good_are_the_answer() -> None:
    """A model that says something and calls, whatever it is told, has said something."""
    outcome, _ = converse([calls("{}", text="fine")], given=tools(most_turns=1))
    assert outcome == Ok(("fine",))


@pytest.mark.parametrize(
    ("written", "read"),
    [(None, {}), ("", {}), ("[1]", {}), ("7", {}), ('{"a": NaN}', None), ('{"a": [1]}', {"a": [1]})],
)
def test_arguments_are_an_object_or_nothing(written: object, read: object) -> None:
    """JSON of any other kind stands for no arguments."""
    _, asked = converse([calls(written), "done"])
    assert isinstance(asked[1], ToolRequest)
    found = asked[1].calls[0].arguments
    assert found == read if read is not None else found["a"] != found["a"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (calls("{"), "the tool 'add' with arguments that are no JSON: '{'"),
        (calls("{}", name="rm"), "a tool 'rm', which it may not; it may call 'add'"),
        (ChatResponse("", tool_calls=({"id": "1"},)), "a tool '', which it may not"),
    ],
)
def test_a_call_that_may_not_be_made_ends_the_row(reply: ChatResponse, said: str) -> None:
    """Nothing is called, and the reason says what was wanted."""
    outcome, asked = converse([reply])
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "MCPToolError"
    assert said in outcome.reason.message
    assert len(asked) == 1


def test_a_call_without_a_number_gets_one() -> None:
    """Results name the call that they answer, the same in every run."""
    nameless = ChatResponse("", tool_calls=({"function": {"name": "add"}}, {"id": "", "function": {"name": "add"}}))
    _, asked = converse([nameless, "done"])
    assert isinstance(asked[-1], ChatRequest)
    assert [one.get("tool_call_id") for one in asked[-1].messages] == [None, None, "call_1_0", "call_1_1"]


def test_a_choice_of_tools_counts_until_the_first_turn() -> None:
    """A model that is made to call would never answer."""
    asking = ToolTurns(tools()).ask([{"role": "user", "content": []}], {"tool_choice": "required"})
    first = next(asking)
    asking.send(calls("{}"))
    second = asking.send(ToolResponse(([],)))
    assert isinstance(first, ChatRequest)
    assert isinstance(second, ChatRequest)
    assert first.params["tool_choice"] == "required"
    assert "tool_choice" not in second.params


def test_without_tools_nothing_is_offered() -> None:
    """An alias that allows none is no different from no alias."""
    outcome, [asked] = converse(["done"], given=ToolSet("t", (), 5))
    assert outcome == Ok(("done",))
    assert isinstance(asked, ChatRequest)
    assert "tools" not in asked.params
