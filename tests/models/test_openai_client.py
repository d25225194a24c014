"""A client of the `openai` package that the user gives: what is sent through it, and how its failures are named."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import openai
import pytest
from aiohttp import web
from tests.models.fakes import FakeServer, pool, request, says, served

from data_designer import errors
from data_designer.errors import InvalidConfigError, ModelError
from data_designer.models.client import ModelClient
from data_designer.models.http_sessions import kept_open, open_session
from data_designer.models.openai_client import client_of
from data_designer.models.opening import open_model
from data_designer.plan.model import MakeClient, Pool
from data_designer.values import EmbeddingRequest, ImageRequest, Request, Response

TOKEN = "entra-token-0123456789"  # noqa: S105 - no secret
CHAT = {
    "choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}
VECTORS = {"data": [{"index": 0, "embedding": [0.5, 1.0]}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
PICTURES = {"data": [{"b64_json": "aGVsbG8="}]}

Token = Callable[[], str | Awaitable[str]]


async def token() -> str:
    """What signs in."""
    return TOKEN


def azure(url: str, signs_in: Token = token, **more: Any) -> MakeClient:
    """Gives clients of Azure's form at an address."""
    base = url.removesuffix("/v1")
    return lambda: openai.AsyncAzureOpenAI(
        azure_endpoint=base, api_version="2024-10-21", azure_ad_token_provider=signs_in, **more
    )


def through(url: str, make: MakeClient | None = None, **fields: Any) -> Pool:
    """An alias that is asked through a client."""
    return replace(pool(url, **fields), client=make or azure(url))


async def answer(asked: Pool, *requests: Request) -> list[Response]:
    """What comes of some requests."""
    async with open_model(asked, None) as model:
        return [await model.ask(one) for one in requests]


def error_of(answering: Callable[[web.Request], web.StreamResponse], **fields: Any) -> ModelError:
    """The error that comes of an answer."""

    async def scenario() -> None:
        async with served(answering) as server:
            await answer(through(server.url, **fields), request())

    with pytest.raises(ModelError) as caught:
        asyncio.run(scenario())
    return caught.value


KINDS: dict[str, tuple[dict[str, Any], Request, Any, str]] = {
    "chat": ({"temperature": 0.5, "extra_body": {"top_k": 3}}, request("hi", seed=7), CHAT, "/chat/completions"),
    "embedding": ({"generation_type": "embedding"}, EmbeddingRequest(["a"]), VECTORS, "/embeddings"),
    "image": (
        {"generation_type": "image", "model": "dall-e-3"},
        ImageRequest("a cat", params={"size": "1x1"}),
        PICTURES,
        "/images/generations",
    ),
}


