"""Slots, retries and patience, in virtual time."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.fakes import REPLY, FakeModel, always, request, scripted

from data_designer.errors import (
    ModelAPIConnectionError,
    ModelBadRequestError,
    ModelInternalServerError,
    ModelRateLimitError,
    Outage,
)
from data_designer.models.admission.adaptive_limit import AdaptiveLimit
from data_designer.models.admission.request_admission import RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.backoff import Backoff
from data_designer.models.exchange import drive
from data_designer.models.retry import Caller, CallerOptions
from data_designer.values import Drop, Exchange, Ok, Request, Response, Usage

REQUEST = request()


def caller(model: FakeModel, **options: float) -> Caller:
    """A caller in the model's time."""
    time = model.time
    admission = RequestAdmission(Slots(2), clock=time.clock, sleep=time.sleep)
    return Caller(model, admission, CallerOptions(**options), rng=random.Random(1), clock=time.clock, sleep=time.sleep)


def test_what_may_pass_is_tried_again_and_counted() -> None:
    """Two server errors and a reset, then a reply: four attempts, three counted as failed."""
    failures = [ModelInternalServerError("a"), ModelAPIConnectionError("b"), ModelInternalServerError("c")]
    model = FakeModel(verdict=scripted(*failures))
    asking = caller(model)
    assert model.time.drive(asking.ask(REQUEST)).text == "fine"
    statistics = asking.take_statistics()
    assert (len(model.asked), statistics.usage.requests, statistics.usage.failed_requests) == (4, 1, 3)
    assert statistics.errors == {"ModelInternalServerError": 2, "ModelAPIConnectionError": 1}
    assert asking.take_statistics().usage == Usage()


def test_answers_are_counted_by_the_column_that_asked() -> None:
    """Each with the time and tokens of the attempt that was answered; what asks for no column is left out."""
    model = FakeModel(verdict=scripted(ModelInternalServerError("a")), latency=2.0)
    asking = caller(model)
    for column in ("x", "x", "y", ""):
        model.time.drive(asking.ask(REQUEST, column=column))
    answer = (pytest.approx(2.0), REPLY.usage.input_tokens, REPLY.usage.output_tokens)
    assert {one.column: one.numbers for one in asking.take_answers()} == {"x": [answer, answer], "y": [answer]}
    assert asking.take_answers() == ()


def test_a_reply_is_kept_before_its_slot_is_given_back() -> None:
    """Whoever waits for a slot gets it only then; the reply that is kept counts the attempts that failed before it."""
    model = FakeModel(verdict=scripted(ModelInternalServerError("a")))
    asking, kept = caller(model), []

    async def keep(response: Response) -> None:
        await model.time.sleep(5.0)
        assert model.in_flight == 0
        kept.append((len(model.asked), response))

    async def scenario() -> None:
        replies = await asyncio.gather(*(asking.ask(REQUEST, keep) for _ in range(6)))
        assert sorted(reply.usage.failed_requests for _, reply in kept) == [0, 0, 0, 0, 0, 1]
        assert {id(reply) for _, reply in kept} == {id(reply) for reply in replies}

    model.time.drive(scenario())
    # Of two slots, with one attempt that failed: never more requests than replies that are kept, and two.
    assert all(sent <= number + 3 for number, (sent, _) in enumerate(kept))


def test_a_reply_that_cannot_be_kept_is_no_reply_and_takes_no_slot() -> None:
    """What the disk says is raised; the next request goes out all the same."""
    model = FakeModel()
    asking = caller(model)

    async def keep(_: Response) -> None:
        raise OSError(28, "No space left on device")

    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            model.time.drive(asking.ask(REQUEST, keep))
    assert model.time.drive(asking.ask(REQUEST)).text == "fine"


def test_what_no_retry_can_mend_is_raised_at_once() -> None:
    """A bad request is asked once."""
    model = FakeModel(verdict=scripted(ModelBadRequestError("no")))
    with pytest.raises(ModelBadRequestError):
        model.time.drive(caller(model).ask(REQUEST))
    assert len(model.asked) == 1


def test_an_endpoint_that_never_worked_is_given_up_after_a_minute() -> None:
    """Before the first success patience is 60 seconds; the error carries the endpoint's words."""
    model = FakeModel(verdict=always(ModelAPIConnectionError("down for good")))
    with pytest.raises(Outage, match="down for good"):
        model.time.drive(caller(model).ask(REQUEST))
    assert 1060 < model.time.now < 1060 + 31


def test_an_endpoint_that_worked_is_waited_for() -> None:
    """After a success the caller waits as long as the run's patience."""
    model = FakeModel()
    asking = caller(model, patience=1000.0)
    model.time.drive(asking.ask(REQUEST))
    model.verdict = always(ModelInternalServerError("busy"))
    with pytest.raises(Outage):
        model.time.drive(asking.ask(REQUEST))
    assert 2000 < model.time.now < 2000 + 31


