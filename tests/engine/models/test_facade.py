"""What functions of the user ask models through: conversations, fields of requests, vectors and images."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from tests.fakes import NOWHERE, model, provider

from data_designer.engine.models.facade import ModelFacade
from data_designer.engine.models.parsers.errors import ParserException
from data_designer.engine.models.utils import ChatMessage
from data_designer.errors import (
    ModelGenerationValidationFailureError,
    ModelRateLimitError,
    ModelUnsupportedCapabilityError,
)
from data_designer.plan.model import Pool
from data_designer.values import (
    ChatRequest,
    ChatResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    ImageRequest,
    ImageResponse,
    Request,
    Response,
    Usage,
)

POOL = Pool("a", 4, model("a", "big-model", max_parallel_requests=4), provider(NOWHERE))
OF_A_REPLY = Usage(requests=1, input_tokens=3, output_tokens=2)


@dataclass
class Scripted:
    """Answers in order, and keeps what it was asked."""

    replies: list[Response | Exception]
    asked: list[Request] = field(default_factory=list)

    def ask(self, request: Request) -> Response:
        """Answer."""
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def aask(self, request: Request) -> Response:
        """Answer."""
        return self.ask(request)


def says(text: str, **more: Any) -> ChatResponse:
    """A reply of a chat model."""
    return ChatResponse(text, usage=OF_A_REPLY, **more)


def generate(asker: Scripted, way: str, *arguments: Any, **options: Any) -> Any:
    """Ask through a facade, waiting or awaiting."""
    facade = ModelFacade(POOL, asker)
    if way.startswith("a"):
        return asyncio.run(getattr(facade, way)(*arguments, **options))
    return getattr(facade, way)(*arguments, **options)


def spoken(request: Request) -> list[tuple[object, object]]:
    """Who says what in a request."""
    assert isinstance(request, ChatRequest)
    return [(one["role"], one["content"][0]["text"]) for one in request.messages]  # type: ignore[index]


def number(text: str) -> int:
    """A parser."""
    try:
        return int(text)
    except ValueError as error:
        raise ParserException(f"{text!r} is no number", source=text) from error


both = pytest.mark.parametrize("way", ["generate", "agenerate"])


@both
def test_what_is_asked_and_answered_comes_back(way: str) -> None:
    """The parser gets the text without space around it; the trace is the conversation, with what was thought."""
    asker = Scripted([says(" 7 \n", reasoning=" hm ")])
    parsed, trace = generate(asker, way, "how many?", parser=number, system_prompt="count")
    assert parsed == 7
    assert [(one.role, one.content) for one in trace] == [
        ("system", "count"),
        ("user", "how many?"),
        ("assistant", "7"),
    ]
    assert trace[-1].to_dict() == {
        "role": "assistant",
        "content": [{"type": "text", "text": "7"}],
        "reasoning_content": "hm",
    }


@both
def test_what_cannot_be_parsed_is_corrected_then_asked_anew(way: str) -> None:
    """The model is told what the parser says; a fresh conversation begins with the first messages."""
    asker = Scripted([says("many"), says("a lot"), says("few"), says("3")])
    parsed, trace = generate(
        asker, way, "how many?", parser=number, max_correction_steps=1, max_conversation_restarts=1
    )
    assert parsed == 3
    told = ("user", "'many' is no number")
    assert spoken(asker.asked[1]) == [("user", "how many?"), ("assistant", "many"), told]
    assert spoken(asker.asked[2]) == [("user", "how many?")]
    assert len(trace) == 4


@both
def test_without_corrections_the_first_reply_counts(way: str) -> None:
    """Whatever the settings of the run say."""
    asker = Scripted([says("many")])
    with pytest.raises(ModelGenerationValidationFailureError, match="no retries were attempted; last problem: 'many'"):
        generate(asker, way, "how many?", parser=number)
    assert len(asker.asked) == 1


def test_only_the_parsers_own_error_has_the_model_asked_again() -> None:
    """Any other is the function's."""
    asker = Scripted([says("many"), says("3")])
    with pytest.raises(ValueError, match="invalid literal"):
        generate(asker, "generate", "how many?", parser=int, max_correction_steps=3)
    assert len(asker.asked) == 1


def test_further_arguments_are_fields_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    """Those that no request has are dropped, which is said once for a set of names; None counts as not given."""
    asker = Scripted([says("x")] * 2)
    facade = ModelFacade(POOL, asker)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            facade.generate("p", temperature=0.1, stop=None, extra_body={"k": 1}, timeout=5, sizzle=1, fizz=2)
    assert [request.params for request in asker.asked] == [{"temperature": 0.1, "k": 1, "timeout": 5}] * 2
    assert [record.getMessage() for record in caplog.records].count(
        "model 'big-model' (alias 'a'): a function gives fizz, sizzle, which no such request takes: dropped"
    ) == 1


