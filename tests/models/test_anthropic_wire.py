"""Anthropic's Messages API: what is posted, and how its replies and errors are read."""

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.models.fakes import Answer, FakeServer, pool, request, says, served

from data_designer import errors
from data_designer.models.anthropic_wire import MAX_TOKENS, VERSION, AnthropicWire
from data_designer.models.client import ModelClient
from data_designer.models.error_mapping import UnreadableError
from data_designer.models.wire import Common
from data_designer.simulated_model.server import SimulatedModel, start_simulated
from data_designer.values import REFUSED, ChatRequest, Message, Request, Response, Usage

KEY = "sk-ant-0123456789"
GOOD: dict[str, Any] = {
    "type": "message",
    "content": [{"type": "text", "text": "fine"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def turn(role: str, text: str) -> Message:
    """One of text alone, as it is posted."""
    return {"role": role, "content": text}


def message(role: str, *texts: str) -> Message:
    """A message as it travels here."""
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def body_of(*messages: Message, options: Any = None, extra: Any = None, **params: Any) -> dict[str, Any]:
    """What is posted for a conversation."""
    wire = AnthropicWire(Common("claude", options or {}, extra or {}))
    return wire.body(ChatRequest(list(messages), params))


async def ask(url: str, one: Request, *, key: str | None = KEY, provider: Any = None, **params: Any) -> Response:
    """Ask an alias of an Anthropic provider at an address."""
    alias = pool(url, provider={"provider_type": "anthropic", **(provider or {})}, **params)
    async with aiohttp.ClientSession() as session:
        return await ModelClient(alias, key, session).ask(one)


def asked(answer: Answer | None = None, one: Request | None = None, **how: Any) -> tuple[Response, FakeServer]:
    """Ask a server once: the reply, and what the server saw."""

    async def scenario() -> tuple[Response, FakeServer]:
        async with served(answer or says(GOOD)) as server:
            return await ask(server.url, one or request(), **how), server

    return asyncio.run(scenario())


def simulated(model: SimulatedModel, one: Request, **how: Any) -> Response:
    """Ask the simulated model over its Messages API."""

    async def scenario() -> Response:
        server = await start_simulated(model)
        try:
            return await ask(server.url, one, **how)
        finally:
            await server.close()

    return asyncio.run(scenario())


# --- what is posted --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sockets")
def test_the_request_is_written_as_the_api_has_it() -> None:
    """Path, key, version, the alias's parameters, and the system message apart from the turns."""
    one = ChatRequest([message("system", "Be brief."), message("user", "hi")], {"stop": ["x"]})
    _, server = asked(one=one, temperature=0.5, top_p=0.9, max_tokens=7)
    assert server.paths == ["/v1/messages"]
    assert server.bodies == [
        {
            "model": "org/x",
            "system": "Be brief.",
            "messages": [turn("user", "hi")],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 7,
            "stop_sequences": ["x"],
        }
    ]
    headers = server.headers[0]
    assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, VERSION)
    assert "Authorization" not in headers


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_only_the_version_is_sent(key: str | None) -> None:
    """A gateway that holds the key itself is asked without one."""
    headers = asked(key=key)[1].headers[0]
    assert "x-api-key" not in headers
    assert headers["anthropic-version"] == VERSION


@pytest.mark.usefixtures("sockets")
def test_a_provider_s_own_headers_take_the_place_of_ours() -> None:
    """Whatever their case: another version of the API, or another way to say who asks."""
    own = {"extra_headers": {"Anthropic-Version": "2099-01-01", "X-API-KEY": "other"}}
    headers = asked(provider=own)[1].headers[0]
    assert headers.getall("anthropic-version") == ["2099-01-01"]
    assert headers.getall("x-api-key") == ["other"]


@pytest.mark.parametrize("endpoint", ["https://h", "https://h/", "https://h/v1", "https://h/v1/"])
def test_the_version_may_stand_in_the_address_or_not(endpoint: str) -> None:
    """Endpoints are written with and without /v1; requests go to the same place."""
    assert AnthropicWire.url(endpoint) == "https://h/v1/messages"
    assert AnthropicWire.url("https://gate/anthropic") == "https://gate/anthropic/v1/messages"


def test_a_longest_reply_is_always_given() -> None:
    """The API demands one: a default, the alias's, the request's, or extra_body's, the last counts most."""
    hi = message("user", "hi")
    assert body_of(hi)["max_tokens"] == MAX_TOKENS == 4096
    assert body_of(hi, options={"max_tokens": 9})["max_tokens"] == 9
    assert body_of(hi, options={"max_tokens": 9}, max_tokens=8)["max_tokens"] == 8
    assert body_of(hi, max_tokens=None)["max_tokens"] == MAX_TOKENS
    assert body_of(hi, max_tokens=8, extra={"max_tokens": 7})["max_tokens"] == 7


@pytest.mark.parametrize("where", ["options", "extra", "params"])
def test_parameters_of_the_other_api_are_left_out(where: str) -> None:
    """What this API does not know it refuses, so it is not sent, whoever gives it."""
    odd = {"n": 2, "seed": 1, "response_format": {}, "frequency_penalty": 0.1, "presence_penalty": 0.1, "top_k": 5}
    given: dict[str, Any] = odd if where == "params" else {where: odd}
    body = body_of(message("user", "hi"), **given)
    assert sorted(body) == ["max_tokens", "messages", "model", "top_k"]


def test_a_parameter_that_is_drawn_gives_way_to_the_request_s_own() -> None:
    """What was drawn stands over the alias's, what the request says over that, extra_body over all."""
    wire = AnthropicWire(Common("claude", {"temperature": 0.1, "top_p": 0.1}, {"top_k": 3}))
    one = ChatRequest([message("user", "hi")], {"top_p": 0.3, "top_k": 1})
    body = wire.body(one.with_params({"temperature": 0.2, "top_p": 0.2, "top_k": 2}))
    assert (body["temperature"], body["top_p"], body["top_k"]) == (0.2, 0.3, 3)


@pytest.mark.usefixtures("sockets")
def test_a_distribution_is_no_parameter_of_the_alias_s_own() -> None:
    """A temperature that is a distribution is what was drawn for the request, and drawn nowhere else."""
    drawn = {"temperature": {"params": {"low": 0.2, "high": 0.9}}, "top_p": 0.5}
    for one, expected in ((request(), None), (request(temperature=0.3), 0.3)):
        _, server = asked(one=one, **drawn)
        assert (server.bodies[0].get("temperature"), server.bodies[0]["top_p"]) == (expected, 0.5)


def test_system_messages_are_one_text() -> None:
    """All of them are joined, wherever they stand; without any there is no system member."""
    body = body_of(message("system", "a", "b"), message("user", "hi"), message("system", "c"))
    assert body["system"] == "a\nb\n\nc"
    assert body["messages"] == [turn("user", "hi")]
    assert "system" not in body_of(message("user", "hi"))


def test_a_conversation_keeps_its_turns_without_empty_text() -> None:
    """User and assistant alternate as they did; blocks of empty text, which the API refuses, are gone."""
    turns = [message("user", "a", ""), message("assistant", "b"), message("user", "c")]
    assert body_of(*turns)["messages"] == [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]


def test_a_request_is_not_changed_by_writing_it() -> None:
    """The same messages are sent again in a correction round, to whatever API."""
    one = ChatRequest([message("system", "s"), message("user", "a", "")], {"stop": ["x"]})
    AnthropicWire(Common("claude")).body(one)
    assert one == ChatRequest([message("system", "s"), message("user", "a", "")], {"stop": ["x"]})


# --- what comes back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "max_tokens"),
        ("refusal", REFUSED),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("pause_turn", "pause_turn"),
        (None, None),
        (7, None),
    ],
)
def test_why_a_reply_ended_is_said_in_the_house_s_words(stop_reason: Any, finish_reason: str | None) -> None:
    """Natural ends are `stop`, a refusal is a refusal; what has no other name keeps its own."""
    assert AnthropicWire.parse({**GOOD, "stop_reason": stop_reason}).finish_reason == finish_reason


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ([{"type": "text", "text": "a"}], "a", None),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb", None),
        ([{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "a"}], "a", "t"),
        ([{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}], "a", None),
        ([], "", None),
        ([{"type": "tool_use", "id": "x", "input": {}}], "", None),
        (["odd", None, {"type": "text"}], "", None),
    ],
)
def test_text_and_thought_are_told_apart(content: list[Any], text: str, reasoning: str | None) -> None:
    """Blocks of other kinds, and what is no block, are no text."""
    reply = AnthropicWire.parse({**GOOD, "content": content})
    assert (reply.text, reply.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 3, "output_tokens": 2}, Usage(1, 0, 3, 2)),
        (
            {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 5},
            Usage(1, 0, 48, 2, cached_tokens=40),
        ),
        ({"input_tokens": 3, "cache_read_input_tokens": None, "output_tokens": "two"}, Usage(1, 0, 3)),
        ({}, Usage(1)),
        (None, Usage(1)),
        ("many", Usage(1)),
    ],
)
def test_tokens_count_whether_they_came_from_a_cache_or_not(usage: Any, expected: Usage) -> None:
    """Input is all that was read; what is odd or missing counts as none, and the request as one."""
    assert AnthropicWire.parse({**GOOD, "usage": usage}).usage == expected


