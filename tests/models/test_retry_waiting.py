"""What a caller says of that for which it waits."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

from tests.models.fakes import REPLY, FakeModel, always, request, scripted

from data_designer.errors import ModelInternalServerError, ModelRateLimitError
from data_designer.models.admission.request_admission import AdmissionLimits, Hold, RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.model import GREETING
from data_designer.models.retry import Caller, CallerOptions
from data_designer.values import ChatResponse


def caller(model: FakeModel, limits: AdmissionLimits | None = None, **options: Any) -> Caller:
    """A caller in the model's time, with two slots."""
    time = model.time
    admission = RequestAdmission(Slots(2), limits, clock=time.clock, sleep=time.sleep)
    admission.share(1.0)
    rng = random.Random(1)
    return Caller(model, admission, CallerOptions(**options), rng=rng, clock=time.clock, sleep=time.sleep)


def holds(model: FakeModel, asking: Caller, *moments: float, requests: int = 1) -> list[Hold | None]:
    """What is said so many seconds after some requests were sent."""

    async def look(at: float) -> Hold | None:
        await model.time.sleep(at)
        return asking.hold()

    async def scenario() -> list[Hold | None]:
        work: list[Any] = [asking.ask(request()) for _ in range(requests)]
        return (await model.time.run(*work, *map(look, moments)))[requests:]

    return asyncio.run(scenario())


def text(hold: Hold | None) -> str:
    """The words."""
    assert hold is not None
    return hold.text


def test_an_endpoint_that_fails_is_quoted_with_the_time_until_the_run_stops() -> None:
    """Trouble, after a moment in which it may pass."""
    model = FakeModel(verdict=always(ModelInternalServerError("HTTP 503: closed")))
    (hold,) = holds(model, caller(model, first_patience=60.0), 10.0)
    assert text(hold) == (
        "HTTP 503: closed; it is asked again all the time, and the run stops, resumably, if nothing is answered "
        "within 50 s"
    )
    assert hold is not None
    assert (hold.lasted, hold.is_trouble, hold.worth_saying_after > 0) == (10.0, True, True)
    assert (hold.kind, hold.patience) == ("down", 60.0)


def test_a_refusal_that_says_for_how_long_is_worth_a_line_at_once() -> None:
    """Whoever reads the log learns when it goes on."""
    model = FakeModel(verdict=scripted(ModelRateLimitError("HTTP 429: full", 20.0, 429)))
    early, late, after = holds(model, caller(model), 1.0, 15.0, 25.0)
    assert "HTTP 429: full; it is asked again in 19 s" in text(early)
    assert "again in 5 s" in text(late)
    assert early is not None
    assert early.worth_saying_after == 0.0
    assert after is None


def test_a_pause_that_a_good_reply_asks_for_is_said() -> None:
    """By its headers; that is no trouble."""
    model = FakeModel(verdict=scripted(ChatResponse("fine", usage=REPLY.usage, pause=30.0)), latency=0.5)
    (hold,) = holds(model, caller(model), 10.5, requests=3)
    assert text(hold) == "it wants to be left alone for 20 s more"
    assert hold is not None
    assert not hold.is_trouble


def test_a_rate_of_the_user_s_own_is_named() -> None:
    """While somebody waits for it, and not else."""
    model = FakeModel()
    waiting, idle = holds(model, caller(model, AdmissionLimits(requests_per_minute=1)), 10.0, 900.0, requests=2)
    assert text(waiting).startswith("its requests_per_minute allow the next request in ")
    assert idle is None


def test_requests_that_take_long_are_counted_with_their_timeout() -> None:
    """Since when: the first of them was sent, or the last was answered."""
    model = FakeModel(latency=50.0)
    first, second, none = holds(model, caller(model, timeout=90.0), 20.0, 60.0, 120.0, requests=3)
    assert text(first) == "2 requests are under way and none is answered; each is given up after 90 s"
    assert text(second) == "1 request is under way and none is answered; it is given up after 90 s"
    assert first is not None
    assert second is not None
    assert (first.lasted, second.lasted) == (20.0, 10.0)
    assert none is None


