"""Tests are held to what they say that they need."""

import contextlib
import os
import socket

import pytest
from tests.tiers import PERMITS, Guard, Tier


@pytest.mark.parametrize(
    ("event", "needed"),
    [("socket.bind", Tier.INLINE), ("socket.connect", Tier.INLINE), ("subprocess.Popen", Tier.PROCESS)],
)
def test_who_does_more_than_its_tier_allows_is_told_what_to_ask_for(event: str, needed: Tier) -> None:
    """Also where what is raised is swallowed; who asked for it may do it."""
    guard = Guard()
    permit = next(name for name, tier in PERMITS.items() if tier is needed)
    for tier in Tier:
        with contextlib.ExitStack() as exits:
            if tier < needed:
                exits.enter_context(pytest.raises(AssertionError, match=f"it must use the fixture `{permit}`"))
            with guard.watching(tier), contextlib.suppress(RuntimeError):
                guard(event, ())
    guard(event, ())  # Nothing is watched between tests.


def test_the_guard_is_at_work() -> None:
    """A socket is refused to a test that did not ask for one, and refused before it is opened."""
    with socket.socket() as one, pytest.raises(RuntimeError, match="it must use the fixture `sockets`"):
        one.bind(("127.0.0.1", 0))
    from tests.conftest import _GUARD

    _GUARD._seen.clear()


@pytest.mark.usefixtures("clusters")
def test_tests_of_one_cluster_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    """Where several processes run tests, the name of such a test says with which others it stays."""
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@tests/test_tiers.py")
