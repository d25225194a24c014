"""Metrics are served on the loopback while a dataset is made."""

import urllib.error
import urllib.request
from typing import Any

import pytest
from tests.loopback import free_port

from data_designer.interface.metrics_server import serving


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens at."""
    return free_port()


def fetched(url: str) -> tuple[int, str]:
    """Status and text."""
    try:
        with urllib.request.urlopen(url) as reply:  # noqa: S310 - the loopback
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.usefixtures("sockets")
def test_they_are_served_on_the_loopback_while_a_dataset_is_made(unused_port: int) -> None:
    """And not a moment longer."""
    with serving(lambda: "it 1\n", unused_port):
        assert fetched(f"http://127.0.0.1:{unused_port}/metrics") == (200, "it 1\n")
        assert fetched(f"http://127.0.0.1:{unused_port}/")[0] == 404
    with pytest.raises(urllib.error.URLError):
        fetched(f"http://127.0.0.1:{unused_port}/metrics")


@pytest.mark.usefixtures("sockets")
def test_a_port_that_is_taken_stops_nobody(unused_port: int) -> None:
    """Two runs at once on one machine."""
    with serving(lambda: "first\n", unused_port), serving(lambda: "second\n", unused_port):
        assert fetched(f"http://127.0.0.1:{unused_port}/metrics") == (200, "first\n")


def test_no_port_is_no_server() -> None:
    """`otel_metrics_port=None`."""
    entered: list[Any] = []
    with serving(lambda: "", None):
        entered.append(1)
    assert entered