def test_a_request_that_was_given_up_keeps_nothing_back() -> None:
    """Its last attempt failed, and nobody asks any more."""
    model = FakeModel(verdict=lambda sent: ModelInternalServerError("no") if sent.request is not GREETING else REPLY)
    early, late = holds(model, caller(model), 0.0, 600.0)
    assert early is not None
    assert late is None


def test_somebody_is_told_when_requests_begin_to_fail() -> None:
    """Once, however many fail, and again after a success."""
    failure = ModelInternalServerError("no")
    model = FakeModel(verdict=scripted(failure, failure, REPLY, failure))
    asking, told = caller(model), []
    note: Callable[[], None] = lambda: told.append(model.time.now)  # noqa: E731
    asking.told = note
    holds(model, asking, requests=1)
    holds(model, asking, requests=1)
    assert len(told) == 2


def waits(model: FakeModel, *times: float, requests: int = 2) -> list[tuple[int, int]]:
    """How many of some requests back off so many seconds after they came, and of these since the endpoint is down."""
    asking, seen, began = caller(model), [], model.time.now

    async def look() -> None:
        for at in times:
            await model.time.sleep(began + at - model.time.now)
            seen.append((asking.backing_off, asking.down(model.time.now)))

    asyncio.run(model.time.run(*(asking.ask(request()) for _ in range(requests)), look()))
    return seen


def test_requests_wait_for_an_endpoint_that_is_down_until_their_turn_comes() -> None:
    """Also when others were answered already; the first second of failures may be chance."""
    model = FakeModel(verdict=lambda sent: ModelInternalServerError("no") if sent.at < up else REPLY)
    up = model.time.now + 20.0
    early, late = waits(model, 0.1, 15.0)
    assert early == (2, 0)
    assert late == (2, 2)


def test_requests_that_fail_while_others_are_answered_wait_for_no_endpoint() -> None:
    """It is up."""
    bad = request("bad")
    model = FakeModel(verdict=lambda sent: ModelInternalServerError("no") if sent.request is bad else REPLY)
    asking, seen = caller(model), []

    async def others() -> None:
        for _ in range(100):
            await model.time.sleep(0.1)
            await asking.ask(request())
            seen.append((asking.backing_off, asking.down(model.time.now)))

    async def failing() -> None:
        with suppress(ModelInternalServerError):
            await asking.ask(bad)

    asyncio.run(model.time.run(others(), failing()))
    assert (1, 0) in seen
    assert {down for _, down in seen} == {0}


def pauses(*, others: bool) -> list[float]:
    """Seconds between attempts at a request that always fails, while others are answered or alone."""
    bad = request("bad")
    model = FakeModel(
        verdict=lambda sent: ModelInternalServerError("no") if sent.request is bad else REPLY, latency=0.125
    )
    asking = caller(model)

    async def good() -> None:
        while others and model.time.now < 1010.0:
            await asking.ask(request())

    async def later() -> None:
        await model.time.sleep(model.latency / 2)
        await asking.ask(bad)

    asyncio.run(model.time.run(good(), later()))
    sent = [one.at for one in model.asked if one.request is bad]
    return [later - earlier - model.latency for earlier, later in pairwise(sent)]


def test_an_endpoint_that_answers_others_is_asked_again_within_a_quarter_of_a_second() -> None:
    """Twice, and once more soon; whoever fails more often, or alone, waits as long as in an outage."""
    first, second, third, fourth, *_ = pauses(others=True)
    alone, *_ = pauses(others=False)
    assert max(first, second) <= 0.25
    assert 0.25 <= third <= 0.5
    assert 2.0 <= fourth <= 4.0
    assert 0.25 < alone <= 0.5
