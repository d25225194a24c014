"""Whether a request fails or its endpoint: told by what else is answered, or by a probe where nothing else is."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.fakes import REPLY, VirtualTime, request
from tests.properties import examples

from data_designer.errors import (
    ModelAPIConnectionError,
    ModelError,
    ModelInternalServerError,
    ModelTimeoutError,
    Outage,
)
from data_designer.models.admission.budget_lease import Amount, BudgetLease, Estimate
from data_designer.models.admission.request_admission import AdmissionLimits, RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.model import GREETING
from data_designer.models.retry import Caller, CallerOptions
from data_designer.values import ChatResponse, Request, Response, Usage

GOOD, BAD = request("good"), request("bad")
PATIENCE = 300.0
TIMEOUT = 60.0
Answer = Callable[[Request, float], Response | ModelError]
FAILURES = pytest.mark.parametrize("failure", [ModelInternalServerError, ModelTimeoutError, ModelAPIConnectionError])


@dataclass
class Endpoint:
    """Answers as told, in a tenth of a second; what is not answered in time takes a minute."""

    answer: Answer
    time: VirtualTime = field(default_factory=VirtualTime)
    asked: list[Request] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0

    async def ask(self, request: Request) -> Response:
        """Answer, or fail."""
        self.asked.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            answer = self.answer(request, self.time.now)
            await self.time.sleep(TIMEOUT if isinstance(answer, ModelTimeoutError) else 0.1)
            if isinstance(answer, ModelError):
                raise answer
            return answer
        finally:
            self.in_flight -= 1

    def caller(self, slots: int = 4, limits: AdmissionLimits | None = None, **options: Any) -> Caller:
        """Somebody who asks it."""
        given = {"patience": PATIENCE, "first_patience": PATIENCE, **options}
        admission = RequestAdmission(Slots(slots), limits, clock=self.time.clock, sleep=self.time.sleep)
        admission.share(1.0)
        rng = random.Random(7)
        return Caller(self, admission, CallerOptions(**given), rng=rng, clock=self.time.clock, sleep=self.time.sleep)

    def ask_all(self, caller: Caller, requests: Sequence[Request]) -> list[Any]:
        """Replies and errors, in order."""
        return asyncio.run(self.time.run(*(caller.ask(one) for one in requests)))

    def times(self, one: Request) -> int:
        """How often it was asked something."""
        return sum(asked is one for asked in self.asked)


def failing(what: type[ModelError], *bad: Request) -> Answer:
    """Some requests always fail; all others are answered."""
    return lambda one, _: what("cannot") if any(one is other for other in bad) else REPLY


@FAILURES
@pytest.mark.parametrize("greets", [True, False])
@pytest.mark.parametrize("others", [0, 9])
def test_a_request_that_always_fails_is_given_up_when_nothing_else_is_left_to_ask(
    failure: type[ModelError], greets: bool, others: int
) -> None:
    """Alone, or the last of many; by its own kind, long before the endpoint's patience would be over."""
    endpoint = Endpoint(failing(failure, BAD))
    caller = endpoint.caller(greets=greets)
    *replies, error = endpoint.ask_all(caller, [*([GOOD] * others), BAD])
    assert [reply.text for reply in replies] == ["fine"] * others
    assert type(error) is failure
    assert error.attempts == endpoint.times(BAD) <= 11
    assert endpoint.time.now < 1000 + (7 * TIMEOUT if failure is ModelTimeoutError else 30)


@FAILURES
def test_several_of_them_share_what_a_probe_shows(failure: type[ModelError]) -> None:
    """All are given up, and hardly later than one would be."""
    bad = [request(f"bad {number}") for number in range(8)]
    endpoint = Endpoint(failing(failure, *bad))
    errors = endpoint.ask_all(endpoint.caller(slots=8), [GOOD, *bad])[1:]
    assert {type(error) for error in errors} == {failure}
    assert endpoint.time.now < 1000 + (8 * TIMEOUT if failure is ModelTimeoutError else 40)
    assert endpoint.times(GREETING) <= 5 * len(bad)


