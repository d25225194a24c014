"""Servers of the tests on this machine: a port for one, and one that forgets."""

import socket
import urllib.request


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def forgetful(url: str) -> str:
    """Make a simulated model forget what it was asked, so that it answers as it did the first time."""
    with urllib.request.urlopen(url.replace("/v1", "/reset"), data=b"") as reply:  # noqa: S310 - a loopback address
        reply.read()
    return url
