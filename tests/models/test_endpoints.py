"""Several endpoints: the least busy first, those that fail left out and probed back."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.models.fakes import Answer, FakeServer, VirtualTime, pool, request, served

from data_designer.errors import ModelError, ModelInternalServerError, ModelRateLimitError
from data_designer.models.addresses import server_of
from data_designer.models.client import ModelClient
from data_designer.models.endpoints import Endpoints


def choose(endpoints: Endpoints, now: float, times: int) -> list[int]:
    """Which get so many requests, none of which is answered meanwhile."""
    return [endpoints.choose(now) for _ in range(times)]


def sick_and_well(number: int = 2, now: float = 0.0) -> Endpoints:
    """Endpoints of which number 0 has just failed three times in a row, and nothing is outstanding."""
    endpoints = Endpoints(number)
    for _ in range(3):
        chosen = choose(endpoints, now, number)
        assert chosen == list(range(number))
        endpoints.failed(0, now)
        for other in chosen[1:]:
            endpoints.answered(other)
    return endpoints


def test_the_one_with_the_fewest_outstanding_is_next() -> None:
    """Requests are spread evenly, and whoever answers is asked again."""
    endpoints = Endpoints(3)
    assert choose(endpoints, 0.0, 6) == [0, 1, 2, 0, 1, 2]
    endpoints.answered(1)
    endpoints.answered(1)
    endpoints.answered(2)
    assert choose(endpoints, 0.0, 3) == [1, 1, 2]


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=60), st.integers(0, 2**32))
def test_well_endpoints_are_never_more_than_one_apart_while_requests_only_come(
    number: int, asks: list[bool], seed: int
) -> None:
    """Whatever was answered before, the next request goes to one with the least outstanding."""
    endpoints, rng = Endpoints(number), random.Random(seed)
    outstanding = [0] * number
    for ask in asks:
        if ask or not any(outstanding):
            chosen = endpoints.choose(0.0)
            assert outstanding[chosen] == min(outstanding)
            outstanding[chosen] += 1
        else:
            chosen = rng.choice([one for one in range(number) if outstanding[one]])
            endpoints.answered(chosen)
            outstanding[chosen] -= 1


def test_two_failures_in_a_row_change_nothing() -> None:
    """An endpoint may err now and then: an answer in between begins the count anew."""
    endpoints = Endpoints(2)
    for _ in range(5):
        for well in (False, False, True):
            assert choose(endpoints, 0.0, 2) == [0, 1]
            endpoints.answered(1)
            endpoints.answered(0) if well else endpoints.failed(0, 0.0)


def test_after_three_failures_in_a_row_an_endpoint_is_left_out() -> None:
    """Everything goes to the others for five seconds, however busy they are."""
    endpoints = sick_and_well(3)
    assert choose(endpoints, 0.0, 4) == [1, 2, 1, 2]
    assert choose(endpoints, 4.9, 2) == [1, 2]


def test_one_request_probes_it_then() -> None:
    """Once it is due, a single request goes there, before the others; more follow only when that is answered."""
    endpoints = sick_and_well()
    assert choose(endpoints, 5.0, 4) == [0, 1, 1, 1]
    endpoints.answered(0)
    assert choose(endpoints, 5.1, 3) == [0, 0, 0]


def test_it_is_probed_though_others_are_less_busy() -> None:
    """A request that still hangs there from before does not keep it from being probed."""
    endpoints = Endpoints(2)
    assert choose(endpoints, 0.0, 8) == [0, 1] * 4
    for _ in range(3):
        endpoints.failed(0, 0.0)
    for _ in range(4):
        endpoints.answered(1)
    assert choose(endpoints, 5.0, 2) == [0, 1]


def test_a_probe_that_fails_doubles_the_rest_up_to_a_minute() -> None:
    """5, 10, 20, 40, 60, 60 seconds: each begins when its probe has failed."""
    endpoints, now, rests = sick_and_well(), 0.0, []
    for _ in range(6):
        due = next(step for step in range(1, 100) if _is_probed(endpoints, now + step))
        rests.append(due)
        now += due
        endpoints.failed(0, now)
    assert rests == [5, 10, 20, 40, 60, 60]


def _is_probed(endpoints: Endpoints, now: float) -> bool:
    number = endpoints.choose(now)
    if number != 0:
        endpoints.answered(number)
    return number == 0


def test_a_probe_that_is_answered_brings_it_back_for_good() -> None:
    """It takes three failures again to be left out, and the rest begins with five seconds again."""
    endpoints = sick_and_well()
    assert endpoints.choose(5.0) == 0
    endpoints.failed(0, 5.0)
    assert endpoints.choose(15.0) == 0
    endpoints.answered(0)
    for _ in range(3):
        assert choose(endpoints, 15.0, 2) == [0, 1]
        endpoints.failed(0, 15.0)
        endpoints.answered(1)
    assert choose(endpoints, 19.9, 1) == [1]
    endpoints.answered(1)
    assert choose(endpoints, 20.0, 1) == [0]


def test_a_probe_that_is_withdrawn_says_nothing() -> None:
    """When the probing request is cancelled, the next one probes instead, and no rest is added."""
    endpoints = sick_and_well()
    assert choose(endpoints, 5.0, 2) == [0, 1]
    endpoints.given_up(0)
    assert choose(endpoints, 5.0, 2) == [0, 1]


def test_where_all_are_sick_the_one_that_is_due_first_is_asked_all_the_same() -> None:
    """Whether to wait is for the caller to say: a request always gets an endpoint."""
    endpoints = sick_and_well()
    for now in (1.0, 2.0, 3.0):
        assert endpoints.choose(now) == 1
        endpoints.failed(1, now)
    assert choose(endpoints, 4.0, 3) == [0, 0, 0]


def test_a_single_endpoint_is_asked_however_sick_it_is() -> None:
    """With nowhere else to go there is nothing to leave out."""
    endpoints = Endpoints(1)
    for now in range(20):
        endpoints.failed(endpoints.choose(now), now)
    assert choose(endpoints, 20.0, 3) == [0, 0, 0]


def test_one_that_has_no_room_is_not_asked_before_its_time() -> None:
    """It is not sick: when its time has come it shares in the requests as before, without a probe."""
    endpoints = Endpoints(2)
    assert endpoints.choose(0.0) == 0
    endpoints.asked_to_wait(0, 30.0)
    assert choose(endpoints, 29.9, 2) == [1, 1]
    assert choose(endpoints, 30.0, 3) == [0, 0, 0]


def test_a_shorter_wait_does_not_cut_a_longer_one_short() -> None:
    """Several requests in flight may each be told to wait; the longest counts."""
    endpoints = Endpoints(2)
    assert choose(endpoints, 0.0, 4) == [0, 1, 0, 1]
    endpoints.asked_to_wait(0, 30.0)
    endpoints.asked_to_wait(0, 10.0)
    assert choose(endpoints, 20.0, 1) == [1]


GOOD = {"choices": [{"message": {"content": "fine"}}]}


@dataclass
class Servers:
    """Servers that answer with a status of their own each, and a client that knows them all."""

    statuses: list[int]
    running: list[FakeServer]
    client: ModelClient
    time: VirtualTime

    @property
    def asked(self) -> list[int]:
        """How often each was asked."""
        return [len(server.bodies) for server in self.running]

    async def ask(self, times: int) -> int:
        """Ask one after the other; gives how many were not answered."""
        failed = 0
        for _ in range(times):
            try:
                await self.client.ask(request())
            except ModelError:
                failed += 1
        return failed


@asynccontextmanager
async def serving(*given: int) -> AsyncIterator[Servers]:
    """Run servers with these statuses."""
    statuses, time = list(given), VirtualTime()

    def answering(number: int) -> Answer:
        return lambda _: web.json_response(GOOD, status=statuses[number])

    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(served(answering(number))) for number in range(len(given))]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = ModelClient(pool(*(server.url for server in running)), None, session, time.clock)
        yield Servers(statuses, running, client, time)


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(("status", "failed"), [(500, 3), (408, 3), (503, 3)])
def test_a_client_leaves_out_a_server_that_fails_and_takes_it_back(status: int, failed: int) -> None:
    """Three requests are lost to it, the next goes there after five seconds, and then it has its share again."""

    async def scenario() -> None:
        async with serving(status, 200) as servers:
            assert await servers.ask(10) == failed
            assert servers.asked == [3, 7]
            servers.statuses[0] = 200
            servers.time.now += 5.0
            assert await servers.ask(2) == 0
            assert servers.asked == [5, 7]

    asyncio.run(scenario())


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_request_that_is_at_fault_itself_is_not_held_against_the_server(status: int) -> None:
    """Refusals that no other server would spare the request leave nobody out."""

    async def scenario() -> None:
        async with serving(status, 200) as servers:
            await servers.ask(6)
            assert servers.asked == [6, 0]

    asyncio.run(scenario())


@pytest.mark.usefixtures("sockets")
def test_a_server_without_room_is_left_alone_for_a_while_and_has_not_failed() -> None:
    """A 429 is an answer: however often it comes, the server is asked again when its time has come."""

    async def scenario() -> None:
        async with serving(429, 200) as servers:
            for round_ in range(1, 6):
                assert await servers.ask(3) == 1
                assert servers.asked == [round_, 2 * round_]
                servers.time.now += 1.0

    asyncio.run(scenario())


@pytest.mark.usefixtures("sockets")
def test_a_refusal_says_whether_there_is_room_elsewhere() -> None:
    """Where all are full there is something to wait for: the one that has room first."""

    async def scenario() -> None:
        async with serving(429, 429) as servers:
            found = []
            for _ in range(2):
                with pytest.raises(ModelRateLimitError) as caught:
                    await servers.client.ask(request())
                found.append((caught.value.elsewhere, caught.value.retry_after))
                servers.time.now += 0.25
            assert found == [(True, 0.0), (False, 0.75)]

    asyncio.run(scenario())


def test_requests_that_were_under_way_when_a_server_died_prolong_no_rest() -> None:
    """Eight fail with it; it is probed after five seconds all the same."""
    endpoints = Endpoints(2)
    assert choose(endpoints, 0.0, 16) == [0, 1] * 8
    for _ in range(8):
        endpoints.failed(0, 1.0)
    assert choose(endpoints, 5.9, 1) == [1]
    assert choose(endpoints, 6.0, 1) == [0]


def test_an_answer_to_an_older_request_brings_a_server_back_at_once() -> None:
    """It is well, whatever it looked like."""
    endpoints = Endpoints(2)
    choose(endpoints, 0.0, 8)
    for _ in range(3):
        endpoints.failed(0, 1.0)
    endpoints.answered(0)
    assert endpoints.choose(2.0) == 0


@pytest.mark.usefixtures("sockets")
def test_a_request_that_is_withdrawn_is_outstanding_no_more() -> None:
    """Cancelling leaves the choice as it was before."""

    async def scenario() -> None:
        async with serving(200, 200) as servers:
            asking = asyncio.create_task(servers.client.ask(request()))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await servers.ask(2)
            assert servers.asked[1] == 0

    asyncio.run(scenario())


@pytest.mark.usefixtures("sockets")
def test_the_failure_of_one_server_is_the_caller_s_to_try_again() -> None:
    """The client itself asks once a request: the error names the server that failed."""

    async def scenario() -> None:
        async with serving(500, 200) as servers:
            with pytest.raises(ModelInternalServerError, match=server_of(servers.running[0].url)):
                await servers.client.ask(request())
            assert servers.asked == [1, 0]

    asyncio.run(scenario())
