"""One head for many bodies: long texts both ways, connections that are used again, what a server may do between."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from tests.models.fakes import FakeServer, served

from data_designer.models.http_sessions import open_session
from data_designer.models.prepared_post import PreparedPost

pytestmark = pytest.mark.usefixtures("sockets")

_MOST = 10_000_000


def long_text(number: int) -> str:
    """Some 300 kB without repetition, so that no part can stand in for another."""
    return " ".join(f"{number}.{word}" for word in range(40_000))


def plain(response: web.Response) -> None:
    """As it is."""


def chunked(response: web.Response) -> None:
    """In chunks, so that its length is not known before."""
    response.enable_chunked_encoding()


def compressed(response: web.Response) -> None:
    """Compressed, as the head says we take it."""
    response.enable_compression(web.ContentCoding.gzip)


def echoes(form: Callable[[web.Response], None]) -> Callable[[FakeServer], web.StreamResponse]:
    """A server that says what it was sent last."""

    def answer(server: FakeServer) -> web.StreamResponse:
        response = web.Response(body=orjson.dumps(server.bodies[-1]), content_type="application/json")
        form(response)
        return response

    return answer


@pytest.mark.parametrize("form", [plain, chunked, compressed])
def test_long_prompts_and_replies_come_through_whole(form: Callable[[web.Response], None]) -> None:
    """Several at once and one after another, each with its own reply."""

    async def scenario() -> None:
        async with served(lambda _: echoes(form)(server)) as server, open_session() as session:
            post = PreparedPost(f"{server.url}/x", {"content-type": "application/json"}, session, None)

            async def one(first: int) -> None:
                for number in (first, first + 10):
                    status, _, content = await post.send(orjson.dumps(long_text(number)), _MOST)
                    assert status == 200
                    assert orjson.loads(content) == long_text(number)

            await asyncio.gather(*map(one, range(3)))

    asyncio.run(scenario())


async def spoken(visited: Callable[..., Any], *, posts: int) -> list[tuple[int, Mapping[str, str], bytes]]:
    """What comes back of some posts, one after another, from a server that speaks for itself."""
    async with await asyncio.start_server(visited, "127.0.0.1", 0) as server, open_session() as session:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1?key=1"
        post = PreparedPost(url, {"x-own": "a"}, session, None)
        return [await post.send(b"%d" % number, _MOST) for number in range(posts)]


def test_a_connection_is_used_again_and_the_head_is_the_same_but_for_the_length() -> None:
    """One connection for all that follow each other; what a server says before its answer is no answer."""
    heads: list[list[bytes]] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append([])
        while not reader.at_eof():
            head = await reader.readuntil(b"\r\n\r\n")
            heads[-1].append(head)
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            if len(heads[-1]) == 3:
                break
        writer.close()

    replies = asyncio.run(spoken(visited, posts=3))
    assert [(status, content) for status, _, content in replies] == [(200, b"ok")] * 3
    assert len(heads) == 1
    assert len(set(heads[0])) == 1
    lines = heads[0][0].decode().split("\r\n")
    assert lines[0] == "POST /v1?key=1 HTTP/1.1"
    assert {"x-own: a", "Content-Length: 1"} < set(lines)
    assert sum(line.startswith("Host: ") for line in lines) == 1


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    """The next post has one of its own."""
    connections: list[bytes] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    assert len(asyncio.run(spoken(visited, posts=2))) == len(connections) == 2


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0b"])
def test_a_header_that_would_be_several_is_refused(value: str) -> None:
    """Nothing that a user wrote for one header becomes another."""

    async def scenario() -> None:
        async with served(lambda _: web.Response()) as server, open_session() as session:
            await PreparedPost(f"{server.url}/x", {"x-own": value}, session, None).send(b"{}", _MOST)

    with pytest.raises(ValueError, match="line break"):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "error"), [("ftp://h/v1", aiohttp.NonHttpUrlClientError), ("http://", aiohttp.InvalidURL)]
)
def test_what_is_no_address_is_refused(url: str, error: type[Exception]) -> None:
    """Before anything is sent."""

    async def scenario() -> None:
        async with open_session() as session:
            PreparedPost(url, {}, session, None)

    with pytest.raises(error):
        asyncio.run(scenario())
