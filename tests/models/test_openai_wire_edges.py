"""The chat client at the edges: odd replies, secrets, broken connections, requests to be left alone."""

import asyncio
import pickle
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import data_designer.config as dd
from data_designer import errors
from data_designer.models.client import ModelClient
from data_designer.plan.model import Pool
from data_designer.values import ChatRequest, ChatResponse, Request, Response, Usage

REQUEST = ChatRequest([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
GOOD: dict[str, Any] = {"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}
Answer = Callable[[web.Request], web.StreamResponse]


@dataclass
class Asking:
    """One question: how the alias is declared, and what the server saw."""

    key: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] | None = None
    request: Request = REQUEST
    userinfo: str = ""
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def pool(self, port: int) -> Pool:
        """The alias, at a port of this machine."""
        params = dd.ChatCompletionInferenceParams(**self.params)
        model = dd.ModelConfig(alias="m", model="org/x", provider="p", inference_parameters=params)
        url = f"http://{self.userinfo}127.0.0.1:{port}/v1"
        return Pool("m", 4, model, dd.ModelProvider(name="p", endpoint=url, extra_headers=self.headers))

    async def at(self, port: int) -> Response:
        """Ask whatever listens at a port."""
        async with aiohttp.ClientSession() as session:
            return await ModelClient(self.pool(port), self.key, session).ask(self.request)

    def of(self, answer: Answer) -> Response:
        """Ask a server that answers as told."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self.seen.append(request)
            self.bodies.append(await request.json())
            return answer(request)

        async def scenario() -> Response:
            app = web.Application()
            app.router.add_post("/v1/chat/completions", handle)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                return await self.at(runner.addresses[0][1])
            finally:
                await runner.cleanup()

        return asyncio.run(scenario())


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    """A server that always says the same."""
    return lambda _: web.json_response(
        body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def message(**fields: Any) -> dict[str, Any]:
    """A reply whose message has these fields."""
    return {"choices": [{"message": fields}]}


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (message(content="a"), ChatResponse("a", usage=Usage(1))),
        (message(content=None), ChatResponse("", usage=Usage(1))),
        (
            message(content=[{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]),
            ChatResponse("a\nb", usage=Usage(1)),
        ),
        (message(content="a", reasoning="r"), ChatResponse("a", "r", usage=Usage(1))),
        (message(content="a", reasoning_content="r"), ChatResponse("a", "r", usage=Usage(1))),
        (message(content="a", tool_calls=[{"id": "c"}]), ChatResponse("a", tool_calls=({"id": "c"},), usage=Usage(1))),
        (message(content="a", tool_calls="?", reasoning=7), ChatResponse("a", usage=Usage(1))),
        (
            {**GOOD, "usage": {"prompt_tokens": 3, "completion_tokens": 4, "reasoning_tokens": 2}},
            ChatResponse("fine", finish_reason="stop", usage=Usage(1, 0, 3, 4, 2)),
        ),
        (
            {
                **GOOD,
                "usage": {
                    "input_tokens": 3,
                    "output_tokens": 4,
                    "output_tokens_details": {"reasoning_tokens": 2},
                },
            },
            ChatResponse("fine", finish_reason="stop", usage=Usage(1, 0, 3, 4, 2)),
        ),
        (
            {**GOOD, "usage": {"prompt_tokens": "many", "completion_tokens_details": []}, "error": None},
            ChatResponse("fine", finish_reason="stop", usage=Usage(1)),
        ),
        ({**GOOD, "usage": 7}, ChatResponse("fine", finish_reason="stop", usage=Usage(1))),
    ],
)
def test_replies_of_every_make_come_to_one_form(reply: Any, expected: Response) -> None:
    """Text or blocks, either name of reasoning, either set of token names; what is odd counts as absent."""
    assert Asking().of(says(reply)) == expected


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    "reply",
    [
        [],
        "text",
        {},
        {"choices": None},
        {"choices": ["text"]},
        {"choices": [{"message": None}]},
        {"error": {"message": "overloaded"}, **GOOD},
    ],
)
def test_a_good_status_without_a_reply_is_an_error(reply: Any) -> None:
    """No message, or an error object under HTTP 200, never becomes an empty text."""
    with pytest.raises(errors.ModelAPIError):
        Asking().of(says(reply))


@pytest.mark.usefixtures("sockets")
def test_text_that_is_an_address_is_kept_and_not_fetched() -> None:
    """A reply that is a URL is text like any other: one request reaches the server, the one for the reply."""
    asking = Asking()
    response = asking.of(
        lambda request: web.json_response(message(content=f"http://{request.host}/v1/chat/completions"))
    )
    assert response.text.startswith("http://127.0.0.1")
    assert len(asking.seen) == 1


@pytest.mark.usefixtures("sockets")
def test_a_redirect_is_refused() -> None:
    """The prompt goes where the configuration says and nowhere else."""
    asking = Asking()
    with pytest.raises(errors.ModelAPIError, match="HTTP 307"):
        asking.of(says({}, 307, Location="/v1/chat/completions"))
    assert len(asking.seen) == 1


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_is_no_authorization(key: str | None) -> None:
    """Local servers are asked without a key header."""
    asking = Asking(key=key)
    asking.of(says(GOOD))
    assert "Authorization" not in asking.seen[0].headers


@pytest.mark.usefixtures("sockets")
def test_a_provider_s_own_authorization_takes_the_place_of_the_key() -> None:
    """Extra headers win, whatever their case, and the header is sent once."""
    asking = Asking(key="from-the-key", headers={"AUTHORIZATION": "Token other"})
    asking.of(says(GOOD))
    assert asking.seen[0].headers.getall("Authorization") == ["Token other"]


@pytest.mark.usefixtures("sockets")
def test_a_request_s_parameters_override_the_alias_s() -> None:
    """The alias's parameters, then the request's, then extra_body; what is None is left out."""
    params = {"temperature": 0.1, "max_tokens": 5, "extra_body": {"max_tokens": 7}}
    request = ChatRequest(REQUEST.messages, {"temperature": 0.9, "stop": ["x"], "seed": None})
    asking = Asking(params=params, request=request)
    asking.of(says(GOOD))
    assert asking.bodies[0] == {
        "model": "org/x",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.9,
        "stop": ["x"],
        "max_tokens": 7,
    }


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("padding", [0, 480, 497, 2000])
def test_no_secret_is_repeated_wherever_it_is_echoed(padding: int) -> None:
    """A key or secret header that the endpoint echoes is blanked, also where the quote is cut short."""
    asking = Asking(key="sk-0123456789", headers={"X-Api-Key": "hdr-9876543210"}, userinfo="user:pass-word@")
    said = "." * padding + "sk-0123456789 hdr-9876543210"
    with pytest.raises(errors.ModelAuthenticationError) as caught:
        asking.of(says({"error": {"message": said}}, 401))
    text = repr(caught.value)
    assert not any(part in text for part in ("sk-0", "hdr-9", "pass-word"))


@pytest.mark.usefixtures("sockets")
def test_a_long_page_is_quoted_in_part() -> None:
    """An endpoint that answers with a whole page does not fill the log with it."""
    with pytest.raises(errors.ModelInternalServerError) as caught:
        Asking().of(lambda _: web.Response(text="x" * 100_000, status=502))
    assert len(str(caught.value)) < 1000


@pytest.mark.usefixtures("sockets")
def test_no_credit_left_is_a_quota_matter() -> None:
    """HTTP 402 cannot be mended by asking again."""
    with pytest.raises(errors.ModelQuotaExceededError):
        Asking().of(says({}, 402))


DATE = "Wed, 01 Jan 2025 00:00:00 GMT"


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "2.5", 2.5),
        (503, "4", 4.0),
        (429, "Wed, 01 Jan 2025 00:00:30 GMT", 30.0),
        (429, "Tue, 31 Dec 2024 23:59:00 GMT", 0.0),
        (429, "-3", 0.0),
        (429, "soon", None),
        (429, "inf", None),
        (429, "nan", None),
        (500, "4", None),
    ],
)
def test_how_long_to_stay_away_is_read_from_seconds_and_dates(status: int, asked: str, seconds: float | None) -> None:
    """Of 429 and 503 only; a date counts from the endpoint's own clock, nonsense counts for nothing."""
    with pytest.raises(errors.ModelError) as caught:
        Asking().of(says({}, status, Retry_After=asked, Date=DATE))
    assert (caught.value.retry_after, caught.value.status) == (seconds, status)
    assert caught.value.retryable


@pytest.mark.usefixtures("sockets")
def test_a_server_that_is_not_there_is_named() -> None:
    """A refused connection says where nothing answered, and what to look at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(errors.ModelAPIConnectionError) as caught:
            asyncio.run(Asking().at(port))
    text = str(caught.value)
    assert f"nothing answers at http://127.0.0.1:{port}" in text
    assert "is the server running" in text
    assert "alias 'm'" in text
    assert caught.value.retryable


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9/v1", "ftp://user:hunter22@host/v1"])
def test_an_endpoint_that_is_no_address_is_named_without_its_password(endpoint: str) -> None:
    """The message says how an endpoint is written, is not worth a retry, and repeats no password."""

    async def scenario() -> None:
        provider = dd.ModelProvider(name="p", endpoint=endpoint)
        async with aiohttp.ClientSession() as session:
            pool = Pool("m", 4, dd.ModelConfig(alias="m", model="org/x", provider="p"), provider)
            await ModelClient(pool, None, session).ask(REQUEST)

    with pytest.raises(errors.ModelAPIError, match="http://host:port/v1") as raised:
        asyncio.run(scenario())
    assert raised.value.__cause__ is None
    assert "hunter22" not in str(raised.value)


@pytest.mark.usefixtures("sockets")
def test_a_reply_that_breaks_off_may_be_asked_for_again() -> None:
    """A body shorter than announced is a broken connection, not a reply."""

    async def scenario() -> None:
        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
            with pytest.raises(errors.ModelAPIConnectionError, match="broke"):
                await Asking().at(server.sockets[0].getsockname()[1])

    asyncio.run(scenario())


@pytest.mark.parametrize("unwritable", ["\ud800", object(), 1 << 80])
def test_a_request_that_is_no_json_is_a_bad_request(unwritable: Any) -> None:
    """A record's text that no JSON can carry rejects the row instead of breaking the run."""
    with pytest.raises(errors.ModelBadRequestError, match="cannot be written as JSON"):
        asyncio.run(Asking(request=ChatRequest(REQUEST.messages, {"x": unwritable})).at(1))


def test_every_model_error_survives_the_way_between_processes() -> None:
    """Pickling keeps the kind, the words and the numbers."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ModelError)]
    for kind in kinds:
        copy = pickle.loads(pickle.dumps(kind("words", 1.5, 429)))  # noqa: S301 - it was pickled on this line
        assert (type(copy), str(copy), copy.retry_after, copy.status) == (kind, "words", 1.5, 429)
