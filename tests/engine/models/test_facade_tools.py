"""Tools in functions of the user: turns of calls, what is refused, and what comes back."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fakes import NOWHERE, model, provider

from data_designer.columns.tool_turns import NO_MORE_CALLS, REFUSALS, REFUSED_CALL
from data_designer.engine.models.facade import ModelFacade
from data_designer.engine.models.parsers.errors import ParserException
from data_designer.engine.models.utils import ChatMessage
from data_designer.errors import MCPConfigurationError, MCPToolError, ModelGenerationValidationFailureError
from data_designer.plan.model import Pool
from data_designer.plan.tools import Tool, ToolSet
from data_designer.values import ChatRequest, ChatResponse, Request, Response, ToolRequest, ToolResponse, Usage

POOL = Pool("a", 4, model("a"), provider(NOWHERE))
ADD = Tool("add", "p", {"type": "function", "function": {"name": "add"}})
TOOLS = {"t": ToolSet("t", (ADD,), most_turns=2)}


def call(number: int, **arguments: int) -> dict[str, object]:
    """A call as a model writes it."""
    written = str(arguments).replace("'", '"')
    return {"id": f"c{number}", "type": "function", "function": {"name": "add", "arguments": written}}


def calls(*some: dict[str, object], thought: str | None = None) -> ChatResponse:
    """A reply that calls tools."""
    return ChatResponse("", thought, "tool_calls", some, usage=Usage(requests=1))


def says(text: str) -> ChatResponse:
    """A reply that calls none."""
    return ChatResponse(text, usage=Usage(requests=1))


@dataclass
class Scripted:
    """Models answer in order, and every call comes to the sum of its arguments."""

    replies: list[ChatResponse]
    asked: list[ChatRequest] = field(default_factory=list)
    called: list[ToolRequest] = field(default_factory=list)

    def ask(self, request: Request) -> Response:
        """Answer."""
        if isinstance(request, ToolRequest):
            self.called.append(request)
            sums = [sum(one.arguments.values()) for one in request.calls]  # type: ignore[arg-type]
            results = tuple([{"type": "text", "text": str(one)}] for one in sums)
            return ToolResponse(results, usage=Usage(tool_calls=len(sums), tool_turns=1))
        assert isinstance(request, ChatRequest)
        self.asked.append(request)
        return self.replies.pop(0)

    async def aask(self, request: Request) -> Response:
        """Answer."""
        return self.ask(request)


def generate(asker: Scripted, way: str = "generate", **options: Any) -> tuple[Any, list[ChatMessage]]:
    """Ask through a facade that has tools."""
    facade = ModelFacade(POOL, asker, TOOLS)
    if way == "agenerate":
        found: tuple[Any, list[ChatMessage]] = asyncio.run(facade.agenerate("p", tool_alias="t", **options))
        return found
    return facade.generate("p", tool_alias="t", **options)


def number(text: str) -> int:
    """A parser."""
    if not text.isdecimal():
        raise ParserException("Answer with a number.")
    return int(text)


@pytest.mark.parametrize("way", ["generate", "agenerate"])
def test_calls_are_made_and_stand_in_the_trace(way: str) -> None:
    """In their order, with their results, between the prompt and the reply; the model is told of both."""
    asker = Scripted([calls(call(1, a=1, b=2), call(2, a=3), thought="hm"), says(" six ")])
    text, trace = generate(asker, way)
    assert text == "six"
    made = [call(1, a=1, b=2), call(2, a=3)]
    assert trace == [
        ChatMessage.as_user("p"),
        ChatMessage.as_assistant("", "hm", made),
        ChatMessage.as_tool("3", "c1"),
        ChatMessage.as_tool("3", "c2"),
        ChatMessage.as_assistant("six"),
    ]
    assert [request.params for request in asker.asked] == [{"tools": [ADD.definition]}] * 2
    assert [one["role"] for one in asker.asked[1].messages] == ["user", "assistant", "tool", "tool"]
    [turn] = asker.called
    assert [(one.tool, one.arguments, one.place) for one in turn.calls] == [
        ("add", {"a": 1, "b": 2}, 0),
        ("add", {"a": 3}, 1),
    ]


def test_a_choice_of_tool_counts_until_the_first_call() -> None:
    """Then the model is free to answer."""
    asker = Scripted([calls(call(1)), says("x")])
    generate(asker, tool_choice="required", temperature=0.5)
    assert [request.params.get("tool_choice") for request in asker.asked] == ["required", None]
    assert [request.params["temperature"] for request in asker.asked] == [0.5, 0.5]


def test_what_tools_have_said_stays_when_a_conversation_starts_anew() -> None:
    """Neither a correction nor a restart calls again."""
    asker = Scripted([calls(call(1, a=7)), says("seven"), says("sept"), says("7")])
    found, trace = generate(asker, parser=number, max_correction_steps=1, max_conversation_restarts=1)
    assert found == 7
    assert [message.role for message in trace] == ["user", "assistant", "tool", "assistant"]
    lengths = [len(request.messages) for request in asker.asked]
    assert lengths == [1, 3, 5, 3]
    assert len(asker.called) == 1


def test_calls_beyond_the_limit_are_refused_in_words_and_then_not_at_all() -> None:
    """The model is told to answer; one that never does has no answer, and is corrected as for any other reply."""
    most, endless = TOOLS["t"].most_turns, 2 + REFUSALS + 1
    asker = Scripted([calls(call(n)) for n in range(endless)] + [says("done")])
    text, trace = generate(asker, max_correction_steps=1)
    assert text == "done"
    assert len(asker.called) == most
    refused = [message for message in trace if message.content == REFUSED_CALL]
    assert len(refused) == REFUSALS
    assert [(one.role, one.content, one.tool_calls) for one in trace[-3:]] == [
        ("assistant", "", []),
        ("user", NO_MORE_CALLS, []),
        ("assistant", "done", []),
    ]
    with pytest.raises(ModelGenerationValidationFailureError, match="calls a tool"):
        generate(Scripted([calls(call(n)) for n in range(endless)]))


def test_what_is_called_that_is_not_there_is_the_functions_error() -> None:
    """A tool of another name, or an alias that nobody declared."""
    wrong = {"id": "c", "function": {"name": "rm", "arguments": "{}"}}
    with pytest.raises(MCPToolError, match="'rm', which it may not; it may call 'add'"):
        generate(Scripted([calls(wrong)]))
    with pytest.raises(MCPConfigurationError, match="tool alias 'u' is not declared; tool configs: 't'"):
        ModelFacade(POOL, Scripted([]), TOOLS).generate("p", tool_alias="u")


def test_usage_counts_calls_turns_and_who_made_any() -> None:
    """Of everything that was asked with tools."""
    facade = ModelFacade(POOL, Scripted([calls(call(1), call(2)), says("x"), says("y"), says("z")]), TOOLS)
    for alias in ("t", "t", None):
        facade.generate("p", tool_alias=alias)
    used = facade.usage_stats.tool_usage
    assert (used.total_tool_calls, used.total_tool_call_turns) == (2, 1)
    assert (used.total_generations, used.generations_with_tools) == (2, 1)
