"""A request of another kind than a chat's: it passes the same admission, retries, budget and journal."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from tests.models.fakes import FakeModel, pool, request, scripted

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.journal import Recorder, read_replay, request_digest
from data_designer.errors import ModelInternalServerError, ModelUnsupportedCapabilityError
from data_designer.models.admission.budget_lease import Amount, BudgetLease, Estimate
from data_designer.models.admission.request_admission import AdmissionLimits, RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.client import ModelClient
from data_designer.models.retry import Caller, CallerOptions
from data_designer.plan.model import Geometry
from data_designer.values import BaseRequest, BaseResponse, Usage


@dataclass(frozen=True, slots=True)
class Lookup(BaseRequest):
    """Asks what a word means."""

    word: str
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def content(self) -> object:
        """Word and fields."""
        return ["lookup", self.word, self.params]

    @property
    def most_tokens(self) -> int:
        """A letter each."""
        return len(self.word)

    @property
    def longest_reply(self) -> int | None:
        """None is counted."""
        return 0

    def with_params(self, params: Mapping[str, object]) -> Self:
        """The same with further fields."""
        return replace(self, params={**params, **self.params})


@dataclass(frozen=True, slots=True)
class Meaning(BaseResponse):
    """What it means."""

    number: float

    @property
    def content(self) -> list[object]:
        """The number."""
        return [self.number]

    @property
    def length(self) -> int:
        """Nothing to read."""
        return 0

    @property
    def says_nothing(self) -> bool:
        """A number always says something."""
        return False


TEA: Any = Lookup("tea")
FOUND: Any = Meaning(42.0, usage=Usage(1, input_tokens=2))


def test_it_is_admitted_tried_again_and_paid_for() -> None:
    """By its own size; a failure in between is no reply."""
    model = FakeModel(verdict=scripted(ModelInternalServerError("no"), FOUND))
    lease = BudgetLease()
    lease.fund(Amount(1.0, 5.0, 2.0))
    limits = AdmissionLimits(estimate=Estimate(None, 1000), budget_lease=lease)
    admission = RequestAdmission(Slots(1), limits, clock=model.time.clock, sleep=model.time.sleep)
    rng = random.Random(0)
    asking = Caller(model, admission, CallerOptions(), rng=rng, clock=model.time.clock, sleep=model.time.sleep)
    reply: Any = model.time.drive(asking.ask(TEA))
    assert (reply.number, reply.usage) == (42.0, Usage(1, 1, 2))
    assert [one.request for one in model.asked] == [TEA, TEA]
    assert lease.report(1).spent == Amount(0.0, 2.0, 2.0)


def test_it_is_told_apart_and_its_reply_is_kept(tmp_path: Path) -> None:
    """By its content; what no kind of reply has kept is damage."""
    drawn = TEA.with_params({"temperature": 0.5})
    others = [TEA, drawn, Lookup("teas"), request("tea")]
    assert len({request_digest(one) for one in others}) == len(others)
    assert drawn.with_params({"temperature": 0.1}) == drawn
    assert Recorder(LocalFiles(tmp_path), Geometry(10, 10), "w").write_reply(("f", 0, 0), TEA, FOUND)
    assert b"[42.0,[1,0,2,0,0,0]]" in next(tmp_path.rglob("*.log")).read_bytes()
    assert read_replay(LocalFiles(tmp_path), [0]).damaged == 1


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_wire_that_cannot_write_it_says_so(kind: str) -> None:
    """Before anything is sent."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            alias = pool("http://127.0.0.1:9/v1", provider={"provider_type": kind})
            await ModelClient(alias, None, session).ask(TEA)

    with pytest.raises(ModelUnsupportedCapabilityError, match="alias 'm'.*asked for what it does not make"):
        asyncio.run(ask())
