"""The connections of a process to the servers of its models, and which certificates they trust."""

import logging
import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import aiohttp

logger = logging.getLogger(__name__)

_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a file of certificates to trust; the first that is set counts."""
_FOLDER = "SSL_CERT_DIR"


def open_session() -> aiohttp.ClientSession:
    """Connections without a limit of their own: how many requests are in flight is decided elsewhere."""
    context = trusted(os.environ)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=True if context is None else context)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def trusted(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """What is trusted where the environment says so; None for what this machine trusts anyway."""
    name = next((name for name in _FILES if environment.get(name)), _FOLDER)
    return _context(name, environment.get(name) or "", environment.get(_FOLDER) or None)


@lru_cache(maxsize=4)
def _context(name: str, path: str, folder: str | None) -> ssl.SSLContext | None:
    if not path:
        return None
    is_folder = Path(path).is_dir()
    try:
        return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else folder)
    except OSError as error:
        logger.warning(
            "%s names '%s', which cannot be read as certificates (%s): those of this machine are trusted instead",
            name,
            path,
            error,
        )
        return None
