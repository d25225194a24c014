"""A pool's model: requests are written in its provider's form and go to one of its endpoints."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from data_designer import errors
from data_designer.models.endpoints import Endpoints
from data_designer.models.model import DEFAULT_TIMEOUT, timed
from data_designer.models.proxies import proxy_for
from data_designer.models.replies import Replies
from data_designer.models.request_spans import Answer, request_spans
from data_designer.models.transport import Transport
from data_designer.models.wires import wire_to
from data_designer.plan.model import Pool
from data_designer.values import Request, Response

if TYPE_CHECKING:
    import aiohttp

_COOLDOWN = 1.0
"""Seconds for which one of several endpoints is left alone that refuses without saying for how long."""


_LONGEST_PAUSE = 60.0
"""Seconds for which a good reply can have one of several endpoints left alone; beyond, it has to refuse."""


class ModelClient:
    """Asks one pool's model over HTTP. It is the `Model` of every provider there is."""

    def __init__(
        self,
        pool: Pool,
        api_key: str | None,
        session: "aiohttp.ClientSession",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        provider = pool.provider
        self._wire = wire = wire_to(pool)
        self._replies = Replies(wire, pool.subject, provider.max_reply_bytes)
        self._session = session
        # Lower case, so that a provider's own Authorization takes the place of ours instead of joining it.
        own = {name.lower(): value for name, value in (provider.extra_headers or {}).items()}
        headers = {"content-type": "application/json", **wire.headers(api_key), **own}
        timeout = float(pool.timeout or DEFAULT_TIMEOUT)
        # Our own server of simulated models is nobody's to lead to.
        around = {} if provider.is_simulated else os.environ
        self._transports = [
            Transport(wire.url(one), headers, pool.subject, session, timeout, provider.max_reply_bytes).through(
                proxy_for(one, around)
            )
            for one in provider.addresses
        ]
        if pool.model is None:
            self._transports = [one.to_service() for one in self._transports]
        self._endpoints = Endpoints(len(self._transports))
        self._clock = clock
        self._spans = request_spans(pool)

    async def ask(self, request: Request) -> Response:
        """Get one reply. Raises ModelError where the endpoint refused or failed, named by kind."""
        request, timeout = timed(request)
        body = self._encode(request)
        number = self._endpoints.choose(self._clock())
        transport = self._transports[number]
        try:
            answering: Awaitable[Answer] = self._answer(transport, body, timeout)
            if self._spans is not None:
                answering = self._spans.around(number, request, answering)
            response, wait = await answering
        except errors.ModelError as error:
            self._learn(number, error)
            raise
        except BaseException:
            self._endpoints.given_up(number)
            raise
        several = len(self._transports) > 1
        if several:
            response = replace(response, server=transport.server)
        if wait is None or not several:
            self._endpoints.answered(number)
            return response if wait is None else replace(response, pause=wait)
        self._endpoints.asked_to_wait(number, self._clock() + min(wait, _LONGEST_PAUSE))
        return response

    def _encode(self, request: Request) -> bytes:
        try:
            return orjson.dumps(self._wire.body(request))
        except errors.ModelUnsupportedCapabilityError as error:
            raise self._transports[0].error(type(error), str(error)) from None
        except orjson.JSONEncodeError as error:
            text = f"the request cannot be written as JSON: {error}"
            raise self._transports[0].error(errors.ModelBadRequestError, text) from error

    async def _answer(self, transport: Transport, body: bytes, timeout: float | None) -> Answer:  # noqa: ASYNC109
        """A reply, and for how long its endpoint wants to be left alone."""
        data, headers = await transport.post(body, timeout)
        return await self._replies.read(data, headers, self._session, transport.error)

    def _learn(self, number: int, error: errors.ModelError) -> None:
        now = self._clock()
        if isinstance(error, errors.ModelRateLimitError):
            wait = _COOLDOWN if error.retry_after is None else error.retry_after
            self._endpoints.asked_to_wait(number, now + wait)
            if len(self._transports) > 1:
                error.retry_after = self._endpoints.opens_in(now)
                error.elsewhere = not error.retry_after
        elif error.retryable:
            self._endpoints.failed(number, now)
        else:
            self._endpoints.answered(number)
