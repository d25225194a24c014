"""What endpoints answer that is none, or an odd one: a corpus of statuses, headers and bodies, and of broken HTTP."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST = 1_000_000
"""Bytes of a body that those who use the corpus allow."""

_FENCE = "`" * 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answers, and what that has to come to."""

    name: str
    body: bytes
    right: str
    """The text that is read, or the kind of error."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """What is no HTTP, or not to its end."""

    name: str
    parts: tuple[bytes | float, ...]
    """What is sent, and for how many seconds nothing is."""
    right: tuple[str, ...]
    """The kinds that it may be called by."""
    aborts: bool = False
    """Whether the connection is reset at the end instead of being closed."""


async def sent(broken: Broken, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Send the parts; says whether whoever asked was there to the end."""
    gone = asyncio.ensure_future(reader.read())  # What is left of the request, and then the end.
    try:
        for part in broken.parts:
            if isinstance(part, bytes):
                writer.write(part)
                await writer.drain()
            else:
                await asyncio.wait([gone], timeout=part)
            if gone.done():
                return False
        return True
    finally:
        gone.cancel()


def completion(content: Any = "tea", finish: Any = "stop", usage: Any = None, **message: Any) -> bytes:
    """The body of a chat completion."""
    usage = {"prompt_tokens": 5, "completion_tokens": 5} if usage is None else usage
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return json.dumps({"id": "x", "choices": [choice], "usage": usage}).encode()


def fenced(text: str, tag: str = "json") -> str:
    """Text in a code fence."""
    return f"{_FENCE}{tag}\n{text}\n{_FENCE}"


def _with(more: str) -> bytes:
    """A good completion with further fields."""
    return b'{"choices":[{"message":{"content":"tea"},"finish_reason":"stop"}],%s}' % more.encode()


def _content(text: bytes) -> bytes:
    """A completion whose content is written as it is given."""
    return b'{"choices":[{"message":{"content":"%s"},"finish_reason":"stop"}]}' % text


