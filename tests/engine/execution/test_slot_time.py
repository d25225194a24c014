"""What the slots of real replicas do, as accounts of slot time, in virtual time: what is planted is what is found."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.engine.execution.virtual_cluster import Server, Site
from tests.fakes import model, provider
from tests.plans import texts

import data_designer.config as dd
from data_designer.engine.protocol.slot_time import Account, AliasAccounts

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]


def of(one: AliasAccounts) -> dict[str, float]:
    """Shares of an alias's slot time by account; they sum to one."""
    assert sum(one.seconds.values()) == pytest.approx(one.slot_seconds, rel=0.01)
    return {account.value: one.seconds.get(account, 0.0) / one.slot_seconds for account in Account}


def largest(one: AliasAccounts) -> str:
    """The account that has most, but for asking."""
    shares = of(one)
    return max(shares.keys() - {"asking"}, key=shares.__getitem__)


def one_model(**limits: Any) -> dd.DataDesignerConfigBuilder:
    """A text of one model with eight slots."""
    return texts([model("a", max_parallel_requests=8, **limits)], x=("a", "{{ id }}"))


async def made(site: Site, records: int, declared: dd.DataDesignerConfigBuilder) -> AliasAccounts:
    """Make a dataset; gives the accounts of its model."""
    await site.make(declared, records, provider("http://localhost:1"))
    assert site.generated == records
    assert site.accounts is not None
    return site.accounts.read().aliases["a"]


@pytest.mark.parametrize("replicas", [1, 3])
def test_slots_ask_as_long_as_the_server_has_requests_in_flight(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """By the server's own count."""

    async def scenario() -> None:
        site = Site(Server(latency=0.5), replicas)
        one = await made(site, 400, one_model())
        assert one.seconds[Account.ASKING] == pytest.approx(site.server.busy, rel=0.01)
        assert (one.requests, one.failed_requests, one.refused, one.lowest_limit) == (400, 0, 0, None)
        of(one)

    in_virtual_time(scenario())


@pytest.mark.parametrize("replicas", [1, 3])
def test_slots_are_held_where_the_endpoint_wants_fewer_requests(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """It refuses with 429."""

    async def scenario() -> None:
        one = await made(Site(Server(latency=0.1, per_minute=200), replicas), 500, one_model())
        assert largest(one) == "held"
        assert of(one)["held"] > 0.5
        assert one.refused == one.failed_requests > 0
        assert one.lowest_limit is not None
        assert one.lowest_limit < 8

    in_virtual_time(scenario())


def test_slots_are_held_where_a_rate_is_given(in_virtual_time: InVirtualTime) -> None:
    """Nothing is refused: requests wait here."""

    async def scenario() -> None:
        one = await made(Site(Server(latency=0.1)), 100, one_model(requests_per_minute=60))
        assert of(one)["held"] > 0.9
        assert not one.refused

    in_virtual_time(scenario())


def test_slots_are_down_while_the_endpoint_answers_nothing(in_virtual_time: InVirtualTime) -> None:
    """For a minute and a half of a run that takes half a minute otherwise; then each waits for its next try."""

    async def scenario() -> None:
        site = Site(Server(latency=0.5, down_after=1010.0, up_after=1100.0), 1)
        one = await made(site, 400, one_model())
        assert largest(one) == "down"
        assert 8 * 60 < one.seconds[Account.DOWN] < 8 * 100
        assert of(one)["held"] < 0.1 * of(one)["down"]

    in_virtual_time(scenario())


def test_slots_are_held_where_some_requests_fail(in_virtual_time: InVirtualTime) -> None:
    """The endpoint is not down: it answers others meanwhile."""

    async def scenario() -> None:
        one = await made(Site(Server(latency=0.2, error_rate=0.3), 1), 400, one_model())
        assert of(one)["down"] < 0.2 * of(one)["held"]
        assert one.failed_requests > 100

    in_virtual_time(scenario())
