"""What a caller makes of keys that are refused and accounts that are empty, and how it counts attempts."""

import asyncio
import random
from typing import Any

import pytest
from tests.models.fakes import REPLY, FakeModel, Sent, request, scripted

from data_designer.errors import (
    ModelAuthenticationError,
    ModelBadRequestError,
    ModelError,
    ModelInternalServerError,
    ModelPermissionDeniedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelTimeoutError,
    Outage,
)
from data_designer.models.admission.request_admission import RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.retry import Caller, CallerOptions
from data_designer.values import ChatResponse, Response, Usage

REVOKED = ModelAuthenticationError("Incorrect API key provided: ***. This key was revoked.", None, 401)
EMPTY = ModelQuotaExceededError("You are out of credits", None, 402)
OF_THE_ACCOUNT = pytest.mark.parametrize("refusal", [REVOKED, EMPTY], ids=["key", "account"])


def caller(model: FakeModel, slots: int = 1, **options: Any) -> Caller:
    """A caller in the model's time."""
    time = model.time
    admission = RequestAdmission(Slots(slots), clock=time.clock, sleep=time.sleep)
    return Caller(model, admission, CallerOptions(**options), rng=random.Random(7), clock=time.clock, sleep=time.sleep)


def ask(model: FakeModel, asking: Caller, times: int) -> list[Any]:
    """Ask one after the other; replies and errors."""

    async def one_by_one() -> list[Any]:
        results: list[Any] = []
        for _ in range(times):
            results += await asyncio.gather(asking.ask(request()), return_exceptions=True)
        return results

    return model.time.drive(one_by_one())


@OF_THE_ACCOUNT
def test_an_account_that_worked_and_is_refused_twice_stops_the_run(refusal: ModelError) -> None:
    """No row is to blame, so none is rejected: the run stops with the provider's words and status."""
    model = FakeModel(verdict=scripted(REPLY, refusal, refusal))
    good, stopped = ask(model, caller(model), 2)
    assert good == REPLY
    assert isinstance(stopped, Outage)
    assert (str(stopped), stopped.status) == (str(refusal), refusal.status)
    assert stopped.__cause__ is refusal
    assert len(model.asked) == 3


@OF_THE_ACCOUNT
def test_a_single_refusal_of_an_account_that_worked_is_tried_again(refusal: ModelError) -> None:
    """Some gateways err once: the request is answered after a pause, and the refusal counts as a failed attempt."""
    model = FakeModel(verdict=scripted(REPLY, refusal))
    _, reply = ask(model, caller(model), 2)
    assert reply == ChatResponse("fine", usage=Usage(1, 1, 3, 2))
    assert model.sent[2] > model.sent[1]


@OF_THE_ACCOUNT
def test_refusals_of_different_requests_do_not_add_up(refusal: ModelError) -> None:
    """Each is tried again by itself: two requests that are refused once each are both answered."""
    model = FakeModel(verdict=scripted(REPLY, refusal, REPLY, refusal))
    assert [reply.text for reply in ask(model, caller(model), 3)] == ["fine"] * 3


@OF_THE_ACCOUNT
def test_an_account_that_never_worked_is_not_tried_again(refusal: ModelError) -> None:
    """A wrong key is wrong at once; the error says so as it is."""
    model = FakeModel(verdict=scripted(refusal))
    (error,) = ask(model, caller(model), 1)
    assert error is refusal
    assert len(model.asked) == 1


@OF_THE_ACCOUNT
def test_where_a_run_is_not_to_stop_such_refusals_reject_rows(refusal: ModelError) -> None:
    """The refusal is raised as it is, without a second try, and the next request is asked as if nothing were."""
    model = FakeModel(verdict=scripted(REPLY, refusal, REPLY))
    results = ask(model, caller(model, stops_for_account=False), 3)
    assert results == [REPLY, refusal, REPLY]
    assert len(model.asked) == 3


