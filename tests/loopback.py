"""Servers of the tests on this machine: a port for one, and one that forgets."""

import itertools
import os
import socket
import urllib.request
from contextlib import suppress

_FIRST, _SHARE = 61_000, 500
"""Ports above those that Linux gives by itself, of which each process that runs tests has a share."""
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 9
_PORTS = itertools.cycle(_FIRST + _SHARE * _WORKER + (os.getpid() + number) % _SHARE for number in range(_SHARE))


def free_port() -> int:
    """A port that nobody listens at, and that nobody else is given until it is used."""
    for port in itertools.islice(_PORTS, _SHARE):
        with suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def forgetful(url: str) -> str:
    """Make a simulated model forget what it was asked, so that it answers as it did the first time."""
    with urllib.request.urlopen(url.replace("/v1", "/reset"), data=b"") as reply:  # noqa: S310 - a loopback address
        reply.read()
    return url