def test_a_request_that_fails_while_others_are_answered_is_given_up() -> None:
    """A prompt that always gets a server error ends after ten attempts, once the model has answered another."""
    model = FakeModel(verdict=lambda sent: ModelInternalServerError("cannot") if sent.request is REQUEST else REPLY)
    asking = caller(model, patience=1e9, first_patience=1e9)

    async def others() -> None:
        for _ in range(600):
            await asking.ask(request("other"))
            await model.time.sleep(1.0)

    result, _ = asyncio.run(model.time.run(asking.ask(REQUEST), others()))
    assert isinstance(result, ModelInternalServerError)
    assert 10 <= sum(sent.request is REQUEST for sent in model.asked) <= 20


def test_a_refusal_is_waited_out_as_long_as_it_asks() -> None:
    """Retry-After of a 429 holds back the next request."""
    model = FakeModel(verdict=scripted(ModelRateLimitError("slow down", 7.5, 429)))
    model.time.drive(caller(model).ask(REQUEST))
    assert model.time.slept == [7.5]


def test_a_burst_of_refusals_lowers_the_limit_once_and_successes_raise_it() -> None:
    """Sixteen in flight, sixteen refusals: the limit falls to 12 once; 25 successes add one, which a refusal takes."""
    limit = AdaptiveLimit()
    for _ in range(16):
        limit.refused(10.0, sent_at=9.0, in_flight=16, retry_after=None)
    assert limit.limit == 12
    assert limit.not_before == 12.0
    for _ in range(25):
        limit.accepted(16, 30.0)
    assert limit.limit == 13
    limit.refused(31.0, sent_at=30.5, in_flight=13, retry_after=3.0)
    assert (limit.limit, limit.not_before) == (12, 34.0)


def test_backoff_grows_is_jittered_and_honours_what_was_asked() -> None:
    """Delays double up to the longest, each between half and all of it, and never less than asked."""
    rng = random.Random(0)
    policy = Backoff()
    delays = [policy.delay(attempt, rng) for attempt in range(1, 12)]
    assert all(0.25 * 2 ** (n - 1) <= d <= 0.5 * 2 ** (n - 1) for n, d in enumerate(delays[:6], 1))
    assert max(delays) <= 30
    assert policy.delay(1, rng, retry_after=9) == 9


@given(st.integers(1, 5), st.lists(st.integers(0, 6), max_size=30), st.integers(1, 20))
def test_slots_never_exceed_their_limit_and_serve_in_order(total: int, changes: list[int], holders: int) -> None:
    """Whatever the limit is changed to, no slot is given above it, and whoever came first is served first."""

    async def scenario() -> None:
        slots = Slots(total)
        served: list[int] = []
        highest = 0

        async def hold(number: int) -> None:
            nonlocal highest
            await slots.acquire()
            highest = max(highest, slots.in_use)
            served.append(number)
            await asyncio.sleep(0)
            slots.release()

        tasks = [asyncio.create_task(hold(number)) for number in range(holders)]
        for change in changes:
            slots.total = change
            await slots.settled()
            assert slots.in_use <= change
            await asyncio.sleep(0)
        slots.total = total
        await asyncio.gather(*tasks)
        assert highest <= max([total, *changes])
        assert served == sorted(served)
        assert slots.statistics().in_use == 0

    asyncio.run(scenario())


def test_a_cancelled_waiter_leaves_its_place() -> None:
    """Cancelling one who waits neither loses a slot nor blocks those behind."""

    async def scenario() -> int:
        slots = Slots(1)
        await slots.acquire()
        first = asyncio.create_task(slots.acquire())
        second = asyncio.create_task(slots.acquire())
        await asyncio.sleep(0)
        first.cancel()
        slots.release()
        await second
        return slots.in_use

    assert asyncio.run(scenario()) == 1


def test_driving_an_exchange_turns_refusals_into_drops() -> None:
    """A refusal that cannot be mended ends the exchange as a value; an outage is raised."""

    def talk() -> Iterator[Request]:
        response = yield REQUEST
        return Ok((response.text,))

    exchange: Exchange = talk()  # type: ignore[assignment]
    refusing, answering = FakeModel(verdict=scripted(ModelBadRequestError("no"))), FakeModel()
    outcome = refusing.time.drive(drive(exchange, caller(refusing).ask))
    assert isinstance(outcome, Drop)
    assert (outcome.reason.kind, outcome.reason.message) == ("ModelBadRequestError", "no")
    assert answering.time.drive(drive(talk(), caller(answering).ask)) == Ok(("fine",))  # type: ignore[arg-type]
