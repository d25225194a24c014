"""A pool's model: requests are written in its provider's form and go to one of its endpoints."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from data_designer import errors
from data_designer.models.bodies import shown
from data_designer.models.endpoints import Endpoints
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, quoted
from data_designer.models.model import DEFAULT_TIMEOUT
from data_designer.models.proxies import proxy_for
from data_designer.models.rate_limit_headers import pause, retry_after
from data_designer.models.transport import Transport
from data_designer.models.wires import wire_to
from data_designer.plan.model import Pool
from data_designer.values import ImageResponse, Request, Response

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_COOLDOWN = 1.0
"""Seconds for which one of several endpoints is left alone that refuses without saying for how long."""


_LONGEST_PAUSE = 60.0
"""Seconds for which a good reply can have one of several endpoints left alone; beyond, it has to refuse."""
_SHOWN_USAGE = 200
"""Characters of a usage that are shown."""


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
        self._subject = pool.subject
        self._session, self._most = session, provider.max_reply_bytes
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
        self._told_of_usage = False
        self._endpoints = Endpoints(len(self._transports))
        self._clock = clock

    async def ask(self, request: Request) -> Response:
        """Get one reply. Raises ModelError where the endpoint refused or failed, named by kind."""
        body = self._encode(request)
        number = self._endpoints.choose(self._clock())
        transport = self._transports[number]
        try:
            response, wait = await self._answer(transport, body)
        except errors.ModelError as error:
            self._learn(number, error)
            raise
        except BaseException:
            self._endpoints.given_up(number)
            raise
        if wait is None or len(self._transports) == 1:
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

    async def _answer(self, transport: Transport, body: bytes) -> tuple[Response, float | None]:
        """A reply, and for how long its endpoint wants to be left alone."""
        try:
            data, headers = await transport.post(body)
            response = self._parse(transport, data, headers)
            if isinstance(response, ImageResponse) and response.links:
                response = await self._with_linked(transport, response)
            return response, pause(headers)
        except errors.ModelError:
            raise
        except Exception as error:
            # Whatever is in a reply that nobody thought of: it is this reply that is none.
            what = f"the reply cannot be read ({type(error).__name__}: {error})"
            raise transport.error(errors.ModelInvalidReplyError, what) from error

    async def _with_linked(self, transport: Transport, response: ImageResponse) -> ImageResponse:
        """The same with the images that it only gives the addresses of."""
        from data_designer.models.downloads import fetched

        try:
            further = await fetched(response.links, self._session, self._most)
        except errors.ModelInvalidReplyError as error:
            raise transport.error(type(error), str(error)) from None
        return replace(response, images=(*response.images, *further), links=())

    def _parse(self, transport: Transport, data: object, headers: Mapping[str, str]) -> Response:
        try:
            response = self._wire.parse(data)
        except UnreadableError as error:
            wait = None if error.status is None else retry_after(error.status, headers)
            what = str(error) if isinstance(error, ErrorInReplyError) else f"{error}: {quoted(shown(data))}"
            raise transport.error(error.kind, what, wait, error.status) from None
        if not (response.counted or self._told_of_usage):
            self._tell_of_usage(data)
        return response

    def _tell_of_usage(self, data: object) -> None:
        """Say once what is odd about the counts, where there are some."""
        usage = data.get(self._wire.usage_field) if isinstance(data, dict) else None
        if usage is not None:
            self._told_of_usage = True
            said = quoted(shown(usage))[:_SHOWN_USAGE]
            logger.warning("%s gives a usage that cannot be true, which counts as none: %s", self._subject, said)

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