@pytest.mark.parametrize(
    "data",
    [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"error": {"message": "no"}},
        {"error": {}, "content": []},
        {"type": "message"},
        {"content": "text"},
        {"choices": [{"message": {"content": "the other API"}}]},
        [],
        "text",
        None,
    ],
)
def test_what_is_no_message_is_no_reply(data: Any) -> None:
    """An error under a good status, or another API's reply, never becomes an empty text."""
    with pytest.raises(UnreadableError):
        AnthropicWire.parse(data)


@pytest.mark.usefixtures("sockets")
def test_a_good_status_without_a_message_is_an_error_that_quotes_it() -> None:
    """Whoever reads of it sees what came."""
    with pytest.raises(errors.ModelInvalidReplyError, match='no message: {"type":"completion"}') as caught:
        asked(says({"type": "completion"}))
    assert caught.value.retryable


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("status", "kind", "said", "expected"),
    [
        (400, "invalid_request_error", "max_tokens: must be positive", errors.ModelBadRequestError),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens", errors.ModelContextWindowExceededError),
        (400, "invalid_request_error", "Your credit balance is too low", errors.ModelQuotaExceededError),
        (401, "authentication_error", f"invalid x-api-key {KEY}", errors.ModelAuthenticationError),
        (403, "permission_error", "not yours", errors.ModelPermissionDeniedError),
        (404, "not_found_error", "model: claude", errors.ModelNotFoundError),
        (413, "request_too_large", "too large", errors.ModelContextWindowExceededError),
        (429, "rate_limit_error", "slow down", errors.ModelRateLimitError),
        (500, "api_error", "Internal server error", errors.ModelInternalServerError),
        (529, "overloaded_error", "Overloaded", errors.ModelInternalServerError),
    ],
)
def test_every_error_of_the_api_has_its_kind(
    status: int, kind: str, said: str, expected: type[errors.ModelError]
) -> None:
    """The provider's words are repeated, without the key."""
    with pytest.raises(expected) as caught:
        asked(says({"type": "error", "error": {"type": kind, "message": said}}, status))
    assert type(caught.value) is expected
    assert said.replace(KEY, "***") in str(caught.value)
    assert KEY not in repr(caught.value)


