"""Rows whose requests always fail, with caps, budgets and the breaker around them, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from tests.engine.execution.virtual_cluster import MINUTE, Server, Site, busiest
from tests.models.fakes import REPLY, request

import data_designer.config as dd
from data_designer.engine.execution.recording import Recording, RowAsks
from data_designer.models.retry import Keep
from data_designer.plan.model import Geometry
from data_designer.values import Request, Response

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]
REPLICAS = pytest.mark.parametrize("replicas", [1, 3])
GREETED = pytest.mark.parametrize("greeted", [True, False])
PROVIDER = dd.ModelProvider(name="p", endpoint="http://localhost:1")
RECORDS = 60


def one_column(greeted: bool = True, **limits: int) -> dd.DataDesignerConfigBuilder:
    """A column about a random word of 16 hexadecimal digits."""
    inference = dd.ChatCompletionInferenceParams(max_parallel_requests=6, max_tokens=60, **limits)
    model = dd.ModelConfig(
        alias="m", model="m", provider="p", skip_health_check=not greeted, inference_parameters=inference
    )
    made = dd.DataDesignerConfigBuilder(model_configs=[model])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="t", column_type="llm-text", model_alias="m", prompt="a {{ id }}")
    return made


def is_bad(prompt: str) -> bool:
    """An eighth of the rows."""
    return prompt.startswith("a ") and prompt[-1] in "07"


def ended(site: Site) -> tuple[int, int, int]:
    """Records generated, rejected and left undone."""
    receipts = list(site.store.receipts())
    unfinished = sum(stop - start for receipt in receipts for start, stop in receipt.unfinished)
    return site.generated, sum(receipt.rejected for receipt in receipts), unfinished


@REPLICAS
@GREETED
def test_they_are_rejected_and_hold_nothing_up(replicas: int, greeted: bool, in_virtual_time: InVirtualTime) -> None:
    """The run ends soon, a resume has nothing to ask, and all that was asked is accounted for, probes too."""

    async def scenario() -> None:
        site = Site(Server(breaks=is_bad), replicas)
        report = await site.make(one_column(greeted), RECORDS, PROVIDER)
        generated, rejected, unfinished = ended(site)
        assert report.stop_reason is None
        assert (generated + rejected, unfinished) == (RECORDS, 0)
        assert rejected > 2
        asked = len(site.server.asked)
        assert site.server.asked[-1].at - site.server.asked[0].at < 5 * MINUTE
        spent = [spending.usage for receipt in site.store.receipts() for spending in receipt.spent.values()]
        assert sum(usage.requests + usage.failed_requests for usage in spent) == asked
        assert sum(usage.requests for usage in spent) > generated
        assert site.server.peak_of_all <= 6
        await site.make(one_column(greeted), RECORDS, PROVIDER)
        assert len(site.server.asked) == asked

    in_virtual_time(scenario())


@REPLICAS
def test_a_budget_holds_with_their_probes(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Each is a request that is paid for; with more of it the rest is made."""

    async def scenario() -> None:
        site = Site(Server(breaks=is_bad), replicas)
        stopped = await site.make(one_column(), RECORDS, PROVIDER, budget=dd.Budget(requests=70))
        assert "of 70 requests" in (stopped.stop_reason or "")
        assert len(site.server.asked) <= 70
        resumed = await site.make(one_column(), RECORDS, PROVIDER, budget=dd.Budget(requests=1000))
        assert resumed.stop_reason is None
        assert sum(ended(site)) == RECORDS
        assert len(site.server.asked) <= 1000

    in_virtual_time(scenario())


@REPLICAS
def test_a_rate_holds_with_their_probes(replicas: int, in_virtual_time: InVirtualTime) -> None:
    """Over all replicas."""

    async def scenario() -> None:
        site = Site(Server(breaks=is_bad), replicas)
        await site.make(one_column(requests_per_minute=60), RECORDS, PROVIDER)
        assert ended(site)[2] == 0
        assert busiest((one.at, 1) for one in site.server.asked) <= 60

    in_virtual_time(scenario())


@REPLICAS
@GREETED
def test_an_endpoint_that_dies_among_them_stops_the_run_resumably(
    replicas: int, greeted: bool, in_virtual_time: InVirtualTime
) -> None:
    """Nothing is rejected for it; when it is back, the rest is made and only the bad rows are rejected."""

    async def scenario() -> None:
        site = Site(Server(breaks=is_bad, down_after=1003.0), replicas)
        report = await site.make(one_column(greeted), RECORDS, PROVIDER, outage_patience=60.0)
        assert "has been failing for" in (report.stop_reason or "")
        assert ended(site)[1] == 0
        site.server.down_after = float("inf")
        report = await site.make(one_column(greeted), RECORDS, PROVIDER, outage_patience=60.0)
        generated, rejected, unfinished = ended(site)
        assert (report.stop_reason, generated + rejected, unfinished) == (None, RECORDS, 0)
        assert 2 < rejected < RECORDS / 3

    in_virtual_time(scenario())


def test_where_every_row_is_bad_the_breaker_trips(in_virtual_time: InVirtualTime) -> None:
    """A greeting that is answered makes no endpoint of use."""

    async def scenario() -> None:
        site = Site(Server(breaks=lambda prompt: prompt.startswith("a ")))
        run = {"shutdown_error_rate": 0.5, "shutdown_error_window": 10}
        report = await site.make(one_column(), RECORDS, PROVIDER, **run)
        assert report.tripped_column == "t"
        assert site.generated == 0

    in_virtual_time(scenario())


def test_an_endpoint_that_fails_half_of_the_time_rejects_nothing(in_virtual_time: InVirtualTime) -> None:
    """Chance is not taken for fault."""

    async def scenario() -> None:
        site = Site(Server(error_rate=0.5))
        await site.make(one_column(), RECORDS, PROVIDER)
        assert ended(site) == (RECORDS, 0, 0)

    in_virtual_time(scenario())


def test_a_request_whose_reply_is_in_the_journal_is_remembered() -> None:
    """A model that is not to be greeted can be asked it once more."""
    one, other = request("known"), request("new")
    known, remembered, asked = SimpleNamespace(reply=lambda _, given: REPLY if given is one else None), [], []

    async def ask(given: Request, _: Keep, __: str) -> Response:
        asked.append(given)
        return REPLY

    async def scenario() -> None:
        caller = SimpleNamespace(ask=ask, remember=remembered.append)
        row = RowAsks(caller, 0, Recording(None, Geometry(1, 1), "r"), [known])
        for given in (one, other):
            await row.of("t", "fingerprint")(given)

    asyncio.run(scenario())
    assert (remembered, asked) == ([one], [other])
