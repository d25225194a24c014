"""Limits hold over all replicas, by the count of the server that is asked, in virtual time."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.engine.execution.virtual_cluster import MINUTE, Server, Site, busiest

import data_designer.config as dd

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]

REPLICAS = pytest.mark.parametrize("replicas", [1, 4])
SLOTS = 8
REPLY = 60
"""Tokens of a reply that the model is allowed; its replies are a little shorter."""


def story(*aliases: str, providers: str = "", **limits: int) -> dd.DataDesignerConfigBuilder:
    """A chain of text columns, each of an alias of its own.

    Args:
        aliases: of the models, which have the same names.
        providers: a letter for the provider of each; all have `p` where nothing is said.
        limits: of each alias.
    """
    made = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias=alias,
                model=alias,
                provider=name,
                price=dd.Price(input=1.0, output=1.0),
                inference_parameters=dd.ChatCompletionInferenceParams(
                    max_parallel_requests=SLOTS, max_tokens=REPLY, **limits
                ),
            )
            for alias, name in zip(aliases, providers or "p" * len(aliases), strict=True)
        ]
    )
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    before = "id"
    for alias in aliases:
        made.add_column(name=f"by_{alias}", column_type="llm-text", model_alias=alias, prompt=f"a {{{{ {before} }}}}")
        before = f"by_{alias}"
    return made


def provider(name: str = "p", cap: int | None = None) -> dd.ModelProvider:
    """A provider; who stands at the seam has no address."""
    return dd.ModelProvider(name=name, endpoint="http://localhost:1", max_parallel_requests=cap)


@REPLICAS
def test_two_aliases_have_their_slots_each(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Each uses all of its own slots and never more, whoever else asks the same server."""

    async def scenario() -> None:
        site = Site(replicas=replicas)
        await site.make(story("one", "two"), 100, provider())
        assert site.generated == 100
        assert site.server.peak == {"one": SLOTS, "two": SLOTS}
        assert site.server.peak_of_all > SLOTS
        assert len({one.by for one in site.server.asked}) == 2 * replicas

    in_virtual_time(scenario())


@REPLICAS
@pytest.mark.parametrize("cap", [1, 10])
def test_a_provider_s_cap_is_that_of_all_its_aliases(replicas: int, cap: int, in_virtual_time: InVirtualTime) -> None:
    """Three aliases of eight slots share it: all of it is used and never more, and each of them gets on."""

    async def scenario() -> None:
        site = Site(replicas=replicas)
        await site.make(story("one", "two", "three"), 60, provider(cap=cap))
        assert site.generated == 60
        assert site.server.peak_of_all == cap
        for model in ("one", "two", "three"):
            assert len(site.server.of(model)) == 60
            assert site.server.peak[model] <= min(SLOTS, cap)

    in_virtual_time(scenario())


