"""One alias's caller under load: slots, cooldowns and patience, in virtual time."""

import asyncio
import pickle
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.models.fakes import REPLY, FakeModel, Sent, Verdict, always, request, scripted
from tests.properties import examples

from data_designer.config.run_config import RequestAdmissionTuningConfig
from data_designer.errors import (
    ModelAPIConnectionError,
    ModelAuthenticationError,
    ModelError,
    ModelInternalServerError,
    ModelRateLimitError,
    Outage,
)
from data_designer.models.admission.request_admission import AdmissionLimits, RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.model import GREETING
from data_designer.models.retry import Caller, CallerOptions, CallerStatistics
from data_designer.values import Response, Usage

REQUEST = request()


def endpoint_that(verdict: Verdict, latency: float = 1.0) -> FakeModel:
    """One that takes a second for each reply."""
    return FakeModel(verdict=verdict, latency=latency)


def caller(endpoint: FakeModel, slots: Slots, **options: Any) -> Caller:
    """A caller in the endpoint's time."""
    time = endpoint.time
    admission = RequestAdmission(
        slots, AdmissionLimits(options.pop("tuning", None)), clock=time.clock, sleep=time.sleep
    )
    return Caller(
        endpoint, admission, CallerOptions(**options), rng=random.Random(7), clock=time.clock, sleep=time.sleep
    )


def texts(results: list[Any]) -> list[Any]:
    """What was replied; errors as they are."""
    return [getattr(result, "text", result) for result in results]


def ask_all(endpoint: FakeModel, asking: Caller, number: int) -> list[Any]:
    """Ask so many times at once; replies and errors, in order."""
    return asyncio.run(endpoint.time.run(*(asking.ask(REQUEST) for _ in range(number))))


def test_a_slot_is_held_only_while_a_request_is_in_flight() -> None:
    """While one request backs off for long, the only slot serves others."""
    endpoint = endpoint_that(lambda _: REPLY if first else ModelInternalServerError("busy", 20.0, 503))
    first: list[int] = []
    time = endpoint.time
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


@examples(40)
@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32))
def test_every_request_is_answered_and_no_more_are_in_flight_than_slots(slots: int, number: int, seed: int) -> None:
    """Whatever fails along the way, each request gets its reply, and the cap holds at every moment, probes included."""
    rng = random.Random(seed)

    def verdict(_: Sent) -> Response | ModelError:
        kinds = [ModelInternalServerError, ModelRateLimitError, ModelAPIConnectionError]
        return rng.choice(kinds)("later") if rng.random() < 0.3 else REPLY

    endpoint = endpoint_that(verdict)
    shared = Slots(slots)
    asking = caller(endpoint, shared)
    assert texts(ask_all(endpoint, asking, number)) == ["fine"] * number
    assert endpoint.peak <= slots
    assert shared.in_use == 0
    usage = asking.take_statistics().usage
    assert usage.requests + usage.failed_requests == len(endpoint.sent)
    probes = sum(one.request is GREETING for one in endpoint.asked)
    assert number <= usage.requests <= number + probes


def test_nothing_is_sent_during_a_cooldown() -> None:
    """Requests that were waiting for a slot when the endpoint refused wait for the cooldown too."""
    endpoint = endpoint_that(lambda sent: ModelRateLimitError("slow down", 10.0, 429) if sent.at < 1005.0 else REPLY)
    results = ask_all(endpoint, caller(endpoint, Slots(4)), 40)
    assert texts(results) == ["fine"] * 40
    assert [moment for moment in endpoint.sent if 1000.0 < moment < 1010.0] == []
    assert endpoint.sent.count(1000.0) == 4


def test_an_endpoint_with_less_room_than_slots_is_found_and_used() -> None:
    """Where four fit and sixteen were granted, the caller settles at what fits, and every request is answered."""
    endpoint = endpoint_that(lambda sent: ModelRateLimitError("full") if sent.in_flight > 4 else REPLY)
    slots = Slots(16)
    asking = caller(endpoint, slots)
    assert texts(ask_all(endpoint, asking, 200)) == ["fine"] * 200
    assert slots.limit <= 5
    assert asking.take_statistics().errors["ModelRateLimitError"] < 60