def test_they_are_given_up_though_there_is_only_one_slot() -> None:
    """No slot is held while one waits for what a probe shows."""
    bad = [request(f"bad {number}") for number in range(3)]
    endpoint = Endpoint(failing(ModelInternalServerError, *bad))
    results = endpoint.ask_all(endpoint.caller(slots=1), [*bad, GOOD])
    assert [type(result) for result in results] == [ModelInternalServerError] * 3 + [ChatResponse]
    assert endpoint.peak == 1


def test_a_model_that_is_not_to_be_greeted_is_asked_again_what_it_answered() -> None:
    """A greeting is the last resort, where it has answered nothing."""
    endpoint = Endpoint(failing(ModelInternalServerError, BAD))
    caller = endpoint.caller(greets=False)
    endpoint.ask_all(caller, [GOOD])
    endpoint.ask_all(caller, [BAD])
    assert endpoint.times(GOOD) > 1
    assert not endpoint.times(GREETING)
    other = Endpoint(failing(ModelInternalServerError, BAD))
    other.ask_all(other.caller(greets=False), [BAD])
    assert other.times(GREETING)


def test_what_an_earlier_run_was_answered_serves_as_well() -> None:
    """A resume whose only request is the bad one has nothing else."""
    endpoint = Endpoint(failing(ModelInternalServerError, BAD))
    caller = endpoint.caller(greets=False)
    caller.remember(GOOD)
    assert isinstance(endpoint.ask_all(caller, [BAD])[0], ModelInternalServerError)
    assert endpoint.times(GOOD)
    assert not endpoint.times(GREETING)


def test_probes_are_counted_with_the_request_for_whose_sake_they_were_sent() -> None:
    """In the numbers of the process, and in those of the cell, whether it is given up or answered in the end."""
    endpoint = Endpoint(failing(ModelInternalServerError, BAD))
    caller = endpoint.caller()
    (error,) = endpoint.ask_all(caller, [BAD])
    probes = endpoint.times(GREETING)
    assert Usage(*error.beside) == Usage(requests=probes, input_tokens=3 * probes, output_tokens=2 * probes)
    usage = caller.take_statistics().usage
    assert usage == Usage(*error.beside) + Usage(failed_requests=error.attempts)

    later = Endpoint(lambda one, now: ModelInternalServerError("no") if one is BAD and now < 1004 else REPLY)
    (reply,) = later.ask_all(later.caller(), [BAD])
    probes = later.times(GREETING)
    assert probes > 0
    assert (reply.usage.requests, reply.usage.failed_requests) == (1 + probes, later.times(BAD) - 1)


@FAILURES
@pytest.mark.parametrize("greets", [True, False])
@pytest.mark.parametrize("worked", [True, False])
def test_an_endpoint_that_is_down_rejects_nothing(failure: type[ModelError], greets: bool, worked: bool) -> None:
    """Neither what it is asked nor a probe is answered: after the patience that is an outage."""
    endpoint = Endpoint(lambda _, now: REPLY if worked and now < 1000.05 else failure("down"))
    requests = [request(str(number)) for number in range(8)]
    results = endpoint.ask_all(endpoint.caller(greets=greets), requests)
    answered = 4 if worked else 0
    assert [type(result) for result in results] == [ChatResponse] * answered + [Outage] * (8 - answered)
    assert PATIENCE <= endpoint.time.now - 1000 < PATIENCE + 4 * TIMEOUT
    asked = sum(endpoint.times(one) for one in requests)
    assert len(endpoint.asked) - asked <= asked


