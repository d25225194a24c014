"""One alias's caller under load: slots, cooldowns and patience, in virtual time."""

import asyncio
import pickle
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from data_designer.config.run_config import RequestAdmissionTuningConfig
from data_designer.errors import (
    ModelAPIConnectionError,
    ModelAuthenticationError,
    ModelError,
    ModelInternalServerError,
    ModelRateLimitError,
    Outage,
)
from data_designer.models.caller import Caller, CallerOptions, CallerStatistics
from data_designer.models.gate import Gate, GateLimits
from data_designer.models.limits import Slots
from data_designer.values import Request, Response, Usage

REQUEST = Request([])
REPLY = Response("fine", usage=Usage(requests=1, input_tokens=3, output_tokens=2))


class VirtualTime:
    """A clock that jumps to the next wake-up whenever nothing else can go on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def clock(self) -> float:
        """The time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        wakeup: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        self._sleepers.append((self.now + seconds, self._count, wakeup))
        await wakeup

    async def run(self, *work: Awaitable[Any]) -> list[Any]:
        """Run work to its end, moving the clock whenever all of it sleeps; exceptions are results."""
        gathered = asyncio.ensure_future(asyncio.gather(*work, return_exceptions=True))
        while not gathered.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers and not gathered.done():
                self._sleepers.sort(key=lambda sleeper: sleeper[:2])
                moment, _, wakeup = self._sleepers.pop(0)
                self.now = max(self.now, moment)
                if not wakeup.done():
                    wakeup.set_result(None)
        results: list[Any] = gathered.result()
        return results


@dataclass
class Endpoint:
    """A fake endpoint at the client's seam: `verdict(now, in flight)` says what a request comes to."""

    time: VirtualTime
    verdict: Callable[[float, int], ModelError | None]
    latency: float = 1.0
    in_flight: int = 0
    peak: int = 0
    sent: list[float] = field(default_factory=list)

    async def ask(self, _request: Request, _rng: random.Random) -> Response:
        """Take some time, then refuse or answer; refusals for want of room come early."""
        self.sent.append(self.time.now)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            error = self.verdict(self.time.now, self.in_flight)
            await self.time.sleep(self.latency / (100 if isinstance(error, ModelRateLimitError) else 1))
            if error is not None:
                raise error
            return REPLY
        finally:
            self.in_flight -= 1


def caller(endpoint: Endpoint, slots: Slots, **options: Any) -> Caller:
    """A caller in the endpoint's time."""
    time = endpoint.time
    gate = Gate(slots, GateLimits(options.pop("tuning", None)), clock=time.clock, sleep=time.sleep)
    return Caller(endpoint, gate, CallerOptions(**options), rng=random.Random(7), clock=time.clock, sleep=time.sleep)


def texts(results: list[Any]) -> list[Any]:
    """What was replied; errors as they are."""
    return [getattr(result, "text", result) for result in results]


def ask_all(endpoint: Endpoint, asking: Caller, number: int) -> list[Any]:
    """Ask so many times at once; replies and errors, in order."""
    return asyncio.run(endpoint.time.run(*(asking.ask(REQUEST) for _ in range(number))))


def test_a_slot_is_held_only_while_a_request_is_in_flight() -> None:
    """While one request backs off for long, the only slot serves others."""
    time = VirtualTime()
    endpoint = Endpoint(time, lambda _, __: ModelInternalServerError("busy", 20.0, 503) if not first else None)
    first: list[int] = []
    asking = caller(endpoint, Slots(1))

    async def scenario() -> list[float]:
        done: list[float] = []

        async def one() -> None:
            await asking.ask(REQUEST)
            done.append(time.now)

        async def others() -> None:
            await time.sleep(2.0)
            first.append(1)
            await asking.ask(REQUEST)
            await asking.ask(REQUEST)
            done.append(time.now)

        await time.run(one(), others())
        return done

    assert asyncio.run(scenario()) == [1004.0, 1022.0]
    assert endpoint.peak == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32))
def test_every_request_is_answered_and_no_more_are_in_flight_than_slots(slots: int, number: int, seed: int) -> None:
    """Whatever fails along the way, each request gets its reply, and the cap holds at every moment."""
    chance = random.Random(seed)

    def verdict(_now: float, _in_flight: int) -> ModelError | None:
        kinds = [ModelInternalServerError, ModelRateLimitError, ModelAPIConnectionError]
        return chance.choice(kinds)("later") if chance.random() < 0.3 else None

    endpoint = Endpoint(VirtualTime(), verdict)
    shared = Slots(slots)
    asking = caller(endpoint, shared)
    assert texts(ask_all(endpoint, asking, number)) == ["fine"] * number
    assert endpoint.peak <= slots
    assert shared.in_use == 0
    usage = asking.take_statistics().usage
    assert (usage.requests, usage.requests + usage.failed_requests) == (number, len(endpoint.sent))


def test_nothing_is_sent_during_a_cooldown() -> None:
    """Requests that were waiting for a slot when the endpoint refused wait for the cooldown too."""
    endpoint = Endpoint(
        VirtualTime(), lambda now, _: ModelRateLimitError("slow down", 10.0, 429) if now < 1005.0 else None
    )
    results = ask_all(endpoint, caller(endpoint, Slots(4)), 40)
    assert texts(results) == ["fine"] * 40
    assert [moment for moment in endpoint.sent if 1000.0 < moment < 1010.0] == []
    assert endpoint.sent.count(1000.0) == 4


