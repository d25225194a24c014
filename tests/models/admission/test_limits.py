"""Slots, the adaptive limit and the back-off: what may be in flight, and when to try again."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.config.run_config import RequestAdmissionTuningConfig
from data_designer.models.admission.adaptive_limit import AdaptiveLimit
from data_designer.models.admission.slots import Slots
from data_designer.models.backoff import Backoff

TUNING = RequestAdmissionTuningConfig()


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end."""
    asyncio.run(test())


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_slots_are_handed_out_in_the_order_they_were_asked_for() -> None:
    """First come, first served."""

    async def body() -> None:
        slots, order = Slots(1), []

        async def holder(number: int) -> None:
            await slots.acquire()
            order.append(number)
            await asyncio.sleep(0)
            slots.release()

        await asyncio.gather(*(holder(number) for number in range(20)))
        assert order == list(range(20))

    on_loop(body)


def test_a_holder_is_never_interrupted_when_the_total_falls() -> None:
    """A smaller grant lets holders finish; `settled` waits for them."""

    async def body() -> None:
        slots = Slots(3)
        for _ in range(3):
            await slots.acquire()
        slots.total = 1
        settled = asyncio.create_task(slots.settled())
        slots.release()
        await turn()
        assert (slots.in_use, settled.done()) == (2, False)
        slots.release()
        await turn()
        assert (slots.in_use, settled.done()) == (1, True)

    on_loop(body)


def test_settled_waits_again_when_the_total_falls_further() -> None:
    """What is acknowledged is the grant that holds, not the one that held when the waiting began."""

    async def body() -> None:
        slots = Slots(2)
        await slots.acquire()
        await slots.acquire()
        slots.total = 1
        settled = asyncio.create_task(slots.settled())
        await turn()
        slots.release()
        slots.total = 0
        await turn()
        assert not settled.done()
        slots.release()
        await settled

    on_loop(body)


def test_a_larger_total_lets_waiters_in_at_once() -> None:
    """A larger grant is used without waiting for a release."""

    async def body() -> None:
        slots = Slots(0)
        waiting = [asyncio.create_task(slots.acquire()) for _ in range(5)]
        await turn()
        assert slots.statistics().waiting == 5
        slots.total = 3
        await turn()
        assert [task.done() for task in waiting] == [True, True, True, False, False]
        for task in waiting[3:]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    on_loop(body)


def test_a_lowered_limit_holds_below_the_total_and_can_be_lifted() -> None:
    """The adaptive limit narrows the share without changing it."""

    async def body() -> None:
        slots = Slots(4)
        slots.lower(2)
        assert (slots.total, slots.limit) == (4, 2)
        waiting = [asyncio.create_task(slots.acquire()) for _ in range(4)]
        await turn()
        assert slots.in_use == 2
        slots.lower(None)
        await asyncio.gather(*waiting)
        assert repr(slots) == "Slots(SlotStatistics(total=4, limit=4, in_use=4, waiting=0))"

    on_loop(body)


def test_a_waiter_cancelled_as_it_gets_its_slot_gives_it_back() -> None:
    """No slot is lost to a cancellation, however late it comes."""

    async def body() -> None:
        slots = Slots(1)
        await slots.acquire()
        waiter = asyncio.create_task(slots.acquire())
        await turn()
        slots.release()
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert slots.in_use == 0

    on_loop(body)


@examples(150)
@given(
    st.lists(
        st.one_of(
            st.just(("ask", 0)),
            st.tuples(st.just("release"), st.integers(0, 50)),
            st.tuples(st.just("cancel"), st.integers(0, 50)),
            st.tuples(st.just("total"), st.integers(0, 6)),
            st.tuples(st.just("limit"), st.integers(1, 6)),
        ),
        max_size=60,
    )
)
def test_slots_keep_their_promises_whatever_happens(script: list[tuple[str, int]]) -> None:
    """Nobody is admitted beyond the limit, nobody waits while there is room, and the first in line goes first."""

    async def body() -> None:
        slots = Slots(2)
        asked: list[asyncio.Task[None]] = []
        holders: list[asyncio.Task[None]] = []
        for action, number in script:
            before = slots.in_use
            match action:
                case "ask":
                    asked.append(asyncio.create_task(slots.acquire()))
                case "release" if holders:
                    holders.pop(number % len(holders))
                    slots.release()
                case "cancel" if asked:
                    asked.pop(number % len(asked)).cancel()
                case "total":
                    slots.total = number
                case "limit":
                    slots.lower(number)
            await turn()
            admitted = [task for task in asked if task.done()]
            assert admitted == asked[: len(admitted)]
            holders += admitted
            asked = asked[len(admitted) :]
            assert slots.in_use == len(holders)
            assert slots.in_use <= max(before, slots.limit)
            assert not asked or slots.in_use >= slots.limit
            assert slots.statistics().waiting == len(asked)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    on_loop(body)