@REPLICAS
def test_the_cap_of_one_provider_is_not_another_s(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Two providers at one server: one is held to its cap, the other to its alias's slots."""

    async def scenario() -> None:
        site = Site(replicas=replicas)
        await site.make(story("two", "one", providers="qp"), 60, provider("p", cap=3), provider("q"))
        assert site.generated == 60
        assert site.server.peak == {"one": 3, "two": SLOTS}

    in_virtual_time(scenario())


# --- rates -------------------------------------------------------------------------------------------------------


@REPLICAS
def test_no_minute_holds_more_requests_than_it_may(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """However many processes share the rate, any minute holds it and hardly less; at once go a second's worth."""
    limit = 240

    async def scenario() -> None:
        site = Site(replicas=replicas)
        await site.make(story("paced", requests_per_minute=limit), 600, provider())
        assert site.generated == 600
        sent = [(one.at, 1) for one in site.server.asked]
        assert 0.95 * limit < busiest(sent) <= limit
        for seconds in (1, 2, 10):
            assert busiest(sent, seconds) <= limit / MINUTE * (seconds + 1)

    in_virtual_time(scenario())


@REPLICAS
def test_no_minute_holds_more_tokens_than_it_may(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Tokens in and out; a request may be larger than what a process has saved up, and is then paid off."""
    limit = 12_000

    async def scenario() -> None:
        site = Site(Server(latency=0.1), replicas)
        await site.make(story("frugal", tokens_per_minute=limit), 600, provider())
        assert site.generated == 600
        sent = [(one.at, one.tokens) for one in site.server.asked]
        assert 0.9 * limit < busiest(sent) <= limit
        for seconds in (1, 2, 10):
            assert busiest(sent, seconds) <= limit / MINUTE * (seconds + 1)

    in_virtual_time(scenario())


@REPLICAS
def test_rates_of_two_aliases_are_two_rates(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Each is held to its own, whatever the other sends to the same server."""
    limit = 60

    async def scenario() -> None:
        site = Site(replicas=replicas)
        builder = story("fast", "slow")
        builder.model_configs[1].inference_parameters.requests_per_minute = limit
        await site.make(builder, 200, provider(), max_concurrent_row_groups=10)
        assert site.generated == 200
        rates = {name: busiest((one.at, 1) for one in site.server.of(name)) for name in ("fast", "slow")}
        assert 0.9 * limit < rates["slow"] <= limit
        assert rates["fast"] > 2 * limit

    in_virtual_time(scenario())


@REPLICAS
def test_a_limit_of_the_server_is_kept_without_its_refusals(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Whoever tells the rate is refused nothing by a server that takes just so much in any minute."""

    async def scenario() -> None:
        site = Site(Server(per_minute=120), replicas)
        await site.make(story("strict", requests_per_minute=120), 300, provider())
        assert site.generated == len(site.server.asked) == 300
        assert {one.error for one in site.server.asked} == {None}

    in_virtual_time(scenario())


# --- budgets -----------------------------------------------------------------------------------------------------


@REPLICAS
def test_a_budget_of_requests_is_used_to_the_last_and_never_exceeded(
    replicas: int, in_virtual_time: InVirtualTime
) -> None:
    """Over all replicas of two aliases and all runs; with a larger one the rest is made, and nothing is paid twice."""

    async def scenario() -> None:
        site = Site(replicas=replicas)
        for _ in range(2):
            stopped = await site.make(story("one", "two"), 40, provider(), budget=dd.Budget(requests=50))
            assert "50 of 50 requests" in (stopped.stop_reason or "")
            assert len(site.server.asked) == 50
        assert site.generated < 40
        resumed = await site.make(story("one", "two"), 40, provider(), budget=dd.Budget(requests=80))
        assert (resumed.stop_reason, site.generated) == (None, 40)
        assert len(site.server.asked) == 80

    in_virtual_time(scenario())


@REPLICAS
def test_a_budget_of_usd_is_never_exceeded(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """By the tokens of the server's replies, at a dollar a million of either."""
    usd = 0.004

    async def scenario() -> None:
        site = Site(replicas=replicas)
        stopped = await site.make(story("one", "two"), 60, provider(), budget=dd.Budget(usd=usd))
        assert "of 0.004 USD" in (stopped.stop_reason or "")
        spent = sum(one.tokens for one in site.server.asked) / 1e6
        assert 0.9 * usd < spent <= usd
        assert stopped.spent.usd == pytest.approx(spent)

    in_virtual_time(scenario())


@REPLICAS
def test_errors_count_against_a_budget_of_requests(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """A server that fails often is asked no more often than one may."""

    async def scenario() -> None:
        site = Site(Server(error_rate=0.3), replicas)
        run = {"budget": dd.Budget(requests=40), "disable_early_shutdown": True}
        await site.make(story("shaky"), 60, provider(), **run)
        assert len(site.server.asked) == 40
        assert any(one.error for one in site.server.asked)

    in_virtual_time(scenario())


# --- a replica that nobody reaches any more ----------------------------------------------------------------------


def goes_on_beside_its_successor(server: Server) -> bool:
    """Whether the first replica asked after the one that takes its place had begun to."""
    lost, successor = ([one.at for one in server.asked if one.by == name] for name in ("r000-001", "r000-002"))
    return max(lost) > min(successor)


def test_slots_of_a_lost_replica_are_not_used_twice(in_virtual_time: InVirtualTime) -> None:
    """It goes on until its lease ends, and until then nobody else gets its slots; then they are used again."""

    async def scenario() -> None:
        site = Site(Server(latency=4.0), replicas=2, lost_after=5.0)
        await site.make(story("one"), 200, provider())
        assert site.generated == 200
        assert goes_on_beside_its_successor(site.server)
        assert site.server.peak_of_all == SLOTS

    in_virtual_time(scenario())


def test_the_rate_of_a_lost_replica_is_not_used_twice(in_virtual_time: InVirtualTime) -> None:
    """Its part of the rate is nobody else's until its lease has ended."""
    limit = 240

    async def scenario() -> None:
        site = Site(replicas=2, lost_after=5.0)
        await site.make(story("one", requests_per_minute=limit), 400, provider())
        assert site.generated == 400
        assert goes_on_beside_its_successor(site.server)
        sent = [(one.at, 1) for one in site.server.asked]
        assert 0.95 * limit < busiest(sent) <= limit

    in_virtual_time(scenario())


def test_what_a_lost_replica_had_of_a_budget_is_not_granted_again(in_virtual_time: InVirtualTime) -> None:
    """Nobody knows what it spends of that, so it counts as spent."""

    async def scenario() -> None:
        site = Site(replicas=2, lost_after=5.0)
        stopped = await site.make(story("one"), 400, provider(), budget=dd.Budget(requests=200))
        assert "200 of 200 requests" in (stopped.stop_reason or "")
        assert any(one.by == "r000-002" for one in site.server.asked)
        assert len(site.server.asked) <= 200

    in_virtual_time(scenario())