def test_a_ramp_opens_the_slots_little_by_little() -> None:
    """With a start-up ramp of ten seconds, one request is in flight at first and all slots are in use at the end."""
    endpoint = FakeModel(latency=1.0)
    tuning = RequestAdmissionTuningConfig(startup_ramp_seconds=10.0)
    ask_all(endpoint, caller(endpoint, Slots(11), tuning=tuning), 150)
    assert [endpoint.sent.count(1000.0 + second) for second in (0, 1, 5, 10, 11)] == [1, 2, 6, 11, 11]


def test_a_ramp_opens_the_slots_without_waiting_for_a_reply() -> None:
    """Requests that wait are let in as the ramp rises, however long the first reply takes."""
    endpoint = FakeModel(latency=300.0)
    tuning = RequestAdmissionTuningConfig(startup_ramp_seconds=10.0)
    ask_all(endpoint, caller(endpoint, Slots(11), tuning=tuning), 11)
    assert [sum(sent <= 1000.2 + second for sent in endpoint.sent) for second in (0, 1, 5, 10)] == [1, 2, 6, 11]


def test_a_wait_longer_than_the_patience_ends_with_the_patience() -> None:
    """An endpoint that asks to be left alone for a day does not hold the run for a day."""
    for refusal in (ModelRateLimitError("tomorrow", 86400.0, 429), ModelInternalServerError("tomorrow", 86400.0, 503)):
        endpoint = endpoint_that(always(refusal))
        (result,) = ask_all(endpoint, caller(endpoint, Slots(1), first_patience=60.0), 1)
        assert isinstance(result, Outage)
        assert endpoint.time.now < 1000.0 + 65.0


def test_one_success_renews_the_patience_of_all() -> None:
    """Patience counts from the alias's last success, not from a request's own first try."""
    down = ModelInternalServerError("down", None, 500)
    endpoint = endpoint_that(lambda sent: REPLY if sent.at < 1001.0 or sent.at > 1095.0 else down)
    asking = caller(endpoint, Slots(2), first_patience=60.0, patience=300.0)
    results = ask_all(endpoint, asking, 6)
    assert texts(results) == ["fine"] * 6


def test_an_outage_carries_the_endpoint_s_words_and_status() -> None:
    """Whoever reads of the stop reads why."""
    endpoint = endpoint_that(always(ModelInternalServerError("no healthy upstream", None, 503)))
    (result,) = ask_all(endpoint, caller(endpoint, Slots(1)), 1)
    assert isinstance(result, Outage)
    assert (result.status, result.retryable) == (503, False)
    assert "no healthy upstream" in str(result)
    assert isinstance(result.__cause__, ModelInternalServerError)


def test_a_refusal_for_good_does_not_touch_the_others() -> None:
    """One request that may not be asked is raised to its asker; the rest are answered."""
    endpoint = endpoint_that(scripted(ModelAuthenticationError("no", None, 401)))
    results = ask_all(endpoint, caller(endpoint, Slots(1)), 3)
    assert isinstance(results[0], ModelAuthenticationError)
    assert results[1:] == [REPLY, REPLY]


def test_a_cancelled_request_gives_its_slot_back() -> None:
    """Stopping a row in flight costs no slot."""

    async def scenario() -> int:
        slots = Slots(1)
        task = asyncio.create_task(caller(FakeModel(latency=1.0), slots).ask(REQUEST))
        await asyncio.sleep(0)
        assert slots.in_use == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return slots.in_use

    assert asyncio.run(scenario()) == 0


def test_statistics_are_taken_once_and_add_up() -> None:
    """Tokens, latencies and failures of two takings sum to what happened; an example a kind is kept; it pickles."""
    failures = [ModelInternalServerError("first"), ModelInternalServerError("second")]
    endpoint = endpoint_that(scripted(failures[0], REPLY, REPLY, failures[1]), latency=2.0)
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