@pytest.mark.parametrize(
    "refusal", [ModelPermissionDeniedError("no", None, 403), ModelBadRequestError("no", None, 400)]
)
def test_other_refusals_are_the_request_s_own_however_often_they_come(refusal: ModelError) -> None:
    """A model that may not be used, or a prompt that is not taken, says nothing of the account."""
    model = FakeModel(verdict=scripted(REPLY, refusal, refusal, refusal))
    assert ask(model, caller(model), 4) == [REPLY, refusal, refusal, refusal]


def test_a_request_that_is_refused_while_later_ones_are_answered_is_to_blame_itself() -> None:
    """The account works, as the others show: a prompt for which the key is refused rejects its row only."""
    poison = request("poison")

    def verdict(sent: Sent) -> Response | ModelError:
        return REVOKED if sent.request is poison else REPLY

    model = FakeModel(verdict=verdict, latency=1.0)
    asking = caller(model, slots=2)

    async def others() -> None:
        await model.time.sleep(0.25)
        for _ in range(20):
            await asking.ask(request())

    async def scenario() -> Any:
        await asking.ask(request())
        refused, _ = await asyncio.gather(asking.ask(poison), others(), return_exceptions=True)
        return refused

    assert model.time.drive(scenario()) is REVOKED
    assert 1 <= sum(sent.request is poison for sent in model.asked) <= 2


def test_all_that_are_in_flight_when_a_key_is_revoked_stop() -> None:
    """Each of them is refused twice and ends as an outage; none is rejected."""

    def verdict(sent: Sent) -> Response | ModelError:
        return REPLY if sent.at < 1002.0 else REVOKED

    model = FakeModel(verdict=verdict, latency=1.0)
    asking = caller(model, slots=4)
    results = asyncio.run(model.time.run(*(asking.ask(request()) for _ in range(12))))
    assert results[:8] == [REPLY] * 8
    assert [type(result) for result in results[8:]] == [Outage] * 4
    assert asking.take_statistics().errors == {"ModelAuthenticationError": 8}


def test_a_reply_counts_the_failed_attempts_before_it() -> None:
    """Its usage says what the cell came to: whatever failed, of every kind, and the tokens of the reply alone."""
    failures = [ModelInternalServerError("a"), ModelTimeoutError("b"), ModelRateLimitError("c")]
    model = FakeModel(verdict=scripted(*failures))
    asking = caller(model)
    first, second = ask(model, asking, 2)
    assert first.usage == Usage(requests=1, failed_requests=3, input_tokens=3, output_tokens=2)
    assert second.usage == REPLY.usage
    assert asking.take_statistics().usage == first.usage + second.usage


def test_a_request_that_is_never_answered_counts_as_failed_only() -> None:
    """Statistics hold its attempts, and the error says how many there were."""
    model = FakeModel(verdict=scripted(ModelInternalServerError("a"), ModelBadRequestError("b")))
    asking = caller(model)
    (error,) = ask(model, asking, 1)
    assert (type(error), error.attempts) == (ModelBadRequestError, 2)
    statistics = asking.take_statistics()
    assert statistics.usage == Usage(failed_requests=2)
    assert statistics.errors == {"ModelInternalServerError": 1, "ModelBadRequestError": 1}
    assert statistics.examples == {"ModelInternalServerError": "a", "ModelBadRequestError": "b"}


def test_the_latency_of_a_reply_is_that_of_its_own_attempt() -> None:
    """Waiting for the admission, and the attempts that failed, are not the model's time to answer."""
    model = FakeModel(verdict=scripted(ModelInternalServerError("no", 60.0, 503)), latency=2.0)
    asking = caller(model, patience=1000.0, first_patience=1000.0)
    ask(model, asking, 2)
    statistics = asking.take_statistics()
    assert statistics.seconds == pytest.approx(4.0)
    assert statistics.slowest == pytest.approx(2.0)