def test_media_go_before_the_prompt() -> None:
    """In the message of the user."""
    asker = Scripted([says("a cat")])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    generate(asker, "generate", "what is it?", multi_modal_context=[picture])
    [asked] = asker.asked
    assert isinstance(asked, ChatRequest)
    assert asked.messages[0]["content"] == [picture, {"type": "text", "text": "what is it?"}]


@pytest.mark.parametrize("way", ["completion", "acompletion"])
def test_a_conversation_goes_on(way: str) -> None:
    """What the model thought before is not repeated to it."""
    asker = Scripted([says("fine", finish_reason="stop")])
    messages = [ChatMessage.as_user("hi"), ChatMessage.as_assistant("hello", "who?"), ChatMessage.as_user("how?")]
    reply = generate(asker, way, messages)
    assert (reply.message.content, reply.finish_reason) == ("fine", "stop")
    assert spoken(asker.asked[0]) == [("user", "hi"), ("assistant", "hello"), ("user", "how?")]
    assert "reasoning_content" not in str(asker.asked[0])


@pytest.mark.parametrize("way", ["generate_text_embeddings", "agenerate_text_embeddings"])
def test_a_vector_comes_for_each_text(way: str) -> None:
    """All in one request; none is sent for no text."""
    asker = Scripted([EmbeddingResponse(((1.0, 2.0), (3.0, 4.0)))])
    assert generate(asker, way, ["x", "y"], dimensions=2) == [[1.0, 2.0], [3.0, 4.0]]
    assert asker.asked == [EmbeddingRequest(["x", "y"], {"dimensions": 2})]
    assert generate(asker, way, []) == []
    with pytest.raises(TypeError, match="a list of texts"):
        generate(asker, way, "x")


@pytest.mark.parametrize("way", ["generate_image", "agenerate_image"])
def test_images_come_in_base64(way: str) -> None:
    """Of a description and what it goes by."""
    asker = Scripted([ImageResponse(("AAA", "BBB"))])
    assert generate(asker, way, "a cat", [{"type": "image_url"}], size="64x64") == ["AAA", "BBB"]
    assert asker.asked == [ImageRequest("a cat", [{"type": "image_url"}], {"size": "64x64"})]


def test_usage_counts_what_was_asked_through_the_facade() -> None:
    """Replies that could not be parsed too, and refusals."""
    asker = Scripted([says("many"), says("3"), ModelRateLimitError("full")])
    facade = ModelFacade(POOL, asker)
    facade.generate("p", parser=number, max_correction_steps=1)
    with pytest.raises(ModelRateLimitError):
        facade.generate("p")
    stats = facade.usage_stats
    assert (stats.token_usage.input_tokens, stats.token_usage.total_tokens) == (6, 10)
    assert (stats.request_usage.successful_requests, stats.request_usage.failed_requests) == (2, 1)


def test_a_facade_says_what_it_is() -> None:
    """Under the names of the public API."""
    facade = ModelFacade(POOL, Scripted([]))
    assert (facade.model_alias, facade.model_name, facade.model_provider_name) == ("a", "big-model", "p")
    assert (facade.max_parallel_requests, facade.request_timeout) == (4, 60.0)
    assert facade.model_generation_type == "chat-completion"
    with pytest.raises(ModelUnsupportedCapabilityError, match="tool_alias"):
        facade.generate("p", tool_alias="t")


def test_a_mock_stands_in_for_it() -> None:
    """Functions are tested without a model: what is awaited is a coroutine function."""
    mock = MagicMock(spec=ModelFacade)
    mock.generate.return_value = ("text", [])
    assert mock.generate("p") == ("text", [])
    awaited: list[Callable[..., Any]] = [
        getattr(ModelFacade, name) for name in dir(ModelFacade) if name.startswith("a") and name != "asker"
    ]
    assert awaited
    assert all(map(inspect.iscoroutinefunction, awaited))
    assert isinstance(mock.agenerate, AsyncMock)
    with pytest.raises(AttributeError):
        mock.invented()


def test_messages_take_their_roles_from_how_they_are_made() -> None:
    """And say only what they hold."""
    assert ChatMessage.as_system("be brief").to_dict() == {
        "role": "system",
        "content": [{"type": "text", "text": "be brief"}],
    }
    assert ChatMessage.as_tool("12", "call-1").to_dict()["tool_call_id"] == "call-1"
    blocks: list[dict[str, object]] = [{"type": "text", "text": "x"}]
    assert ChatMessage.as_user(blocks).to_dict()["content"] == blocks


def test_a_parsers_error_has_a_message_and_a_source_or_neither() -> None:
    """As parsers of users raise it."""
    error = ParserException("no number", source="many")
    assert (str(error), error.source) == ("no number", "many")
    assert str(ParserException()) == ""