@pytest.mark.usefixtures("sockets")
def test_what_is_left_is_heard_before_anything_is_refused() -> None:
    """A reply that says that no requests are left carries the pause; one that says when all is there again does not."""
    limits = {"anthropic_ratelimit_requests_reset": "2025-01-01T00:00:20Z", "Date": "Wed, 01 Jan 2025 00:00:00 GMT"}
    assert asked(says(GOOD, 200, anthropic_ratelimit_requests_remaining="0", **limits))[0].pause == 20.0
    assert asked(says(GOOD, 200, anthropic_ratelimit_requests_remaining="1", **limits))[0].pause is None


# --- the simulated model's Messages API ------------------------------------------------------------------


@pytest.mark.usefixtures("sockets")
def test_the_simulated_model_answers_over_either_api_alike() -> None:
    """The same prompt gets the same reply, and the same tokens are counted."""
    model = SimulatedModel(cached_share=0.5)
    one = ChatRequest([message("system", "Be brief."), message("user", "gardens")])
    over_messages = simulated(model, one)
    assert over_messages.finish_reason == "stop"
    assert over_messages.usage.cached_tokens > 0
    assert over_messages == simulated(model, one, provider={"provider_type": "openai"})


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("model", "finish_reason", "says_something"),
    [
        (SimulatedModel(refusal_rate=1), REFUSED, True),
        (SimulatedModel(truncated_rate=1), "max_tokens", True),
        (SimulatedModel(empty_rate=1), "stop", False),
    ],
)
def test_replies_of_little_use_are_named_by_their_end(
    model: SimulatedModel, finish_reason: str, says_something: bool
) -> None:
    """A refusal, a reply that is cut off and one that is empty arrive as replies, for the step to judge."""
    reply = simulated(model, request())
    assert (reply.finish_reason, bool(reply.text)) == (finish_reason, says_something)


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (SimulatedModel(error_rate=1), errors.ModelInternalServerError),
        (SimulatedModel(revoked_after=0), errors.ModelAuthenticationError),
        (SimulatedModel(reject_above=0), errors.ModelRateLimitError),
        (SimulatedModel(reset_rate=1), errors.ModelAPIConnectionError),
    ],
)
def test_failures_over_the_api_are_named(model: SimulatedModel, kind: type[errors.ModelError]) -> None:
    """Whatever goes wrong, it is the same kind of error as over the other API."""
    with pytest.raises(kind):
        simulated(model, request())