@FAILURES
def test_an_endpoint_that_comes_back_is_waited_for(failure: type[ModelError]) -> None:
    """Whatever failed meanwhile is answered, and nothing is held against it."""
    endpoint = Endpoint(lambda _, now: failure("down") if 1000.05 < now < 1250 else REPLY)
    results = endpoint.ask_all(endpoint.caller(slots=2), [GOOD] * 10)
    assert [result.text for result in results] == ["fine"] * 10


@pytest.mark.parametrize("requests", [1, 30])
def test_an_endpoint_that_fails_every_other_time_answers_everything(requests: int) -> None:
    """Alone or among others: chance is not taken for fault."""
    rng = random.Random(3)
    endpoint = Endpoint(lambda *_: REPLY if rng.random() < 0.5 else ModelInternalServerError("no"))
    for _ in range(20):
        results = endpoint.ask_all(endpoint.caller(), [GOOD] * requests)
        assert [getattr(result, "text", result) for result in results] == ["fine"] * requests


def test_a_patience_shorter_than_a_timeout_is_no_reason_to_blame_the_endpoint() -> None:
    """When the first attempt has come to its end the patience is over; still a probe is asked first."""
    endpoint = Endpoint(failing(ModelTimeoutError, BAD))
    good, bad = endpoint.ask_all(endpoint.caller(patience=30.0, first_patience=30.0), [GOOD, BAD])
    assert good == REPLY
    assert type(bad) is ModelTimeoutError


def test_a_probe_keeps_to_the_rate() -> None:
    """It is a request like any other."""
    endpoint = Endpoint(failing(ModelInternalServerError, BAD))
    sent: list[float] = []
    answer = endpoint.answer

    def noted(one: Request, now: float) -> Response | ModelError:
        sent.append(now)
        return answer(one, now)

    endpoint.answer = noted
    limits = AdmissionLimits(requests_per_minute=6)
    (error,) = endpoint.ask_all(endpoint.caller(limits=limits), [BAD])
    assert isinstance(error, ModelInternalServerError)
    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) <= 6


def test_a_probe_is_paid_from_the_budget() -> None:
    """What the requests and the probes cost is what the lease has spent."""
    budget_lease = BudgetLease()
    budget_lease.fund(Amount(requests=100, tokens=10**6))
    endpoint = Endpoint(failing(ModelInternalServerError, BAD))
    caller = endpoint.caller(limits=AdmissionLimits(estimate=Estimate(None, 10), budget_lease=budget_lease))
    endpoint.ask_all(caller, [GOOD, BAD])
    assert budget_lease.report(4).spent.requests == len(endpoint.asked)


@examples(60)
@given(
    st.integers(1, 4),
    st.lists(st.sampled_from(["good", "bad"]), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 250)), max_size=3),
    st.booleans(),
)
def test_whatever_comes_together_good_requests_are_answered_and_bad_ones_are_named(
    slots: int, kinds: list[str], outages: list[tuple[int, int]], greets: bool
) -> None:
    """Outages shorter than the patience, requests that fail for good, any number of slots: all come to their end."""
    requests = [request(kind) for kind in kinds]
    bad = [one for one, kind in zip(requests, kinds, strict=True) if kind == "bad"]

    def answer(one: Request, now: float) -> Response | ModelError:
        if any(begin <= now - 1000 < begin + length for begin, length in outages):
            return ModelAPIConnectionError("down")
        return failing(ModelInternalServerError, *bad)(one, now)

    endpoint = Endpoint(answer)
    results = endpoint.ask_all(endpoint.caller(slots, patience=1000.0, first_patience=1000.0, greets=greets), requests)
    wanted = [ChatResponse if kind == "good" else ModelInternalServerError for kind in kinds]
    ended = [type(result) for result in results]
    assert all(one is want or one is ModelAPIConnectionError for one, want in zip(ended, wanted, strict=True))
    assert [one for one, want in zip(ended, wanted, strict=True) if want is ChatResponse] == [
        ChatResponse
    ] * kinds.count("good")
    assert endpoint.peak <= slots
