"""Carries JSON to a server and back over HTTP, and names every way in which that can fail."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp

from data_designer import errors
from data_designer.config.models import LARGEST_REPLY
from data_designer.models.bodies import LargeBodyError, content_of, decoded
from data_designer.models.ratelimits import retry_after
from data_designer.models.refusals import CURES, kind_of, quoted, signs_of, words_of

_LONGEST_QUOTE = 500
_SHORTEST_SECRET = 8
_SHORTEST_PASSWORD = 4
_KEYS = ("authorization", "x-api-key")
_PUBLIC = ("content-type", "anthropic-version")


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
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._most = most
        self._secrets = _secrets(headers, url)

    async def post(self, body: bytes) -> tuple[Any, Mapping[str, str]]:
        """Post JSON; gives the JSON that came back, and its headers.

        Raises:
            ModelError: the server refused or failed, named by kind.
        """
        try:
            # A redirect would turn the POST into a GET, or carry the prompt to a host nobody named.
            async with self._session.post(
                self._url, data=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            ) as reply:
                content = await content_of(reply, self._most)
        except TimeoutError:
            raise self.error(errors.ModelTimeoutError, f"no reply within {self._timeout.total:g} s") from None
        except aiohttp.ClientConnectorError as error:
            text = f"nothing answers at {self._server} ({error.os_error.strerror or error.os_error})"
            raise self.error(errors.ModelAPIConnectionError, text) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
            text = f"the connection broke before the reply was complete ({type(error).__name__}: {error})"
            raise self.error(errors.ModelAPIConnectionError, text) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            # Not chained: its text holds the whole address, and with it a password that the address may hold.
            text = "the endpoint is no address; write it as http://host:port/v1 or https://host/v1"
            raise self.error(errors.ModelAPIError, text) from None
        except LargeBodyError:
            text = f"the reply is larger than {self._most:,} bytes; raise the provider's max_reply_bytes if it may be"
            raise self.error(errors.ModelInvalidReplyError, text) from None
        except Exception as error:
            # Whatever a server sends, and whatever that does to the library that reads it, is no reply.
            raise self.error(errors.ModelInvalidReplyError, f"{type(error).__name__}: {error}") from error
        if not 200 <= reply.status < 300:
            kind = kind_of(reply.status, signs_of(content))
            wait = retry_after(reply.status, reply.headers)
            raise self.error(kind, f"HTTP {reply.status}: {words_of(content)}", wait, reply.status)
        try:
            return decoded(content), reply.headers
        except ValueError:
            what = f"the reply is no JSON: {quoted(content)}" if content.strip() else "the reply is empty"
            raise self.error(errors.ModelInvalidReplyError, what) from None

    def error(
        self,
        kind: type[errors.ModelError],
        what: str,
        wait: float | None = None,
        status: int | None = None,
    ) -> errors.ModelError:
        """An error that names the model, the server, what happened and what can be done; without secrets."""
        for secret in self._secrets:
            what = what.replace(secret, "***")
        if len(what) > _LONGEST_QUOTE:
            what = f"{what[:_LONGEST_QUOTE]}…"
        cure = CURES.get(kind)
        return kind(f"{self._subject} at {self._server}: {what}{f'; {cure}' if cure else ''}", wait, status)


def server_of(url: str) -> str:
    """Scheme, host and port, without the credentials that a URL may carry."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url.rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _secrets(headers: Mapping[str, str], url: str) -> tuple[str, ...]:
    """What no message may repeat: keys, passwords, headers long enough to be one; a longer one before its parts."""
    found = {value for name, value in headers.items() if name not in _PUBLIC and len(value) >= _SHORTEST_SECRET}
    found |= {headers[name].removeprefix("Bearer ") for name in _KEYS if name in headers}
    password = urlsplit(url).password or ""
    found |= {password, unquote(password)} if len(password) >= _SHORTEST_PASSWORD else set()
    return tuple(sorted(filter(None, found), key=len, reverse=True))
