"""Carries JSON to a server and back over HTTP, and names every way in which that can fail."""

import asyncio
import os
from collections.abc import Mapping
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from data_designer import errors
from data_designer.config.models import LARGEST_REPLY
from data_designer.models.addresses import SECRET, base_of, secrets_of, server_of, shown
from data_designer.models.bodies import LargeBodyError, decoded
from data_designer.models.error_mapping import CURES, SERVICE_CURES, quoted, refusal_of, worded
from data_designer.models.prepared_post import PreparedPost

_SHORTEST_SECRET = 8
_SHORTEST_KEY = 4
_SHORTEST_PASSWORD = 4
_EVENTS = "text/event-stream"
_STREAMED = (
    "the reply is a stream of server-sent events, which nobody asked for: take `stream` out of extra_body, or use an "
    "address of the server that answers at once"
)
_VARIABLES = "see the variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY"

_NOT_THERE = (404, 405, 410)
_NO_KEY = "no key was sent: give the provider an api_key, the name of the environment variable that holds it"


class Transport:
    """The way to one address.

    Args:
        url: where requests are posted.
        headers: sent with each of them; names in lower case.
        subject: names the model in errors.
        session: the connections.
        timeout: seconds until a request is given up.
        most: bytes that a reply may have.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        subject: str,
        session: aiohttp.ClientSession,
        timeout: float,
        most: int = LARGEST_REPLY,
    ) -> None:
        self._url = url
        self._server = server_of(url)
        self._headers = headers
        if "authorization" in headers:
            # A user and password in the address would contradict the header, and aiohttp refuses both together.
            parts = urlsplit(url)
            self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._subject = subject
        self._session = session
        self._timeout = timeout
        self._most = most
        self._proxy: str | None = None
        self._prepared: PreparedPost | None = None
        self._cures, self._roomier = CURES, "; raise the provider's max_reply_bytes if it may be"
        self._secrets = _secrets(headers, url)

    def through(self, proxy: str | None) -> Self:
        """The same by way of a proxy, given by its URL; None for none."""
        self._proxy = proxy
        self._secrets = _secrets(self._headers, self._url, proxy or "")
        return self

    def to_service(self) -> Self:
        """The same to what is no model: what is advised where it fails is another thing."""
        self._cures, self._roomier = SERVICE_CURES, ""
        return self

    @property
    def server(self) -> str:
        """Scheme, host and port of the address, without credentials."""
        return self._server

    async def post(self, body: bytes, timeout: float | None = None) -> tuple[object, Mapping[str, str]]:  # noqa: ASYNC109
        """Post JSON; gives the JSON that came back, and its headers.

        Args:
            body: what is posted.
            timeout: seconds until it is given up, where that is another time than usual.

        Raises:
            ModelError: the server refused or failed, named by kind.
        """
        status, headers, content = await self._sent(body, timeout or self._timeout)
        if not 200 <= status < 300:
            kind, what, wait = refusal_of(status, headers, content)
            raise self.error(kind, f"{what}{self._redirected(status, headers)}", wait, status)
        try:
            return decoded(content), headers
        except ValueError:
            if is_streamed(content, headers):
                raise self.error(errors.ModelAPIError, f"{_STREAMED}: {quoted(content)}") from None
            what = f"the reply is no JSON: {quoted(content)}" if content.strip() else "the reply is empty"
            raise self.error(errors.ModelInvalidReplyError, what) from None

    async def _sent(self, body: bytes, seconds: float) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of whatever comes back. Raises ModelError where nothing whole does."""
        try:
            if self._prepared is None:
                self._prepared = PreparedPost(self._url, self._headers, self._session, self._proxy)
            # No redirect is followed: it would turn the POST into a GET, or carry the prompt to a host nobody named.
            async with asyncio.timeout(seconds):
                return await self._prepared.send(body, self._most)
        except TimeoutError:
            raise self.error(errors.ModelTimeoutError, f"no reply within {seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise self.error(errors.ModelAPIConnectionError, self._unreachable(error)) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
            text = f"the connection broke before the reply was complete ({type(error).__name__}: {error})"
            raise self.error(errors.ModelAPIConnectionError, text) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            # Not chained: its text holds the whole address, and with it a password that the address may hold.
            text = "the endpoint is no address; write it as http://host:port/v1 or https://host/v1"
            raise self.error(errors.ModelAPIError, text) from None
        except aiohttp.ClientHttpProxyError as error:
            text = f"the proxy {server_of(self._proxy or '')} leads no further (HTTP {error.status}): {_VARIABLES}"
            raise self.error(errors.ModelAPIConnectionError, text) from None
        except LargeBodyError:
            text = f"the reply is larger than {self._most:,} bytes{self._roomier}"
            raise self.error(errors.ModelInvalidReplyError, text) from None
        except Exception as error:
            # Whatever a server sends, and whatever that does to the library that reads it, is no reply.
            raise self.error(errors.ModelInvalidReplyError, f"{type(error).__name__}: {error}") from error

    def _unreachable(self, error: aiohttp.ClientConnectorError) -> str:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return (
                f"the certificate of {self._server} is not trusted ({error.certificate_error}): where it is one of "
                "your own, name a file with that of its issuer in SSL_CERT_FILE"
            )
        cause = error.os_error
        number = cause.errno or 0
        why = os.strerror(number) if number > 0 else cause.strerror or cause
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            return f"the proxy {server_of(self._proxy or '')} does not answer ({why}): {_VARIABLES}"
        return f"nothing answers at {self._server} ({why})"

    def _redirected(self, status: int, headers: Mapping[str, str]) -> str:
        """Where a request is sent on to, which is for the user to follow: others are not to read the prompt."""
        location = headers.get("location")
        if not location or not 300 <= status < 400:
            return ""
        target = urljoin(self._url, location)
        return f"; it sends requests on to {shown(target)}: make the provider's endpoint {shown(base_of(target))}"

    def error(
        self,
        kind: type[errors.ModelError],
        what: str,
        wait: float | None = None,
        status: int | None = None,
    ) -> errors.ModelError:
        """An error that names the model, the server, what happened and what can be done; without secrets."""
        # Where nothing is there, it is the path that is wrong.
        place = shown(self._url) if status in _NOT_THERE else self._server
        for secret in self._secrets:
            place = place.replace(secret, "***")
        cure = self._cures.get(kind)
        # A service that is no model has no key of ours.
        if cure is not None and kind is errors.ModelAuthenticationError and not any(map(SECRET.search, self._headers)):
            cure = _NO_KEY
        return kind(worded(f"{self._subject} at {place}", what, cure, self._secrets), wait, status)


def is_streamed(content: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a reply came as server-sent events."""
    return headers.get("content-type", "").startswith(_EVENTS) or content.lstrip().startswith((b"data:", b"event:"))


def _secrets(headers: Mapping[str, str], *urls: str) -> tuple[str, ...]:
    """What no message may repeat: keys, passwords, headers long enough to be one; a longer one before its parts."""
    private = {name: value for name, value in headers.items() if not name.endswith(("-type", "-version"))}
    found = {value for value in private.values() if len(value) >= _SHORTEST_SECRET}
    keys = {value.removeprefix("Bearer ") for name, value in private.items() if SECRET.search(name)}
    # What is shorter, as local servers take it, is no secret and part of many words.
    found |= {key for key in keys if len(key) >= _SHORTEST_KEY}
    found |= {one for url in urls for one in secrets_of(url) if len(one) >= _SHORTEST_PASSWORD}
    return tuple(sorted(filter(None, found), key=len, reverse=True))
