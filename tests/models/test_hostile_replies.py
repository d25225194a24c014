"""Whatever an endpoint answers comes to a reply or to an error of a name, and soon."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from tests.hostile import ANSWERS, BROKEN, LARGEST, SLOW, Answer, Broken, completion, sent
from tests.models.fakes import pool, request

from data_designer import errors
from data_designer.models.bodies import content_of
from data_designer.models.client import ModelClient
from data_designer.plan.model import Pool
from data_designer.values import Response

_MOST_WORDS = 2000
"""Characters that any message may have."""


class FakeStream:
    """What aiohttp gives of a body, without a server: it comes in parts."""

    def __init__(self, body: bytes) -> None:
        self._parts = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]

    async def readany(self) -> bytes:
        """The next part, and nothing at the end."""
        return self._parts.pop(0) if self._parts else b""


class FakePost:
    """Gives every request the same answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._answer = status, CIMultiDict(headers), body

    async def send(self, _: bytes, most: int) -> tuple[int, Mapping[str, str], bytes]:
        """Answer."""
        status, headers, body = self._answer
        stream: Any = FakeStream(body)
        return status, headers, await content_of(status, headers, stream, most)


def answered_by(post: FakePost, alias: Pool) -> ModelClient:
    """A client that nothing but this answers."""
    session: Any = None
    client = ModelClient(alias, None, session)
    client._transports[0]._prepared = post  # type: ignore[assignment]
    return client


def asked(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """Ask an endpoint that answers so."""
    alias = pool("http://h/v1", provider={"max_reply_bytes": LARGEST})
    return asyncio.run(answered_by(FakePost(status, headers, body), alias).ask(request()))


def test_the_corpus_is_large() -> None:
    """It holds well over a hundred answers, each with a name of its own."""
    assert len({one.name for one in (*ANSWERS, *BROKEN, *SLOW)}) == len(ANSWERS) + len(BROKEN) + len(SLOW) > 200


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_every_answer_is_a_reply_or_an_error_of_a_name(answer: Answer) -> None:
    """With counts that can be true, waits that are no longer than a day, and words that fit on a screen."""
    if not answer.right.startswith("Model"):
        response = asked(answer.status, answer.headers, answer.body)
        assert response.text == answer.right
        assert all(0 <= number < 10**10 for number in response.usage.numbers)
        assert response.usage.cached_tokens <= response.usage.input_tokens
        assert response.pause is None or 0 <= response.pause <= 86_400
        return
    with pytest.raises(errors.ModelError) as caught:
        asked(answer.status, answer.headers, answer.body)
    assert type(caught.value).__name__ == answer.right
    assert caught.value.retry_after is None or 0 <= caught.value.retry_after <= 86_400
    assert len(str(caught.value)) < _MOST_WORDS


@pytest.mark.parametrize("status", [200, 500])
def test_what_nobody_thought_of_ends_a_request_and_not_the_run(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reading raises becomes a failure that may pass."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("no idea")

    monkeypatch.setattr("data_designer.models.openai_wire.usage_of", broken)
    if status == 500:
        monkeypatch.setattr(FakeStream, "readany", broken)
    body = completion() if status == 200 else b"x" * 100_000
    with pytest.raises(errors.ModelInvalidReplyError, match="ZeroDivisionError: no idea") as caught:
        asked(status, {}, body)
    assert caught.value.retryable


def test_a_usage_that_cannot_be_true_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Once a model; without a usage, or with one that can be true, nothing is said."""
    odd = completion(usage={"prompt_tokens": -5, "completion_tokens": "x" * 1000})
    alias = pool("http://h/v1")

    async def ask(*bodies: bytes) -> None:
        client = answered_by(FakePost(200, {}, b""), alias)
        for body in bodies:
            client._transports[0]._prepared = FakePost(200, {}, body)  # type: ignore[assignment]
            await client.ask(request())

    with caplog.at_level(logging.WARNING, "data_designer"):
        asyncio.run(
            ask(
                b'{"choices":[{"message":{"content":"a"}}]}', b'{"choices":[{"message":{}}],"usage":null}', completion()
            )
        )
        assert not caplog.messages
        asyncio.run(ask(odd, completion(), odd))
    [message] = caplog.messages
    assert "alias 'm'" in message
    assert "cannot be true" in message
    assert '"prompt_tokens":-5' in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, True),
        ({"prompt_tokens": 3.0, "completion_tokens": 2.0}, True),
        ({"prompt_tokens": -3, "completion_tokens": 2}, False),
        ({"prompt_tokens": 3, "completion_tokens": 1e30}, False),
        ({}, False),
    ],
)
def test_whether_a_reply_was_counted_is_known(usage: Any, counted: bool) -> None:
    """A budget gives nothing back for one that was not."""
    assert asked(200, {}, completion(usage=usage)).counted is counted


def kind_over_the_wire(broken: Broken, patience: float = 5.0) -> str:
    """The kind of error that comes of a server that answers so."""

    async def scenario() -> str:
        left = asyncio.Event()

        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, TimeoutError):
                await _answered(broken, reader, writer)
            left.set()

        async with await asyncio.start_server(visited, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            client = ModelClient(pool(url, provider={"max_reply_bytes": LARGEST}), None, session)
            client._transports[0]._timeout = patience
            try:
                await client.ask(request())
            except errors.ModelError as error:
                return type(error).__name__
            finally:
                await session.close()
                await left.wait()
        return "an answer"

    return asyncio.run(scenario())


async def _answered(broken: Broken, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    try:
        await sent(broken, reader, writer)
    finally:
        if broken.aborts:
            writer.transport.abort()
        else:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_every_broken_answer_is_an_error_of_a_name(broken: Broken) -> None:
    """Over sockets, since it is the library that reads HTTP which meets them first."""
    assert kind_over_the_wire(broken) in broken.right


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("broken", SLOW, ids=lambda broken: broken.name)
def test_what_does_not_end_is_given_up(broken: Broken) -> None:
    """However much of it has come."""
    assert kind_over_the_wire(broken, patience=0.15) in broken.right
