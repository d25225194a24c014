"""URLs of models: where a route of an endpoint lies, and how an endpoint is named without its secrets."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

_ROUTES = ("/chat/completions", "/completions", "/responses", "/embeddings", "/images/generations", "/messages")
"""What users copy along with an endpoint; longer ones first."""
SECRET = re.compile(r"key|token|secret|sig|pass|auth|code|credential", re.IGNORECASE)
"""Names of headers, and in a query, that carry a secret."""


def base_of(url: str) -> str:
    """An endpoint's own path, where a URL is that of one of its routes; its query stays."""
    parts = urlsplit(url.strip())
    path = parts.path.rstrip("/")
    route = next((one for one in _ROUTES if path.endswith(one)), "")
    return parts._replace(path=path.removesuffix(route), fragment="").geturl()


def joined(endpoint: str, route: str, version: str = "") -> str:
    """Where a route of an endpoint lies.

    Args:
        endpoint: as users write it: with a slash at its end or not, with a query, or that of a route itself.
        route: begins with a slash.
        version: what comes before the route where the endpoint does not end with it.
    """
    parts = urlsplit(endpoint.strip())
    path = parts.path.rstrip("/")
    if not path.endswith(route):
        parts = urlsplit(base_of(endpoint))
        path = f"{parts.path}{'' if parts.path.endswith(version) else version}{route}"
    return parts._replace(path=path, fragment="").geturl()


def server_of(url: str) -> str:
    """Scheme, host and port, without the credentials that a URL may carry."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url.rpartition("@")[2].partition("?")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def shown(url: str) -> str:
    """The same with its path."""
    return server_of(url) + urlsplit(url).path if "://" in url else server_of(url)


def secrets_of(url: str) -> Iterator[str]:
    """A password, and keys in the query, as they stand there and as they are meant."""
    parts = urlsplit(url)
    if parts.password:
        yield from (parts.password, unquote(parts.password))
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if SECRET.search(name):
            yield from (value, *(meant for _, meant in parse_qsl(pair)))
