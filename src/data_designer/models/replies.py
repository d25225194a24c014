"""Reads replies as a pool's wire has them, and names what is wrong with one; however they came."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from data_designer import errors
from data_designer.models.bodies import shown
from data_designer.models.error_mapping import ErrorInReplyError, UnreadableError, quoted
from data_designer.models.rate_limit_headers import pause, retry_after
from data_designer.models.wire import Wire
from data_designer.values import ImageResponse, Response

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_SHOWN_USAGE = 200
"""Characters of a usage that are shown."""

Named: TypeAlias = Callable[[type[errors.ModelError], str, float | None, int | None], errors.ModelError]
"""An error of a kind that says where and what, for how many seconds to stay away, and the HTTP status."""


class Replies:
    """Reads the replies of one pool's model.

    Args:
        wire: what they look like.
        subject: names the model in the log.
        most: bytes that an image may have which is fetched for one.
    """

    def __init__(self, wire: Wire, subject: str, most: int) -> None:
        self._wire = wire
        self._subject = subject
        self._most = most
        self._told_of_usage = False

    async def read(
        self, data: object, headers: Mapping[str, str], session: "aiohttp.ClientSession | None", error: Named
    ) -> tuple[Response, float | None]:
        """A reply, and for how long its endpoint wants to be left alone.

        Args:
            data: the JSON of its body.
            headers: of it.
            session: connections through which images are fetched that it only gives the addresses of; None for others
                than its own.
            error: names what is wrong.

        Raises:
            ModelError: it is no reply.
        """
        try:
            response = self._parse(data, headers, error)
            if isinstance(response, ImageResponse) and response.links:
                response = await self._with_linked(response, session, error)
            return response, pause(headers)
        except errors.ModelError:
            raise
        except Exception as strange:
            # Whatever is in a reply that nobody thought of: it is this reply that is none.
            what = f"the reply cannot be read ({type(strange).__name__}: {strange})"
            raise error(errors.ModelInvalidReplyError, what, None, None) from strange

    def _parse(self, data: object, headers: Mapping[str, str], error: Named) -> Response:
        try:
            response = self._wire.parse(data)
        except UnreadableError as unreadable:
            status = unreadable.status
            wait = None if status is None else retry_after(status, headers)
            is_said = isinstance(unreadable, ErrorInReplyError)
            what = str(unreadable) if is_said else f"{unreadable}: {quoted(shown(data))}"
            raise error(unreadable.kind, what, wait, status) from None
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

    async def _with_linked(
        self, response: ImageResponse, session: "aiohttp.ClientSession | None", error: Named
    ) -> ImageResponse:
        """The same with the images that it only gives the addresses of."""
        from data_designer.models.downloads import fetched
        from data_designer.models.http_sessions import shared_session

        try:
            if session is not None:
                further = await fetched(response.links, session, self._most)
            else:
                async with shared_session() as own:
                    further = await fetched(response.links, own, self._most)
        except errors.ModelInvalidReplyError as failure:
            raise error(type(failure), str(failure), None, None) from None
        return replace(response, images=(*response.images, *further), links=())
