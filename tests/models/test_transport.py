"""The way to a server: what it posts, and how each way of failing is named."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from multidict import CIMultiDict
from tests.models.fakes import FakeServer, says, served

from data_designer import errors
from data_designer.models.addresses import server_of
from data_designer.models.error_mapping import CURES, kind_of, signs_of, words_of
from data_designer.models.rate_limit_headers import retry_after
from data_designer.models.transport import Transport

SUBJECT = "model 'org/x' (alias 'm')"
KEY = "sk-0123456789"
AUTHORIZED = {"authorization": f"Bearer {KEY}"}
Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def post(
    url: str, headers: Mapping[str, str] = AUTHORIZED, patience: float = 5.0
) -> tuple[Any, Mapping[str, str]]:
    """Post an empty object to an address."""
    async with aiohttp.ClientSession() as session:
        return await Transport(url, headers, SUBJECT, session, patience).post(b"{}")


def posted(
    serving: AbstractAsyncContextManager[FakeServer], headers: Mapping[str, str] = AUTHORIZED
) -> tuple[Any, Mapping[str, str]]:
    """Post once to a server."""

    async def scenario() -> tuple[Any, Mapping[str, str]]:
        async with serving as server:
            return await post(f"{server.url}/x", headers)

    return asyncio.run(scenario())


def error_of(answer: Callable[[web.Request], web.StreamResponse], headers: Mapping[str, str] = AUTHORIZED) -> Any:
    """The error that comes of an answer."""
    with pytest.raises(errors.ModelError) as caught:
        posted(served(answer), headers)
    return caught.value


def error_of_raw(raw: Raw, patience: float = 5.0) -> errors.ModelError:
    """The error that comes of a server that does not even speak HTTP as it should."""

    async def scenario() -> None:
        left = asyncio.Event()

        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            left.set()

        async with await asyncio.start_server(visited, "127.0.0.1", 0) as server:
            try:
                await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", patience=patience)
            finally:
                await left.wait()

    with pytest.raises(errors.ModelError) as caught:
        asyncio.run(scenario())
    return caught.value


def saying(content: bytes) -> Raw:
    """A server that reads the head of a request, says something and hangs up."""

    async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()

    return raw


@pytest.mark.usefixtures("sockets")
def test_a_reply_comes_back_with_its_headers() -> None:
    """Any 2xx with JSON is a reply; header names are found in any case."""
    data, headers = posted(served(says({"a": [1]}, 201, X_RateLimit_Remaining_Requests="7")))
    assert data == {"a": [1]}
    assert headers["x-ratelimit-remaining-requests"] == "7"


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (302, errors.ModelAPIError, False),
        (400, errors.ModelBadRequestError, False),
        (401, errors.ModelAuthenticationError, False),
        (402, errors.ModelQuotaExceededError, False),
        (403, errors.ModelPermissionDeniedError, False),
        (404, errors.ModelNotFoundError, False),
        (405, errors.ModelRequestRejectedError, False),
        (408, errors.ModelTimeoutError, True),
        (409, errors.ModelInternalServerError, True),
        (413, errors.ModelContextWindowExceededError, False),
        (422, errors.ModelUnprocessableEntityError, False),
        (425, errors.ModelInternalServerError, True),
        (429, errors.ModelRateLimitError, True),
        (499, errors.ModelInternalServerError, True),
        (500, errors.ModelInternalServerError, True),
        (502, errors.ModelInternalServerError, True),
        (503, errors.ModelInternalServerError, True),
        (504, errors.ModelInternalServerError, True),
        (529, errors.ModelInternalServerError, True),
    ],
)
def test_each_status_has_its_error_and_says_whether_asking_again_helps(
    status: int, kind: type[errors.ModelError], retryable: bool
) -> None:
    """The error carries the status, who was asked, and the provider's own words."""
    error = error_of(says({"error": {"message": "that is how it is"}}, status))
    assert (type(error), error.retryable, error.status) == (kind, retryable, status)
    assert str(error).startswith(f"{SUBJECT} at http://127.0.0.1:")
    assert f"HTTP {status}: that is how it is" in str(error)