@pytest.mark.usefixtures("sockets", "processes")
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_is_sent_and_read_as_without_a_client(kind: str) -> None:
    """Body and reply are those of the lean client; the address and the token are those of the user's client."""
    fields, asked, said, route = KINDS[kind]

    async def scenario() -> tuple[FakeServer, list[Response]]:
        async with served(says(said)) as server, open_session() as session:
            lean = await ModelClient(pool(server.url, **fields), None, session).ask(asked)
            return server, [lean, *await answer(through(server.url, **fields), asked)]

    server, replies = asyncio.run(scenario())
    assert replies[0] == replies[1]
    assert server.bodies[0] == server.bodies[1]
    assert server.paths[1] == f"/openai/deployments/{server.bodies[1]['model']}{route}"
    assert server.headers[1]["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.usefixtures("sockets", "processes")
def test_a_token_function_need_not_be_async() -> None:
    """One that gives the token at once signs in too."""

    async def scenario() -> FakeServer:
        async with served(says(CHAT)) as server:
            await answer(through(server.url, azure(server.url, lambda: TOKEN)), request())
            return server

    assert asyncio.run(scenario()).headers[0]["authorization"] == f"Bearer {TOKEN}"


REFUSALS: list[tuple[int, Any, type[ModelError]]] = [
    (400, {"error": {"message": "maximum context length is 10"}}, errors.ModelContextWindowExceededError),
    (401, {"error": {"message": "no"}}, errors.ModelAuthenticationError),
    (404, {"error": {"code": "DeploymentNotFound", "message": "no"}}, errors.ModelNotFoundError),
    (429, {"error": {"message": "slowly"}}, errors.ModelRateLimitError),
    (503, "down", errors.ModelInternalServerError),
]


@pytest.mark.usefixtures("sockets", "processes")
@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
def test_refusals_are_named_as_without_a_client(status: int, body: Any, kind: type[ModelError]) -> None:
    """By their kind, with the status and the provider's words."""
    error = error_of(says(body, status))
    assert (type(error), error.status) == (kind, status)
    assert str(error).startswith(f"model 'org/x' (alias 'm') by the client of provider 'p': HTTP {status}: ")


@pytest.mark.usefixtures("sockets", "processes")
def test_a_refusal_is_sent_once_and_says_for_how_long_to_stay_away() -> None:
    """The client does not try again by itself, even where it was told to: that is decided elsewhere."""

    async def scenario() -> tuple[FakeServer, ModelError]:
        async with served(says({"error": {"message": "slowly"}}, 429, retry_after="7")) as server:
            with pytest.raises(errors.ModelRateLimitError) as caught:
                await answer(through(server.url, azure(server.url, max_retries=5)), request())
            return server, caught.value

    server, error = asyncio.run(scenario())
    assert (len(server.paths), error.retry_after) == (1, 7.0)


@pytest.mark.usefixtures("sockets", "processes")
def test_no_message_repeats_the_token() -> None:
    """Not even where the endpoint does."""
    error = error_of(says({"error": {"message": f"bad token {TOKEN}"}}, 401))
    assert "bad token ***" in str(error)


@pytest.mark.usefixtures("sockets", "processes")
def test_replies_that_are_none_are_named() -> None:
    """Text that is no JSON, JSON that is no reply, and a reply that is too large."""
    assert "the reply is no JSON: oops" in str(error_of(says("oops")))
    assert "the reply holds no message" in str(error_of(says({"choices": []})))
    large = error_of(says({**CHAT, "more": "x" * 5000}), provider={"max_reply_bytes": 1024})
    assert "larger than 1,024 bytes" in str(large)
    assert isinstance(large, errors.ModelInvalidReplyError)


@pytest.mark.usefixtures("sockets", "processes")
def test_an_endpoint_that_is_not_there_is_a_connection_error() -> None:
    """With the cause."""
    with pytest.raises(errors.ModelAPIConnectionError, match="no reply"):
        asyncio.run(answer(through("http://127.0.0.1:9/v1"), request()))


@pytest.mark.usefixtures("sockets", "processes")
def test_a_reply_that_takes_too_long_is_given_up() -> None:
    """After the alias's timeout."""

    async def scenario() -> None:
        silent = asyncio.Event()

        async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await silent.wait()
            writer.close()

        async with await asyncio.start_server(visited, "127.0.0.1", 0) as server:
            try:
                url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
                await answer(through(url, timeout=1), request())
            finally:
                silent.set()

    with pytest.raises(errors.ModelTimeoutError, match="no reply within 1 s"):
        asyncio.run(scenario())


class _Fickle:
    """Gives a token at first, and fails later."""

    def __init__(self, good: int) -> None:
        self.left = good

    def __call__(self) -> str:
        self.left -= 1
        if self.left < 0:
            raise LookupError("no credential")
        return TOKEN


@pytest.mark.usefixtures("sockets", "processes")
@pytest.mark.parametrize(("good", "kind"), [(0, errors.ModelAuthenticationError), (1, errors.ModelAPIConnectionError)])
def test_a_token_function_that_fails_is_named(good: int, kind: type[ModelError]) -> None:
    """One that has never worked is wrong; one that has is waited for, as an endpoint is."""

    async def scenario() -> None:
        async with served(says(CHAT)) as server:
            await answer(through(server.url, azure(server.url, _Fickle(good))), request(), request())

    with pytest.raises(kind, match="raised LookupError: no credential"):
        asyncio.run(scenario())


def _fails() -> Any:
    raise KeyError("AZURE_ENDPOINT")


WRONG: dict[str, tuple[Any, str]] = {
    "raises": (_fails, "the function _fails of clients['p'] raised KeyError: 'AZURE_ENDPOINT'"),
    "is not asynchronous": (lambda: openai.OpenAI(api_key="k"), "gave openai.OpenAI; it has to give an"),
    "gives nothing": (lambda: None, "gave builtins.NoneType"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_function_that_gives_no_client_is_named(what: str) -> None:
    """With what it gave instead."""
    make, expected = WRONG[what]
    with pytest.raises(InvalidConfigError) as caught:
        client_of(make, "p")
    assert expected in str(caught.value)


@pytest.mark.usefixtures("sockets", "processes")
def test_one_client_serves_all_aliases_of_its_provider_and_is_closed() -> None:
    """It is made once an event loop; one that is given again after it was closed is refused."""
    made: list[openai.AsyncOpenAI] = []

    async def scenario() -> openai.AsyncOpenAI:
        async with served(says(CHAT)) as server:
            client = azure(server.url)()

            def make() -> openai.AsyncOpenAI:
                made.append(client)
                return client

            async with kept_open():
                await answer(through(server.url, make), request())
                await answer(through(server.url, make, alias="other"), request())
                assert len(made) == 1
            with pytest.raises(InvalidConfigError, match="closed"):
                await answer(through(server.url, make), request())
            return client

    assert asyncio.run(scenario()).is_closed()