def test_a_burst_lowers_the_limit_once_by_the_factor() -> None:
    """Where nothing at all is accepted, each burst costs a quarter, whatever its size: 12 of 16, then 9 of 12."""
    limit = AdaptiveLimit(TUNING)
    for refusal in range(16):
        limit.refused(now=1.0 + refusal / 100, sent_at=0.0, in_flight=16 - refusal, retry_after=None)
    assert limit.limit == 12
    for refusal in range(12):
        limit.refused(now=4.0 + refusal / 100, sent_at=3.5, in_flight=12 - refusal, retry_after=None)
    assert limit.limit == 9


def test_the_limit_never_falls_below_one() -> None:
    """An endpoint that refuses everything is still asked, one request at a time."""
    limit = AdaptiveLimit(TUNING)
    for moment in range(20):
        limit.refused(now=moment + 0.5, sent_at=float(moment), in_flight=1, retry_after=None)
    assert limit.limit == 1


def test_successes_raise_the_limit_step_by_step_until_all_is_allowed() -> None:
    """25 replies raise the limit by one; at the full share it is gone."""
    limit = AdaptiveLimit(TUNING)
    limit.refused(now=0.0, sent_at=0.0, in_flight=4, retry_after=None)
    for _ in range(24):
        limit.accepted(4, 100.0)
    assert limit.limit == 3
    limit.accepted(4, 100.0)
    assert limit.limit is None


def test_the_cooldown_is_what_the_endpoint_asked_for_or_the_tuning() -> None:
    """Retry-After sets the pause; without one, or with zero, the configured pause holds; none shortens another."""
    limit = AdaptiveLimit(TUNING)
    limit.refused(now=10.0, sent_at=9.0, in_flight=4, retry_after=None)
    assert limit.not_before == 12.0
    limit.refused(now=10.0, sent_at=9.0, in_flight=4, retry_after=7.5)
    assert limit.not_before == 17.5
    limit.refused(now=10.5, sent_at=9.0, in_flight=4, retry_after=0.0)
    assert limit.not_before == 17.5


def test_a_ramp_grows_from_one_to_the_whole_share() -> None:
    """With a start-up ramp of ten seconds half the share is open after five, all of it after ten."""
    limit = AdaptiveLimit(TUNING.model_copy(update={"startup_ramp_seconds": 10.0}))
    allowed = [limit.allowed(now, 21) for now in (100.0, 102.5, 105.0, 109.9, 110.0)]
    assert allowed == [1, 6, 11, 20, None]
    assert not limit.ramping


def test_a_refusal_ends_the_ramp() -> None:
    """What the endpoint says counts more than the plan: seven of eight were accepted."""
    limit = AdaptiveLimit(TUNING.model_copy(update={"startup_ramp_seconds": 10.0}))
    limit.allowed(0.0, 21)
    limit.refused(now=5.0, sent_at=4.0, in_flight=8, retry_after=None)
    assert (limit.ramping, limit.allowed(6.0, 21)) == (False, 7)


@given(st.integers(1, 40), st.integers(0, 1000))
def test_delays_grow_up_to_a_bound_and_are_jittered(attempt: int, seed: int) -> None:
    """A delay lies between half and all of first times factor to the attempt, at most `longest`."""
    backoff = Backoff(first=0.5, factor=2.0, longest=30.0)
    full = min(30.0, 0.5 * 2.0 ** (attempt - 1))
    assert full / 2 <= backoff.delay(attempt, random.Random(seed)) <= full


def test_a_delay_is_never_shorter_than_the_endpoint_asked() -> None:
    """Retry-After of a 503 is honoured even where it is longer than the longest delay."""
    assert Backoff().delay(1, random.Random(0), retry_after=90.0) == 90.0


def test_the_same_generator_gives_the_same_delays() -> None:
    """Jitter comes from the generator that is passed in, and from nothing else."""
    delays = [[Backoff().delay(n, rng) for n in range(1, 6)] for rng in (random.Random(4), random.Random(4))]
    assert delays[0] == delays[1]


def test_an_outage_of_hours_is_no_overflow() -> None:
    """The wait stays the longest, however many attempts have failed."""
    assert 15.0 <= Backoff().delay(100_000, random.Random(0)) <= 30.0
