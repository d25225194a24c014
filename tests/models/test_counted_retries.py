"""Requests to what is no model are tried as often as was said, and then somebody is told."""

import asyncio
import random

import pytest
from tests.models.fakes import FakeModel, always, request, scripted

from data_designer.errors import ModelError, ModelInternalServerError, ModelNotFoundError, ModelRateLimitError, Outage
from data_designer.models.admission.request_admission import RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.backoff import Backoff
from data_designer.models.retry import Caller, CallerOptions


def caller(model: FakeModel, retries: int) -> Caller:
    """A caller of two slots in the model's time."""
    time = model.time
    admission = RequestAdmission(Slots(2), clock=time.clock, sleep=time.sleep)
    options = CallerOptions(retries=retries, greets=False, first_patience=60.0, backoff=Backoff(factor=3.0))
    return Caller(model, admission, options, rng=random.Random(1), clock=time.clock, sleep=time.sleep)


def test_what_may_pass_is_tried_so_often_and_no_more() -> None:
    """Three retries are four attempts; none of them is a probe, and no outage ends anything."""
    model = FakeModel(verdict=always(ModelInternalServerError("down")))
    with pytest.raises(ModelInternalServerError) as raised:
        model.time.drive(caller(model, 3).ask(request()))
    assert not isinstance(raised.value, Outage)
    assert (len(model.asked), raised.value.attempts) == (4, 4)
    assert all(sent.request == request() for sent in model.asked)


def test_what_no_retry_mends_is_asked_once() -> None:
    """As where the address is wrong."""
    model = FakeModel(verdict=always(ModelNotFoundError("nothing here")))
    with pytest.raises(ModelNotFoundError):
        model.time.drive(caller(model, 3).ask(request()))
    assert len(model.asked) == 1


def test_a_refusal_counts_and_is_waited_for() -> None:
    """A service that asks to be left alone for five seconds is; its answer counts the attempt before it."""
    model = FakeModel(verdict=scripted(ModelRateLimitError("slow down", 5.0)))
    reply = model.time.drive(caller(model, 1).ask(request()))
    assert reply.usage.failed_requests == 1
    assert model.time.now >= 5.0


def test_others_are_tried_while_one_fails() -> None:
    """Each request has attempts of its own."""
    model = FakeModel(verdict=always(ModelInternalServerError("down")))
    asking = caller(model, 1)

    async def scenario() -> None:
        ended = await asyncio.gather(*(asking.ask(request(str(n))) for n in range(5)), return_exceptions=True)
        assert all(isinstance(one, ModelError) and one.attempts == 2 for one in ended)

    model.time.drive(scenario())
    assert len(model.asked) == 10