PAGE = """<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title><style>p { color: red }</style><script>let x = "<p>";</script></head>
<body><center><h1>502 Bad Gateway</h1></center><hr>nginx</body></html>"""


@pytest.mark.usefixtures("sockets")
def test_of_a_web_page_its_text_is_told() -> None:
    """Servers before an endpoint answer with one."""
    error = error_of(lambda _: web.Response(text=PAGE, status=502))
    assert "HTTP 502: a web page: 502 Bad Gateway 502 Bad Gateway nginx" in str(error)


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("status", [404, 405])
def test_where_nothing_is_the_path_is_named(status: int) -> None:
    """Host, port and path; it is one of them that is wrong."""
    error = error_of(says({"detail": "not found"}, status))
    assert re.match(rf"{re.escape(SUBJECT)} at http://127.0.0.1:\d+/\S*x: HTTP {status}: not found", str(error))


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("headers", "cure"),
    [
        ({}, "no key was sent: give the provider an api_key"),
        ({"authorization": "Bearer k"}, "check the provider's api_key"),
    ],
)
def test_a_key_that_is_missing_is_told_from_a_wrong_one(headers: dict[str, str], cure: str) -> None:
    """Both are answered with 401."""
    error = error_of(says({"error": "who is there?"}, 401), headers=headers)
    assert cure in str(error)


@pytest.mark.usefixtures("sockets")
def test_a_refusal_may_say_in_words_how_long_to_stay_away() -> None:
    """Where its headers are silent."""
    said = {"error": {"message": "You exceeded your current quota. Please retry in 31.2s."}}
    assert error_of(says(said, 429)).retry_after == 31.2
    assert error_of(says(said, 429, Retry_After="5")).retry_after == 5.0


@pytest.mark.parametrize("kind", list(CURES))
def test_what_the_user_can_do_stands_at_the_end(kind: type[errors.ModelError]) -> None:
    """Each kind of error that has a cure names it."""

    async def said() -> str:
        async with aiohttp.ClientSession() as session:
            return str(Transport("http://h/v1", AUTHORIZED, SUBJECT, session, 1.0).error(kind, "so"))

    assert asyncio.run(said()) == f"{SUBJECT} at http://h: so; {CURES[kind]}"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (429, "insufficient_quota", errors.ModelQuotaExceededError),
        (429, "You exceeded your current quota. Please retry in 31.2s.", errors.ModelRateLimitError),
        (403, "You are out of credits", errors.ModelQuotaExceededError),
        (400, "Your credit balance is too low to access the API", errors.ModelQuotaExceededError),
        (400, "This model's maximum context length is 8192 tokens", errors.ModelContextWindowExceededError),
        (400, "context_length_exceeded", errors.ModelContextWindowExceededError),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", errors.ModelContextWindowExceededError),
        (
            400,
            "request (4043 tokens) exceeds the available context size (2048 tokens)",
            errors.ModelContextWindowExceededError,
        ),
        (
            400,
            "The response was filtered due to the prompt triggering content management policy",
            errors.ModelRefusalError,
        ),
        (400, "content_policy_violation", errors.ModelRefusalError),
        (400, "Unsupported value: 'temperature' does not support 0.2", errors.ModelUnsupportedParamsError),
        (400, "Unrecognized request argument supplied: guided_json", errors.ModelUnsupportedParamsError),
        (400, "nvext: Extra inputs are not permitted", errors.ModelUnsupportedParamsError),
        (400, "no", errors.ModelBadRequestError),
        (404, "maximum context length", errors.ModelNotFoundError),
        (500, "too many tokens", errors.ModelInternalServerError),
        (429, "Rate limit reached for requests", errors.ModelRateLimitError),
        (
            429,
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 37000.",
            errors.ModelContextWindowExceededError,
        ),
    ],
)
def test_kinds_that_share_a_status_are_told_apart_by_their_words(
    status: int, said: str, kind: type[errors.ModelError]
) -> None:
    """An empty account, a prompt that is too long and a parameter that is not known have no status of their own."""
    assert kind_of(status, said) is kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "a  b\\nc"}}', "a b c"),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}', "Overloaded"),
        (b'{"error": "no such model"}', "no such model"),
        (b'{"message": "forbidden", "detail": "more"}', "forbidden"),
        (b'{"message": "less", "error": {"message": "why"}}', "why"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"msg": "too long", "loc": ["body"]}, {"msg": "odd"}, "x"]}', "too long; odd; x"),
        (b'{"error": {"code": 7}}', '{"error": {"code": 7}}'),
        (b"[1]", "[1]"),
        (b"upstream\n  connect error", "upstream connect error"),
        (b"caf\xff", "caf\ufffd"),
        (b"", ""),
    ],
)
def test_the_provider_s_words_are_found_wherever_they_stand(body: bytes, words: str) -> None:
    """Every provider has its own form of error; what has none is quoted as it is, on one line."""
    assert words_of(body) == words