def _read() -> Iterator[Answer]:
    """Odd, and a reply all the same."""
    tea = completion()
    deep = "[" * 300 + "]" * 300
    bodies: dict[str, tuple[bytes, str]] = {
        "byte order mark": (b"\xef\xbb\xbf" + tea, "tea"),
        "white space around": (b"\n\n \t" + tea + b"\r\n\r\n", "tea"),
        "UTF-16 with a mark": (tea.decode().encode("utf-16"), "tea"),
        "UTF-16 without a mark": (tea.decode().encode("utf-16-le"), "tea"),
        "UTF-32": (tea.decode().encode("utf-32"), "tea"),
        "half a pair": (_content(rb"tea \ud83d"), "tea \ufffd"),
        "the other half": (_content(rb"tea \uDE00!"), "tea \ufffd!"),
        "two halves in the wrong order": (_content(rb"\ude00\ud83d"), "\ufffd\ufffd"),
        "two first halves and a pair": (_content(rb"\ud83d\ud83d\ude00"), "\ufffd😀"),
        "no half, but a backslash": (_content(rb"\\ud83d \ud83d"), "\\ud83d \ufffd"),
        "bytes that are no UTF-8": (_content(b"tea \xff"), "tea \ufffd"),
        "a truncated character": (_content(b"tea \xf0\x9f\x98"), "tea \ufffd"),
        "control characters": (_content(b"a\tb\x00c\nd"), "a\tb\x00c\nd"),
        "an escaped NUL": (_content(rb"a\u0000b"), "a\x00b"),
        "a half in a key": (_with(r'"\ud83d":1'), "tea"),
        "NaN": (_with('"cost":NaN'), "tea"),
        "infinity": (_with('"cost":-Infinity,"more":[Infinity]'), "tea"),
        "integer of 30 digits": (_with(f'"created":{"9" * 30}'), "tea"),
        "300 levels": (_with(f'"x":{deep}'), "tea"),
        "900 levels": (_with(f'"x":{"[" * 900 + "]" * 900}'), "tea"),
        "a key twice": (b'{"choices":null,' + tea[1:], "tea"),
        "error null": (_with('"error":null'), "tea"),
        "error of nothing": (_with('"error":{}'), "tea"),
        "errors of nothing": (_with('"errors":[]'), "tea"),
        "no finish reason": (completion(finish=None), "tea"),
        "a number as finish reason": (completion(finish=7), "tea"),
        "a finish reason of its own": (completion(finish="STOP"), "tea"),
        "two choices": (tea.replace(b'"choices": [', b'"choices": [{"message":{"content":"tea"}},'), "tea"),
        "blocks": (completion([{"type": "text", "text": "tea"}, {"type": "image"}, 7, None]), "tea"),
        "blocks of another API": (completion([{"type": "output_text", "text": "tea"}]), "tea"),
        "blocks without text": (completion([{"type": "text", "text": None}, {"type": "text", "text": {}}]), ""),
        "no content": (completion(None), ""),
        "no role": (b'{"choices":[{"message":{"content":"tea"}}]}', "tea"),
        "reasoning that is none": (completion(reasoning=[1], reasoning_content={"a": 1}), "tea"),
        "a refusal that is none": (completion(refusal=[]), "tea"),
        "tool calls of 300 levels": (
            completion("tea").replace(
                b'"content"', b'"tool_calls":[{"id":"a","function":' + deep.encode() + b'}],"content"'
            ),
            "tea",
        ),
        "tool calls that are none": (completion(tool_calls=[7, None, "x", {"function": "f"}, []]), "tea"),
        "tool calls as an object": (completion(tool_calls={"a": 1}), "tea"),
    }
    usages: dict[str, Any] = {
        "negative": {"prompt_tokens": -10_000, "completion_tokens": -1},
        "of 1e30": {"prompt_tokens": 1e30, "completion_tokens": 1},
        "of 31 digits": {"prompt_tokens": 10**30, "completion_tokens": 10**30},
        "NaN": {"prompt_tokens": float("nan"), "completion_tokens": float("inf")},
        "text": {"prompt_tokens": "many", "completion_tokens": "5"},
        "null": {"prompt_tokens": None, "completion_tokens": None},
        "nested": {"prompt_tokens": {"a": [1]}, "completion_tokens": [[[]]]},
        "booleans": {"prompt_tokens": True, "completion_tokens": False},
        "a list": [1, 2],
        "a number": 7,
        "details that are none": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": [1]},
        "more cached than read": {
            "prompt_tokens": 1,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 9e9},
        },
        "more cached than read, below nothing": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": -5}},
        "nothing": {},
    }
    bodies |= {f"usage: {name}": (completion(usage=usage), "tea") for name, usage in usages.items()}
    for name, (body, right) in bodies.items():
        yield Answer(name, body, right)
    for status in (201, 202, 203, 206, 299):
        yield Answer(f"HTTP {status}", tea, "tea", status)
    headers: dict[str, dict[str, str]] = {
        "a page, it says": {"content-type": "text/html"},
        "nothing known, it says": {"content-type": "\t;;=;charset=/dev/null"},
        "a charset that is none": {"content-type": "application/json; charset=unicode_escape"},
        "a rest for ages": {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1e30"},
        "a rest below nothing": {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1e30"},
        "a rest of NaN": {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "nan"},
        "a rest in many digits": {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 8000},
        "a rest in many hours": {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 400 + "h"},
        "a rest until the year 9999": {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "9999-12-31T23:59:59+00:00",
            "date": "Wed, 01 Jan 2025 00:00:00 GMT",
        },
    }
    for name, given in headers.items():
        yield Answer(name, tea, "tea", headers=given)


def _no_reply() -> Iterator[Answer]:
    """HTTP 200, and no reply."""
    tea = completion()
    bodies: dict[str, bytes] = {
        "nothing": b"",
        "white space": b" \r\n",
        "a page": b"<html><body>connect error</body></html>",
        "text": b"upstream connect error",
        "null": b"null",
        "true": b"true",
        "a number": b"0",
        "a string": b'"tea"',
        "a list": b"[]",
        "an object": b"{}",
        "choices null": b'{"choices":null}',
        "choices that are none": b'{"choices":{}}',
        "no choice": b'{"choices":[]}',
        "a choice null": b'{"choices":[null]}',
        "a choice that is text": b'{"choices":["tea"]}',
        "a choice of nothing": b'{"choices":[{}]}',
        "message null": b'{"choices":[{"message":null}]}',
        "a message that is text": b'{"choices":[{"message":"tea"}]}',
        "content that is a number": completion(7),
        "content that is an object": completion({"text": "tea"}),
        "content that is true": completion(True),
        "a part of a stream": b'{"choices":[{"delta":{"content":"tea"}}]}',
        "an older API": b'{"choices":[{"text":"tea"}]}',
        "two replies": tea + b"\n" + tea,
        "half a reply": tea[: len(tea) // 2],
        "quotes of Python": tea.replace(b'"', b"'"),
        "a comment": b"// tea\n" + tea,
        "300 levels": b'{"a":' * 300 + b"1" + b"}" * 300,
        "3,000 levels": b'{"a":' * 3000 + b"1" + b"}" * 3000,
        "300 levels of choices": b'{"choices":[' * 300 + b"1" + b"]}" * 300,
        "100,000 brackets": b"[" * 100_000,
        "an integer of 6,000 digits": _with(f'"x":NaN,"created":{"9" * 6000}'),
        "a number beyond all": _with('"x":NaN,"created":1e999'),
        "binary": bytes(range(256)) * 10,
        "zeros": b"\x00" * 1000,
        "a gzip that does not say so": gzip.compress(tea),
        "too large": b'{"choices":[{"message":{"content":"' + b"a" * LARGEST + b'"}}]}',
        "finish reason error": completion("half a sen", "error"),
        "finish reason abort": completion("half a sen", "abort"),
        "not enough resources": completion("half a sen", "insufficient_system_resource"),
        "an error in the choice": b'{"choices":[{"message":{"content":"te"},"error":{"message":"upstream"}}]}',
        "an error": b'{"error":{"message":"upstream failed"}}',
        "an error beside a reply": _with('"error":{"message":"upstream failed"}'),
        "an error that is text": b'{"error":"upstream failed"}',
        "an error that is true": b'{"error":true}',
        "an error that is a list": b'{"error":[[[{"a":1}]]]}',
        "an error of an odd code": b'{"error":{"message":"x","code":1e30}}',
        "an error of a nested code": b'{"error":{"message":{"a":1},"code":{"b":[2]},"type":[3]}}',
        "an error of a code that is no status": b'{"error":{"message":"x","code":7}}',
        "an error of 300 levels": b'{"error":' * 300 + b'"x"' + b"}" * 300,
        "errors": b'{"success":false,"errors":[{"code":7003,"message":"no route"}]}',
        "a type error": b'{"type":"error"}',
        "half a pair in an error": b'{"error":{"message":"\\ud83d"}}',
    }
    for name, body in bodies.items():
        yield Answer(f"no reply: {name}", body, "ModelInvalidReplyError")
    stream = b'data: {"choices":[{"delta":{"content":"tea"}}]}\n\ndata: [DONE]\n\n'
    yield Answer("no reply: a stream", stream, "ModelAPIError")
    yield Answer("HTTP 204", b"", "ModelInvalidReplyError", 204)
    yield Answer("HTTP 206, a part", tea[:20], "ModelInvalidReplyError", 206)
    yield Answer("too large, it says", b"{}", "ModelInvalidReplyError", headers={"content-length": "99999999999"})


def _errors_in_replies() -> Iterator[Answer]:
    """HTTP 200 with an error that says which status it should have had."""
    kinds: dict[str, tuple[Any, str]] = {
        "502": ({"message": "upstream failed", "code": 502}, "ModelInternalServerError"),
        "503 as text": ({"message": "upstream failed", "code": "503"}, "ModelInternalServerError"),
        "429": ({"message": "too many requests", "code": 429}, "ModelRateLimitError"),
        "429 as status": ({"message": "slow down", "status": 429}, "ModelRateLimitError"),
        "rate limit by name": ({"message": "slow down", "code": "rate_limit_exceeded"}, "ModelRateLimitError"),
        "overloaded": ({"type": "overloaded_error", "message": "Overloaded"}, "ModelInternalServerError"),
        "408": ({"message": "late", "code": 408}, "ModelTimeoutError"),
        "400": ({"message": "bad", "code": 400}, "ModelBadRequestError"),
        "401": ({"message": "who?", "code": 401}, "ModelAuthenticationError"),
        "402": ({"message": "pay", "code": 402}, "ModelQuotaExceededError"),
        "404": ({"message": "no such model", "code": "model_not_found"}, "ModelNotFoundError"),
        "no credit": ({"message": "insufficient_quota"}, "ModelQuotaExceededError"),
        "too long": ({"message": "maximum context length is 8"}, "ModelContextWindowExceededError"),
        "Google's": ({"code": 503, "status": "UNAVAILABLE", "message": "x"}, "ModelInternalServerError"),
        "Google's by name": ({"status": "RESOURCE_EXHAUSTED", "message": "x"}, "ModelRateLimitError"),
    }
    for name, (error, kind) in kinds.items():
        yield Answer(f"an error in a reply: {name}", json.dumps({"error": error}).encode(), kind)
    listed = b'[{"error":{"code":429,"message":"slow down"}}]'
    yield Answer("an error in a list", listed, "ModelRateLimitError", headers={"retry-after": "1e30"})
    flat = b'{"object":"error","message":"upstream","code":500}'
    yield Answer("an error that is the reply", flat, "ModelInternalServerError")
    choice = b'{"choices":[{"message":{"content":"te"},"finish_reason":"error","error":{"message":"x","code":502}}]}'
    yield Answer("an error in a choice", choice, "ModelInternalServerError")


_KINDS = {
    **dict.fromkeys((300, 301, 302, 304, 307, 308), "ModelAPIError"),
    **dict.fromkeys((405, 406, 418, 451), "ModelRequestRejectedError"),
    400: "ModelBadRequestError",
    401: "ModelAuthenticationError",
    402: "ModelQuotaExceededError",
    403: "ModelPermissionDeniedError",
    404: "ModelNotFoundError",
    408: "ModelTimeoutError",
    413: "ModelContextWindowExceededError",
    422: "ModelUnprocessableEntityError",
    429: "ModelRateLimitError",
    **dict.fromkeys((409, 423, 424, 425, 460, 499, 500, 501, 502, 503, 504, 505), "ModelInternalServerError"),
    **dict.fromkeys(
        (507, 511, 520, 521, 522, 523, 524, 525, 526, 529, 530, 598, 599, 600, 999), "ModelInternalServerError"
    ),
}
"""HTTP status to the kind of its error."""
_WORDS: dict[str, bytes] = {
    "words": b'{"error":{"message":"not now"}}',
    "nothing": b"",
    "a page": b"<html><h1>Sorry</h1></html>",
    "binary": bytes(range(256)),
    "300 levels": b'{"error":' * 300 + b'"x"' + b"}" * 300,
    "3,000 levels": b'{"error":{"message":' + b"[" * 3000 + b"]" * 3000 + b"}}",
    "200 kB": b'{"error":{"message":"' + b"no " * 70_000 + b'"}}',
    "half a pair": b'{"detail":"tea \\ud83d"}',
    "NaN": b'{"detail":[{"msg":NaN},{"loc":[1]},7,null]}',
    "many errors": b'{"detail":[' + b'{"msg":"no"},' * 5000 + b"1]}",
}


def _refusals() -> Iterator[Answer]:
    """Other statuses, with whatever body."""
    for number, (status, kind) in enumerate(_KINDS.items()):
        name, words = list(_WORDS.items())[number % len(_WORDS)]
        yield Answer(f"HTTP {status}, {name}", b"" if status == 304 else words, kind, status)
    for name, words in _WORDS.items():
        yield Answer(f"HTTP 400, and {name}", words, "ModelBadRequestError", 400)
        yield Answer(f"HTTP 500, and {name}", words, "ModelInternalServerError", 500)
    waits = [
        "1e30",
        "-1e30",
        "nan",
        "soon",
        "",
        "9" * 5000,
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 0001 00:00:00 GMT",
    ]
    for wait in waits:
        given = {"retry-after": wait, "date": "Wed, 01 Jan 2025 00:00:00 GMT"}
        yield Answer(f"HTTP 429, retry after {wait[:30]}", b"{}", "ModelRateLimitError", 429, given)
        given = {"retry-after-ms": wait, "date": wait}
        yield Answer(f"HTTP 503, retry after ms {wait[:30]}", b"{}", "ModelInternalServerError", 503, given)


ANSWERS: tuple[Answer, ...] = (*_read(), *_no_reply(), *_errors_in_replies(), *_refusals())
"""Whole answers."""


def _deep_name(levels: int) -> str:
    return f'{{"name": {"[" * levels}1{"]" * levels}}}'


def _contents() -> Iterator[tuple[str, str, str]]:
    draft = fenced('{"name": "DRAFT"}')
    thinking = f"<think>\nA first draft:\n{draft}\nNo, the name has to be"
    yield "cut off while thinking", thinking, "length"
    yield "cut off while thinking, in another tag", thinking.replace("<think>", "<Reasoning lang='en'>"), "length"
    yield "nothing but thinking", thinking, "stop"
    yield "cut off in its fence", f'{_FENCE}json\n{{"name": "whole"}}', "length"
    yield "cut off in its JSON", '{"name": "whole"', "max_tokens"
    yield "slow to mend", fenced('[{"a":"' * 20_000), "stop"
    yield "brackets", fenced("[" * 100_000), "stop"
    yield "parentheses", fenced("(" * 30_000), "stop"
    yield "quotes", fenced('{"name":' + '"' * 50_000), "stop"
    yield "dashes", "- " * 100_000, "stop"
    yield "lines", "\n" * 500_000 + "x", "stop"
    yield "backticks", "`" * 300_000 + "x`", "stop"
    yield "an integer of 6,000 digits", fenced(f'{{"name": {"9" * 6000}}}'), "stop"
    yield "a broken integer of 6,000 digits", fenced(f'{{"name": {"9" * 6000},}}'), "stop"
    yield "a number beyond all", fenced('{"name": 1e999}'), "stop"
    yield "not a number", fenced('{"name": NaN}'), "stop"
    yield "half a pair", fenced('{"name": "tea \\ud83d", "\\ude00": 1}'), "stop"
    yield "300 levels", fenced(_deep_name(300)), "stop"
    yield "3,000 levels", fenced(_deep_name(3000)), "stop"
    yield "a long name", fenced('{"name": "%s"}' % ("a" * 500_000)), "stop"
    yield "an empty fence", fenced(""), "stop"
    yield "another language", fenced("name: tea", "yaml"), "stop"
    yield "white space", " \n\t", "stop"
    yield "control characters", "\x1b[2J\x1b]0;title\x07\x00\x9b31m", "stop"
    yield "a refusal", "no", "content_filter"


CONTENTS: tuple[tuple[str, bytes], ...] = tuple(
    (name, completion(content, finish)) for name, content, finish in _contents()
)
"""Whole replies whose content is of no use, or odd, where a `name` in JSON is wanted."""


def _head(*fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _broken() -> Iterator[Broken]:
    tea = completion()
    lost, invalid = ("ModelAPIConnectionError",), ("ModelInvalidReplyError",)
    either = lost + invalid
    zipped, chunked = "content-encoding: gzip", "transfer-encoding: chunked"
    bomb = _deflated(b'{"choices":[{"message":{"content":"' + b"a" * (20 * LARGEST) + b'"}}]}')
    yield Broken("hangs up", (), lost)
    yield Broken("resets", (), lost, aborts=True)
    yield Broken("half a status", (b"HTTP/1.",), either)
    yield Broken("no HTTP", (b"SSH-2.0-OpenSSH_9.7\r\n\r\n",), invalid)
    yield Broken("binary", (bytes(range(256)),), either)
    yield Broken("a status that is none", (b"HTTP/1.1 2x0 OK\r\n\r\n",), either)
    yield Broken("half a head", (b"HTTP/1.1 200 OK\r\ncontent-le",), lost)
    yield Broken("a header that is none", (_head("no colon") + tea,), either)
    yield Broken("a long header", (_head(f"x: {'y' * 20_000}") + tea,), either)
    yield Broken("an endless header", (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 2_000_000,), either)
    yield Broken("many headers", (_head(*(f"x{n}: y" for n in range(50_000))) + tea,), either)
    yield Broken("two lengths", (_head("content-length: 5", "content-length: 7") + tea,), either)
    yield Broken("a length below nothing", (_head("content-length: -5") + tea,), either)
    yield Broken("a length that is text", (_head("content-length: many") + tea,), either)
    yield Broken("shorter than it says", (_head("content-length: 5000") + tea,), lost)
    yield Broken("reset in its middle", (_head("content-length: 5000") + tea, 0.01), lost, aborts=True)
    yield Broken("half a chunk", (_head(chunked) + b"fff\r\n" + tea,), lost)
    yield Broken("a chunk without a length", (_head(chunked) + b"zz\r\n" + tea + b"\r\n0\r\n\r\n",), either)
    yield Broken("a chunk of a negative length", (_head(chunked) + b"-5\r\n" + tea + b"\r\n0\r\n\r\n",), either)
    yield Broken("no last chunk", (_head(chunked) + b"%x\r\n%b\r\n" % (len(tea), tea),), lost)
    yield Broken("no gzip", (_head(zipped, f"content-length: {len(tea)}") + tea,), either)
    yield Broken("half a gzip", (_head(zipped, "content-length: 20") + gzip.compress(tea)[:20],), either)
    yield Broken(
        "a deflate that is none", (_head("content-encoding: deflate", "content-length: 9") + b"\xff" * 9,), either
    )
    yield Broken(
        "an encoding that nobody knows", (_head("content-encoding: rot13", "content-length: 4") + b"grn!",), either
    )
    yield Broken("Brotli that is none", (_head("content-encoding: br", "content-length: 4") + b"tea!",), either)
    yield Broken("Zstandard that is none", (_head("content-encoding: zstd", "content-length: 4") + b"tea!",), either)
    yield Broken("a bomb", (_head(zipped, f"content-length: {len(bomb)}") + bomb,), invalid)
    yield Broken("a bomb without a length", (_head(zipped) + bomb,), invalid)
    yield Broken("a bomb in a refusal", (_head(zipped, status="500 No") + bomb,), ("ModelInternalServerError",))
    members = gzip.compress(b"") * 5000 + gzip.compress(tea)
    yield Broken("a gzip of 5,000 members", (_head(zipped, f"content-length: {len(members)}") + members,), either)
    yield Broken(
        "an upgrade",
        (_head("upgrade: websocket", "connection: upgrade", status="101 No"),),
        (*either, "ModelTimeoutError", "ModelAPIError"),
    )
    yield Broken("promises only", (b"HTTP/1.1 100 Continue\r\n\r\n" * 50,), lost)
    yield Broken("an endless body", (_head(), *(b" " * 100_000,) * 15), invalid)
    yield Broken(
        "an endless body of chunks", (_head(chunked), *(b"186a0\r\n" + b" " * 100_000 + b"\r\n",) * 15), invalid
    )


BROKEN: tuple[Broken, ...] = tuple(_broken())
"""Answers that are told by their connection, and end within moments."""
SLOW: tuple[Broken, ...] = (
    Broken("nothing for ever", (3600.0,), ("ModelTimeoutError",)),
    Broken("a head and nothing", (_head("content-length: 5"), 3600.0), ("ModelTimeoutError",)),
    Broken("a byte at a time", (_head("content-length: 50000"), *(b" ", 0.05) * 10_000), ("ModelTimeoutError",)),
    Broken(
        "a header at a time",
        (b"HTTP/1.1 200 OK\r\n", *(b"x: y\r\n", 0.1) * 10_000),
        ("ModelTimeoutError", "ModelInvalidReplyError"),
    ),
)
"""Those that do not end before whoever asked gives up."""