def test_an_endpoint_with_less_room_than_slots_is_found_and_used() -> None:
    """Where four fit and sixteen were granted, the caller settles at what fits, and every request is answered."""
    endpoint = Endpoint(VirtualTime(), lambda _, in_flight: ModelRateLimitError("full") if in_flight > 4 else None)
    slots = Slots(16)
    asking = caller(endpoint, slots)
    assert texts(ask_all(endpoint, asking, 200)) == ["fine"] * 200
    assert slots.limit <= 5
    assert asking.take_statistics().errors["ModelRateLimitError"] < 60


def test_a_ramp_opens_the_slots_little_by_little() -> None:
    """With a start-up ramp of ten seconds, one request is in flight at first and all slots are in use at the end."""
    endpoint = Endpoint(VirtualTime(), lambda _, __: None)
    tuning = RequestAdmissionTuningConfig(startup_ramp_seconds=10.0)
    ask_all(endpoint, caller(endpoint, Slots(11), tuning=tuning), 150)
    assert [endpoint.sent.count(1000.0 + second) for second in (0, 1, 5, 10, 11)] == [1, 2, 6, 11, 11]


def test_a_ramp_opens_the_slots_without_waiting_for_a_reply() -> None:
    """Requests that wait are let in as the ramp rises, however long the first reply takes."""
    endpoint = Endpoint(VirtualTime(), lambda _, __: None, latency=300.0)
    tuning = RequestAdmissionTuningConfig(startup_ramp_seconds=10.0)
    ask_all(endpoint, caller(endpoint, Slots(11), tuning=tuning), 11)
    assert [sum(sent <= 1000.2 + second for sent in endpoint.sent) for second in (0, 1, 5, 10)] == [1, 2, 6, 11]


def test_a_wait_longer_than_the_patience_ends_with_the_patience() -> None:
    """An endpoint that asks to be left alone for a day does not hold the run for a day."""
    for refusal in (ModelRateLimitError("tomorrow", 86400.0, 429), ModelInternalServerError("tomorrow", 86400.0, 503)):
        endpoint = Endpoint(VirtualTime(), lambda _, __, refusal=refusal: refusal)  # type: ignore[misc]
        (result,) = ask_all(endpoint, caller(endpoint, Slots(1), first_patience=60.0), 1)
        assert isinstance(result, Outage)
        assert endpoint.time.now < 1000.0 + 65.0


def test_one_success_renews_the_patience_of_all() -> None:
    """Patience counts from the alias's last success, not from a request's own first try."""
    endpoint = Endpoint(
        VirtualTime(),
        lambda now, _: None if now < 1001.0 or now > 1095.0 else ModelInternalServerError("down", None, 500),
    )
    asking = caller(endpoint, Slots(2), first_patience=60.0, patience=300.0)
    results = ask_all(endpoint, asking, 6)
    assert texts(results) == ["fine"] * 6


def test_an_outage_carries_the_endpoint_s_words_and_status() -> None:
    """Whoever reads of the stop reads why."""
    endpoint = Endpoint(VirtualTime(), lambda _, __: ModelInternalServerError("no healthy upstream", None, 503))
    (result,) = ask_all(endpoint, caller(endpoint, Slots(1)), 1)
    assert isinstance(result, Outage)
    assert (result.status, result.retryable) == (503, False)
    assert "no healthy upstream" in str(result)
    assert isinstance(result.__cause__, ModelInternalServerError)


def test_a_refusal_for_good_does_not_touch_the_others() -> None:
    """One request that may not be asked is raised to its asker; the rest are answered."""
    turn = iter([ModelAuthenticationError("no", None, 401)])
    endpoint = Endpoint(VirtualTime(), lambda _, __: next(turn, None))
    results = ask_all(endpoint, caller(endpoint, Slots(1)), 3)
    assert isinstance(results[0], ModelAuthenticationError)
    assert results[1:] == [REPLY, REPLY]


def test_a_cancelled_request_gives_its_slot_back() -> None:
    """Stopping a row in flight costs no slot."""

    async def scenario() -> int:
        time = VirtualTime()
        slots = Slots(1)
        task = asyncio.create_task(caller(Endpoint(time, lambda _, __: None), slots).ask(REQUEST))
        await asyncio.sleep(0)
        assert slots.in_use == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return slots.in_use

    assert asyncio.run(scenario()) == 0


def test_statistics_are_taken_once_and_add_up() -> None:
    """Tokens, latencies and failures of two takings sum to what happened; an example a kind is kept; it pickles."""
    turn = iter([ModelInternalServerError("first"), None, None, ModelInternalServerError("second"), None])
    endpoint = Endpoint(VirtualTime(), lambda _, __: next(turn), latency=2.0)
    asking = caller(endpoint, Slots(1))

    async def scenario() -> tuple[CallerStatistics, CallerStatistics]:
        await endpoint.time.run(asking.ask(REQUEST))
        await endpoint.time.run(asking.ask(REQUEST))
        before = asking.take_statistics()
        await endpoint.time.run(asking.ask(REQUEST))
        return before, asking.take_statistics()

    before, after = asyncio.run(scenario())
    total = pickle.loads(pickle.dumps(before + after))  # noqa: S301 - it was pickled on this line
    assert total.usage == Usage(requests=3, failed_requests=2, input_tokens=9, output_tokens=6)
    assert (total.seconds, total.slowest) == (6.0, 2.0)
    assert total.errors == {"ModelInternalServerError": 2}
    assert total.examples == {"ModelInternalServerError": "first"}
    assert asking.take_statistics() == CallerStatistics()