@pytest.mark.usefixtures("sockets")
def test_a_limit_that_is_reached_says_when_there_is_room() -> None:
    """The last reply that fits carries a pause by the API's own headers."""
    pause = simulated(SimulatedModel(requests_per_minute=1, rate_window=60.0), request()).pause
    assert pause is not None
    assert 0.0 < pause <= 61.0


def test_a_single_stop_string_is_written_as_a_list() -> None:
    """The other API takes both."""
    assert body_of(message("user", "hi"), stop="END")["stop_sequences"] == ["END"]


def test_a_turn_of_nothing_is_left_out() -> None:
    """An empty reply that is to be corrected is no turn that this API takes."""
    body = body_of(message("user", "hi"), message("assistant", ""), message("user", "The reply is empty."))
    assert body["messages"] == [turn("user", "hi"), turn("user", "The reply is empty.")]


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"q": 1}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def test_tools_are_posted_in_this_apis_form() -> None:
    """Definitions, the choice among them, calls, and the results of one turn together in one message of the user's."""
    said = {"role": "assistant", "content": [{"type": "text", "text": ""}], "tool_calls": [CALL, {**CALL, "id": "c2"}]}
    results = [
        {"role": "tool", "content": [{"type": "text", "text": "42"}], "tool_call_id": "c1"},
        {"role": "tool", "content": [{"type": "text", "text": "see"}, IMAGE], "tool_call_id": "c2"},
    ]
    described = {"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}
    body = body_of(
        message("user", "P"),
        said,
        *results,
        tools=[{"type": "function", "function": described}],
        tool_choice={"type": "function", "function": {"name": "f"}},
    )
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "tool", "name": "f"}
    source = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    second = [{"type": "text", "text": "see"}, {"type": "image", "source": source}]
    assert body["messages"] == [
        turn("user", "P"),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": one, "name": "f", "input": {"q": 1}} for one in ("c1", "c2")],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "42"},
                {"type": "tool_result", "tool_use_id": "c2", "content": second},
            ],
        },
    ]


@pytest.mark.parametrize(("ours", "theirs"), [("auto", "auto"), ("required", "any"), ("none", "none")])
def test_a_choice_of_tools_has_other_names(ours: str, theirs: str) -> None:
    """Whether the model may call, must, or must not."""
    assert body_of(message("user", "P"), tool_choice=ours)["tool_choice"] == {"type": theirs}


def test_calls_in_a_reply_are_read() -> None:
    """In the form in which all of them travel here, beside the text."""
    blocks = [{"type": "text", "text": "so"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {"q": 1}}]
    reply = AnthropicWire.parse({**GOOD, "content": blocks, "stop_reason": "tool_use"})
    function = {"name": "f", "arguments": '{"q":1}'}
    assert reply.tool_calls == ({"id": "c1", "type": "function", "function": function},)
    assert (reply.text, reply.finish_reason) == ("so", "tool_calls")