@pytest.mark.usefixtures("sockets")
def test_a_wait_is_read_from_the_headers_of_a_refusal() -> None:
    """Retry-After in any of its forms comes with the error."""
    assert error_of(says({}, 429, retry_after_ms="1500")).retry_after == 1.5
    assert error_of(says({}, 503, Retry_After="2")).retry_after == 2.0
    assert error_of(says({}, 500, Retry_After="2")).retry_after is None


@pytest.mark.usefixtures("sockets")
def test_a_refused_connection_may_be_tried_again() -> None:
    """Nothing listens: the message says where, and asks whether the server runs."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(errors.ModelAPIConnectionError, match=f"nothing answers at {url}.*is the server") as caught:
            asyncio.run(post(f"{url}/v1"))
    assert caught.value.retryable


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
    ],
)
def test_a_connection_that_breaks_may_be_tried_again(content: bytes) -> None:
    """Before the reply or in its middle: it is no reply, and the error is not the request's fault."""
    error = error_of_raw(saying(content))
    assert isinstance(error, errors.ModelAPIConnectionError)
    assert "the connection broke" in str(error)
    assert error.retryable


@pytest.mark.usefixtures("sockets")
def test_a_connection_that_is_reset_may_be_tried_again() -> None:
    """A server that is killed resets its connections."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    error = error_of_raw(reset)
    assert isinstance(error, errors.ModelAPIConnectionError)
    assert error.retryable


@pytest.mark.usefixtures("sockets")
def test_a_server_that_does_not_answer_in_time_is_given_up() -> None:
    """The error says how long was waited and what to change."""

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    error = error_of_raw(silent, patience=0.02)
    assert isinstance(error, errors.ModelTimeoutError)
    assert "no reply within 0.02 s; raise inference_parameters.timeout" in str(error)
    assert (error.retryable, error.status) == (True, None)


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("body", ["<html>oops</html>", "{", '{"a": NaNa}'])
def test_a_reply_that_is_no_json_is_quoted(body: str) -> None:
    """A page, or half an object, under a good status is no reply."""
    error = error_of(says(body))
    assert type(error) is errors.ModelInvalidReplyError
    assert f"the reply is no JSON: {body}" in str(error)
    assert error.retryable


@pytest.mark.usefixtures("sockets")
def test_something_else_that_listens_there_is_named() -> None:
    """What is no HTTP is no reply; the message shows what came."""
    error = error_of_raw(saying(b"SSH-2.0-OpenSSH_9.7\r\n\r\n"))
    assert type(error) is errors.ModelInvalidReplyError
    assert error.retryable
    assert "SSH-2.0" in str(error)


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"authorization": f"Bearer {KEY}"}, f"bad key {KEY}"),
        ({"authorization": f"Bearer {KEY}"}, f"bad header Bearer {KEY}"),
        ({"authorization": "Bearer short"}, "bad key short"),
        ({"x-api-key": "short"}, "bad key short"),
        ({"x-goog-api-key": "short"}, "bad key short"),
        ({"x-team-token": "tok-12345678"}, "bad tok-12345678"),
        ({"x-api-key": KEY, "x-other": f"{KEY}-and-more"}, f"bad {KEY}-and-more"),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_no_message_repeats_a_secret(headers: dict[str, str], said: str, status: int) -> None:
    """Keys of any length and long header values are blanked wherever a server echoes them, longer ones first."""
    error = error_of(says(said, status), headers)
    secrets = [value.removeprefix("Bearer ") for value in headers.values()]
    assert not any(secret in repr(error) for secret in secrets)
    assert "bad " in str(error)
    assert str(error).split(";")[0].endswith("***")


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    "headers", [{"content-type": "application/json"}, {"x-tier": "free"}, {"anthropic-version": "2023-06-01"}]
)
def test_what_is_no_secret_is_not_blanked(headers: dict[str, str]) -> None:
    """Public headers and short words may stand in a message."""
    (value,) = headers.values()
    assert f"cannot read {value}" in str(error_of(says(f"cannot read {value}", 400), headers))


@pytest.mark.usefixtures("sockets")
def test_credentials_in_an_address_are_sent_but_never_named() -> None:
    """A user and password in the URL become the authorization, and no message holds them."""

    async def scenario() -> tuple[FakeServer, errors.ModelError]:
        async with served(says({}, 401)) as server:
            with pytest.raises(errors.ModelAuthenticationError) as caught:
                await post(server.url.replace("://", "://user:hunter22@"), {})
            return server, caught.value

    server, error = asyncio.run(scenario())
    assert server.headers[0]["Authorization"].startswith("Basic ")
    assert "hunter22" not in repr(error)


@pytest.mark.usefixtures("sockets")
def test_a_key_takes_the_place_of_credentials_in_an_address() -> None:
    """The two would contradict each other; the key is what the configuration says."""

    async def scenario() -> FakeServer:
        async with served(says({})) as server:
            await post(server.url.replace("://", "://user:hunter22@"))
            return server

    assert asyncio.run(scenario()).headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://host/v1", "https://host"),
        ("http://host:8000/v1/chat", "http://host:8000"),
        ("https://user:pass@host:1/v1", "https://host:1"),
        ("host/v1", "host/v1"),
        ("user:pass@host/v1", "host/v1"),
    ],
)
def test_a_server_is_named_without_its_credentials(url: str, server: str) -> None:
    """Scheme, host and port, of whatever was given."""
    assert server_of(url) == server


@pytest.mark.parametrize(
    "date", ["Wed, 01 Jan 99999999999999999999 00:00:00 GMT", "Wed, 01 Jan 2025 00:00:00 +9999999999"]
)
def test_no_header_breaks_anything(date: str) -> None:
    """A date that is none asks for nothing."""
    assert retry_after(429, CIMultiDict({"Retry-After": date, "Date": date})) is None


def test_what_an_error_repeats_of_the_prompt_says_nothing_of_the_account() -> None:
    """Some servers send the whole request back."""
    body = b'{"detail": [{"msg": "String too long", "input": "What is my credit balance?"}]}'
    assert kind_of(400, signs_of(body)) is errors.ModelBadRequestError


@pytest.mark.parametrize("field", ["code", "type"])
def test_a_code_tells_the_kind_where_the_words_do_not(field: str) -> None:
    """OpenAI names an empty account there."""
    body = orjson.dumps({"error": {"message": "Sorry.", field: "insufficient_quota"}})
    assert kind_of(429, signs_of(body)) is errors.ModelQuotaExceededError


def test_a_password_of_an_address_is_blanked_where_the_server_repeats_it() -> None:
    """As keys are."""

    async def said() -> str:
        async with aiohttp.ClientSession() as session:
            way = Transport("http://user:hunt%65r22@h/v1", {}, SUBJECT, session, 1.0)
            return str(way.error(errors.ModelAuthenticationError, "wrong password hunter22"))

    assert "hunter22" not in asyncio.run(said())
