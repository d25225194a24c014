"""Asks models through a client of the `openai` package that the user gives.

The client signs in, connects and sends, as the user has set it up. Slots, limits, retries and what a request and a
reply say stay ours, so that a run differs in nothing else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

import openai

from data_designer import errors
from data_designer.errors import InvalidConfigError
from data_designer.models.bodies import decoded
from data_designer.models.error_mapping import CURES, quoted, refusal_of, worded
from data_designer.models.model import DEFAULT_TIMEOUT, timed
from data_designer.models.openai_embeddings import PATH as EMBEDDINGS
from data_designer.models.openai_images import PATH as IMAGES
from data_designer.models.openai_wire import PATH as CHAT
from data_designer.models.replies import Replies
from data_designer.models.wires import wire_to
from data_designer.plan.model import MakeClient, Pool
from data_designer.values import Request, Response

_CURES: Final = {
    **CURES,
    errors.ModelAuthenticationError: "check how the client signs in",
    errors.ModelNotFoundError: "check the model's name, or that of its deployment, and the client's base URL",
    errors.ModelAPIConnectionError: "check the client's base URL and its transport",
}
"""What the user can do about a kind of error, where the user gives the client."""
_SIGNS_IN = ("authorization", "api-key", "x-api-key")
"""Headers that carry what no message may repeat."""
_SHORTEST_SECRET = 8
_CHATTY = ("httpx", "httpx2")
"""Loggers that have a line for each request, unless somebody has set their level."""


class Reply(Protocol):
    """A good reply of which nothing was read, as the package gives it for whatever was asked."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of HTTP."""
        ...

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body, decompressed, in parts."""
        ...


Send: TypeAlias = Callable[
    [str, Mapping[str, object], Mapping[str, str] | None, float], AbstractAsyncContextManager[Reply]
]
"""Sends the body for a model, with further headers, and gives it so many seconds."""


def client_of(make: MakeClient, provider: str) -> openai.AsyncOpenAI:
    """The client that a function gives for a provider; it tries nothing again by itself, since that is done here.

    Raises:
        InvalidConfigError: the function fails, or gives something else.
    """
    name = f"the function {getattr(make, '__qualname__', type(make).__name__)} of clients['{provider}']"
    try:
        client: object = make()
    except Exception as error:
        raise InvalidConfigError(f"{name} raised {type(error).__name__}: {error}") from error
    if not isinstance(client, openai.AsyncOpenAI):
        what = f"{type(client).__module__.partition('.')[0]}.{type(client).__name__}"
        raise InvalidConfigError(f"{name} gave {what}; it has to give an openai.AsyncOpenAI or AsyncAzureOpenAI")
    if client.is_closed():
        raise InvalidConfigError(f"{name} gave a client that is closed; it has to make a new one each time")
    client.max_retries = 0
    be_quiet()
    return client


def be_quiet() -> None:
    """Have no line logged for each request."""
    for log in map(logging.getLogger, _CHATTY):
        if log.level == logging.NOTSET:
            log.setLevel(logging.WARNING)


class OpenAIClient:
    """Asks one pool's model through a client, which is given and closed by others.

    Args:
        pool: the pool.
        client: what its requests go through.
    """

    def __init__(self, pool: Pool, client: openai.AsyncOpenAI) -> None:
        provider = pool.provider
        self._wire = wire = wire_to(pool)
        self._replies = Replies(wire, pool.subject, provider.max_reply_bytes)
        self._send = _senders(client)[wire.url("")]
        self._headers = provider.extra_headers or None
        self._where = f"{pool.subject} by the client of provider '{provider.name}'"
        self._client = client
        self._timeout = float(pool.params.timeout or DEFAULT_TIMEOUT)
        self._most = provider.max_reply_bytes
        self._has_signed_in = False

    async def ask(self, request: Request) -> Response:
        """Get one reply. Raises ModelError where the endpoint refused or failed, named by kind."""
        request, own = timed(request)
        seconds = self._timeout if own is None else own
        try:
            body = self._wire.body(request)
        except errors.ModelUnsupportedCapabilityError as error:
            raise self._error(type(error), str(error)) from None
        try:
            async with asyncio.timeout(seconds) as limit:
                content, headers = await self._sent(body, seconds)
        except TimeoutError as error:
            if not limit.expired():
                raise self._unsent(error) from error
            raise self._error(errors.ModelTimeoutError, f"no reply within {seconds:g} s") from None
        return await self._parsed(content, headers)

    async def _sent(self, body: Mapping[str, object], seconds: float) -> tuple[bytes, Mapping[str, str]]:
        """The body and the headers of a good reply."""
        try:
            async with self._send(str(body["model"]), body, self._headers, seconds) as reply:
                return await self._read(reply), reply.headers
        except (TimeoutError, errors.ModelError):
            raise
        except openai.APIStatusError as error:
            kind, what, wait = refusal_of(error.status_code, error.response.headers, _content(error))
            raise self._error(kind, what, wait, error.status_code, error) from error
        except openai.APITimeoutError as error:
            raise self._error(errors.ModelTimeoutError, f"no reply within {seconds:g} s") from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            what = f"no reply ({type(cause).__name__}: {cause})"
            raise self._error(errors.ModelAPIConnectionError, what, error=error) from error
        except Exception as error:
            # The client's functions are the user's, and may raise anything.
            raise self._unsent(error) from error

    async def _read(self, reply: Reply) -> bytes:
        """The body of a good reply, of which no more is read than it may have."""
        self._has_signed_in = True
        parts, size = [], 0
        try:
            async for part in reply.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > self._most:
                    break
        except Exception as error:
            what = f"the connection broke before the reply was complete ({type(error).__name__}: {error})"
            raise self._error(errors.ModelAPIConnectionError, what) from error
        if size > self._most:
            what = f"the reply is larger than {self._most:,} bytes; raise the provider's max_reply_bytes if it may be"
            raise self._error(errors.ModelInvalidReplyError, what)
        return b"".join(parts)

    async def _parsed(self, content: bytes, headers: Mapping[str, str]) -> Response:
        try:
            data = decoded(content)
        except ValueError:
            what = f"the reply is no JSON: {quoted(content)}" if content.strip() else "the reply is empty"
            raise self._error(errors.ModelInvalidReplyError, what) from None
        response, wait = await self._replies.read(data, headers, None, self._error)
        return response if wait is None else replace(response, pause=wait)

    def _unsent(self, error: BaseException) -> errors.ModelError:
        """What is wrong where the client fails of itself, as its functions of tokens do.

        One that has worked may work again, and is waited for as an endpoint is.
        """
        kind = errors.ModelAPIConnectionError if self._has_signed_in else errors.ModelAuthenticationError
        what = f"nothing was sent: what signs in, or makes the request, raised {type(error).__name__}: {error}"
        return self._error(kind, what)

    def _error(
        self,
        kind: type[errors.ModelError],
        what: str,
        wait: float | None = None,
        status: int | None = None,
        error: openai.APIError | None = None,
    ) -> errors.ModelError:
        secrets = {self._client.api_key, *(() if error is None else _secrets_of(error))}
        private = sorted((one for one in secrets if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
        return kind(worded(self._where, what, _CURES.get(kind), private), wait, status)


def _senders(client: openai.AsyncOpenAI) -> Mapping[str, Send]:
    """Route to the client's method for it.

    What a body holds goes along as `extra_body`, which counts before the arguments: it is not looked at nor changed.
    The model is told to the client too, since those of Azure make it part of the address.
    """
    chat = client.chat.completions.with_streaming_response.create
    embeddings = client.embeddings.with_streaming_response.create
    images = client.images.with_streaming_response.generate
    return {
        CHAT: lambda model, body, headers, timeout: chat(
            model=model, messages=(), extra_body=body, extra_headers=headers, timeout=timeout
        ),
        EMBEDDINGS: lambda model, body, headers, timeout: embeddings(
            model=model, input="", encoding_format="float", extra_body=body, extra_headers=headers, timeout=timeout
        ),
        IMAGES: lambda model, body, headers, timeout: images(
            model=model, prompt="", extra_body=body, extra_headers=headers, timeout=timeout
        ),
    }


def _content(error: openai.APIStatusError) -> bytes:
    try:
        return error.response.content
    except Exception:  # noqa: BLE001 - where it was not read, or cannot be decompressed
        return str(error).encode()


def _secrets_of(error: openai.APIError) -> list[str]:
    values = [error.request.headers.get(name, "") for name in _SIGNS_IN]
    return [one.removeprefix("Bearer ") for one in values]
