"""Several cells in a request: which come together, what each is told, and whose fault a refusal is."""

import asyncio
import copyreg
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.execution.conftest import VirtualTime
from tests.models.fakes import REPLY, pool, request

import data_designer.config as dd
from data_designer.errors import (
    ModelAuthenticationError,
    ModelBadRequestError,
    ModelError,
    ModelInternalServerError,
    Outage,
)
from data_designer.models.admission.request_admission import RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.batching import Batching, RequestSize, batches, divided, request_size
from data_designer.models.retry import Caller, CallerOptions, Keep
from data_designer.values import EmbeddingRequest, EmbeddingResponse, Request, Response, Usage

Texts = list[str]
TOKENS = 10
"""What each text comes to."""


def vector(text: str) -> tuple[float, ...]:
    """One that tells a text from others."""
    return float(len(text)), float(sum(text.encode()))


@dataclass
class Embedder:
    """A model at its seam: gives each text its vector after a while, or fails as a test tells it to."""

    verdict: Callable[[Texts], ModelError | None] = lambda _: None
    shortens: bool = False
    """Whether it leaves out a vector where there are several."""
    asked: list[Texts] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0

    async def ask(self, request: Request) -> Response:
        """Answer, or fail."""
        if not isinstance(request, EmbeddingRequest):
            return REPLY
        self.asked.append(request.texts)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(1.0)
            if (error := self.verdict(request.texts)) is not None:
                raise error
            vectors = tuple(map(vector, request.texts))
            usage = Usage(requests=1, input_tokens=TOKENS * len(vectors))
            return EmbeddingResponse(vectors[: -1 if self.shortens and len(vectors) > 1 else None], usage=usage)
        finally:
            self.in_flight -= 1


async def one_after_another(replies: Sequence[tuple[Keep, Response]]) -> None:
    """Keep replies."""
    for keep, response in replies:
        await keep(response)


@dataclass
class Asking:
    """Cells that ask, and what came of each."""

    model: Embedder
    slots: int = 2
    size: RequestSize = field(default_factory=lambda: RequestSize(4))
    kept: dict[str, Response] = field(default_factory=dict)
    statistics: Usage = field(default_factory=Usage)

    async def ask(self, *cells: Texts) -> Sequence[Response | BaseException]:
        """Ask for all of them at once."""
        batching = self.batching()
        found = await asyncio.gather(*(self.one(batching, cell) for cell in cells), return_exceptions=True)
        await batching.close()
        self.statistics = self._caller.take_statistics().usage
        return found

    def batching(self) -> Batching:
        """A way to ask, on this loop."""
        clock, slots = asyncio.get_running_loop().time, Slots(self.slots)
        admission = RequestAdmission(slots, clock=clock)
        options = CallerOptions(first_patience=20.0, greeting=EmbeddingRequest(["Hello!"]))
        self._caller = Caller(self.model, admission, options, rng=random.Random(1), clock=clock)
        return Batching(self._caller, slots, self.size, "model 'e'", one_after_another)

    async def one(self, batching: Batching, texts: Texts, **params: object) -> Response:
        """Ask for one, and keep what comes."""

        async def keep(response: Response) -> None:
            assert self.model.in_flight < self.slots, "its slot is given back already"
            self.kept[texts[0]] = response

        return await batching.ask(EmbeddingRequest(texts, params), keep)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a scenario on a loop on which nobody waits."""
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(work)


def cells(count: int) -> list[Texts]:
    """So many, each of one text of its own."""
    return [[f"text {number}"] for number in range(count)]


def total(found: Sequence[Response | BaseException]) -> Usage:
    """What replies, and refusals, say that they came to."""
    usages = []
    for one in found:
        if isinstance(one, ModelError):
            usages += [Usage(*one.beside), Usage(failed_requests=one.attempts)]
        elif not isinstance(one, BaseException):
            usages.append(one.usage)
    return Usage.total(usages)


def test_cells_that_wait_travel_together() -> None:
    """Ten cells in requests of four at two slots; each is told its own vector, and keeps it before the slot is free."""
    asking = Asking(Embedder())
    found = run(asking.ask(*cells(10)))
    assert [len(texts) for texts in asking.model.asked] == [4, 4, 2]
    assert asking.model.peak == 2
    assert [one.vectors for one in found] == [(vector(text),) for [text] in cells(10)]
    assert asking.kept == {text: one for [text], one in zip(cells(10), found, strict=True)}


def test_a_request_is_counted_once_and_its_tokens_with_their_cells() -> None:
    """What the cells say that they came to is what the endpoint says."""
    asking = Asking(Embedder())
    found = run(asking.ask(*cells(10)))
    assert total(found) == asking.statistics == Usage(requests=3, input_tokens=10 * TOKENS)
    assert [one.usage.input_tokens for one in found] == [TOKENS] * 10


def test_cells_of_several_texts_are_not_torn_apart() -> None:
    """They count with all their texts; one that is larger than a request goes alone."""
    asking = Asking(Embedder(), slots=1)
    texts = [["a", "b", "c"], ["d", "e"], ["f"], list("ghijklm"), ["n"]]
    found = run(asking.ask(*texts))
    assert asking.model.asked == [["a", "b", "c"], ["d", "e", "f"], list("ghijklm"), ["n"]]
    assert [len(one.vectors) for one in found] == [3, 2, 1, 7, 1]


def test_a_request_is_no_larger_than_its_tokens() -> None:
    """Each of these texts alone is half of what a request may have."""
    asking = Asking(Embedder(), size=RequestSize(100, 3000))
    run(asking.ask(*(["x" * 1400 + str(number)] for number in range(6))))
    assert [len(texts) for texts in asking.model.asked] == [2, 2, 2]


def test_cells_that_ask_otherwise_do_not_share_a_request() -> None:
    """Nor does a request of another kind wait for any."""
    asking = Asking(Embedder())

    async def scenario() -> None:
        batching = asking.batching()
        ways = [asking.one(batching, [f"{n}"], dimensions=n % 2) for n in range(6)]
        *_, chat = await asyncio.gather(*ways, batching.ask(request()))
        assert chat is REPLY

    run(scenario())
    assert sorted(map(sorted, asking.model.asked)) == [["0", "2", "4"], ["1", "3", "5"]]


def test_an_empty_text_goes_alone() -> None:
    """Many endpoints refuse it, and all that is asked with it."""
    asking = Asking(Embedder(), slots=1, size=RequestSize(100))
    run(asking.ask(["a"], [""], ["b"], ["c", ""], ["d"], ["e"]))
    assert asking.model.asked == [["a"], [""], ["b"], ["c", ""], ["d", "e"]]


def test_one_bad_text_costs_its_own_cell_only() -> None:
    """A refusal is taken apart until it is known whose it is; what that cost is in the accounts, once."""
    bad = ModelBadRequestError("not this one")
    asking = Asking(Embedder(lambda texts: bad if "text 5" in texts else None), size=RequestSize(8))
    found = run(asking.ask(*cells(16)))
    assert [place for place, one in enumerate(found) if isinstance(one, ModelError)] == [5]
    assert [one.vectors for one in found if not isinstance(one, ModelError)] == [
        (vector(text),) for [text] in cells(16) if text != "text 5"
    ]
    # 16 cells in two requests; of the one that is refused a half, a quarter and the cell are refused too.
    assert asking.statistics == Usage(requests=4, failed_requests=4, input_tokens=15 * TOKENS)
    assert total(found) == asking.statistics


def test_an_endpoint_that_takes_fewer_texts_is_given_fewer() -> None:
    """Where the halves of a refused request are answered, its size was to blame, and later ones are smaller."""
    asking = Asking(Embedder(lambda texts: ModelBadRequestError("too many") if len(texts) > 3 else None), slots=1)
    asking.size = RequestSize(8)
    found = run(asking.ask(*cells(32)))
    assert not any(isinstance(one, ModelError) for one in found)
    sizes = [len(texts) for texts in asking.model.asked]
    assert sizes[:7] == [8, 4, 2, 2, 4, 2, 2]
    assert set(sizes[7:]) == {2}
    assert total(found) == asking.statistics


def test_a_reply_of_another_count_is_none() -> None:
    """It is asked for again in parts; nobody is given the vector of another text."""
    asking = Asking(Embedder(shortens=True), slots=1)
    found = run(asking.ask(*cells(4)))
    assert [one.vectors for one in found] == [(vector(text),) for [text] in cells(4)]
    assert [len(texts) for texts in asking.model.asked] == [4, 2, 1, 1, 2, 1, 1]
    assert total(found) == asking.statistics


def test_a_cell_that_is_asked_alone_is_told_what_came_back() -> None:
    """What is wrong with it, whoever asked says."""
    asking = Asking(Embedder(shortens=True))
    [found] = run(asking.ask(["a", "b", "c"]))
    assert len(found.vectors) == 2


def test_a_refusal_that_no_text_is_to_blame_for_is_everybodys() -> None:
    """One request is refused, not one for every cell."""
    asking = Asking(Embedder(lambda _: ModelAuthenticationError("no key")), size=RequestSize(100))
    found = run(asking.ask(*cells(30)))
    assert {type(one) for one in found} == {ModelAuthenticationError}
    assert len({id(one) for one in found}) == 30
    assert total(found) == Usage(failed_requests=1) == asking.statistics


def test_an_outage_ends_every_cell_that_waits() -> None:
    """It is not taken apart, and no cell waits for ever."""
    asking = Asking(Embedder(lambda _: ModelInternalServerError("down")))
    found = run(asking.ask(*cells(9)))
    assert {type(one) for one in found} == {Outage}


def test_what_waits_to_be_tried_again_leaves_its_slot_to_others() -> None:
    """A request that fails time and again, and pauses in between, does not hold up the rest."""
    failing = ModelInternalServerError("this one")
    asking = Asking(Embedder(lambda texts: failing if "text 0" in texts else None), slots=1, size=RequestSize(1))

    async def scenario() -> list[int]:
        batching = asking.batching()
        done: list[int] = []

        async def one(number: int) -> None:
            with suppress(ModelError):
                await asking.one(batching, [f"text {number}"])
            done.append(number)

        await asyncio.gather(*map(one, range(12)))
        return done

    done = run(scenario())
    assert done.index(0) > 3


def test_nothing_is_asked_for_nobody() -> None:
    """Whoever waits no more is left out, and a request whose cells all went is given up."""
    asking = Asking(Embedder(), slots=1, size=RequestSize(2))

    async def scenario() -> None:
        batching = asking.batching()
        waiting = [asyncio.create_task(asking.one(batching, cell)) for cell in cells(6)]
        await asyncio.sleep(0.5)
        assert asking.model.in_flight == 1
        for task in waiting[:3]:
            task.cancel()
        await asyncio.sleep(0.1)
        assert asking.model.asked == [["text 0", "text 1"], ["text 3", "text 4"]]
        await asyncio.gather(*waiting[3:])
        await batching.close()

    run(scenario())
    assert asking.model.asked[2:] == [["text 5"]]


def test_a_cell_is_in_flight_from_when_it_goes_with_others_until_their_request_fails_or_is_answered() -> None:
    """Before that, and while it waits to be tried again, it may be let go."""
    failing = [ModelInternalServerError("this time")]
    asking = Asking(Embedder(lambda _: failing.pop() if failing else None), slots=1, size=RequestSize(1))

    async def scenario() -> None:
        batching = asking.batching()
        told: list[tuple[str, bool]] = []

        async def cell(text: str) -> None:
            await batching.ask(EmbeddingRequest([text], {}), in_flight=lambda flies: told.append((text, flies)))

        await asyncio.gather(cell("a"), cell("b"))
        await batching.close()
        assert [flies for text, flies in told if text == "a"] == [True, True, False, True, False]
        assert [flies for text, flies in told if text == "b"] == [True, True, False]
        assert told.index(("a", False)) < told.index(("b", True))

    run(scenario())


def test_no_slot_no_request() -> None:
    """They wait until there is one."""
    asking = Asking(Embedder(), slots=0)

    async def scenario() -> None:
        batching = asking.batching()
        waiting = asyncio.gather(*(asking.one(batching, cell) for cell in cells(3)))
        await asyncio.sleep(5.0)
        assert asking.model.asked == []
        asking.slots = batching._slots.total = 1
        await waiting

    run(scenario())
    assert len(asking.model.asked) == 1


@pytest.mark.usefixtures("errors_that_share_fields")
def test_each_cell_has_a_refusal_of_its_own_whatever_libraries_have_registered() -> None:
    """What was spent stays with the first."""
    asking = Asking(Embedder(lambda _: ModelAuthenticationError("no key")), size=RequestSize(100))
    found = run(asking.ask(*cells(3)))
    assert [one.beside[1] for one in found] == [1, 0, 0]
    assert [str(one) for one in found] == ["no key"] * 3
    assert total(found) == asking.statistics


@pytest.fixture
def errors_that_share_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `copy` give errors that share their fields, as tblib does once sqlfluff is imported."""

    def reduced(error: ModelError) -> tuple[Any, ...]:
        return _of_fields, (type(error), error.args, error.__dict__)

    monkeypatch.setitem(copyreg.dispatch_table, ModelAuthenticationError, reduced)


def _of_fields(of: type[ModelError], args: tuple[Any, ...], fields: dict[str, Any]) -> ModelError:
    made = of.__new__(of, *args)
    made.__dict__ = fields
    return made


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=30),
    st.sets(st.integers(0, 9), max_size=2),
    st.integers(1, 9),
    st.integers(1, 3),
)
def test_how_cells_come_together_shows_nowhere(numbers: list[list[int]], bad: set[int], size: int, slots: int) -> None:
    """Whatever is asked with it, a cell comes to what it would come to alone, and the accounts add up."""
    texts = [[f"{place} {number}" for number in one] or [f"{place}"] for place, one in enumerate(numbers)]
    refused = {f"{place} {number}" for place, one in enumerate(numbers) for number in one if number in bad}
    error = ModelBadRequestError("bad")
    asking = Asking(Embedder(lambda asked: error if refused & set(asked) else None), slots, RequestSize(size))
    found = run(asking.ask(*texts))
    for cell, one in zip(texts, found, strict=True):
        if refused & set(cell):
            assert isinstance(one, ModelBadRequestError)
        else:
            assert one.vectors == tuple(map(vector, cell))
    assert total(found) == asking.statistics
    assert asking.model.peak <= slots


@given(st.integers(0, 10_000), st.lists(st.integers(0, 500), min_size=1))
def test_tokens_are_divided_without_a_rest(tokens: int, weights: list[int]) -> None:
    """The parts add up to the whole."""
    usage = Usage(requests=1, failed_requests=3, input_tokens=tokens, cached_tokens=tokens // 2)
    if any(weights):
        assert Usage.total(divided(usage, weights)) == usage


@pytest.mark.parametrize(
    ("params", "budget", "expected"),
    [
        ({}, None, RequestSize(100)),
        ({"texts_per_request": 7}, None, RequestSize(7)),
        ({"tokens_per_minute": 6000}, None, RequestSize(100, 600.0)),
        ({}, dd.Budget(tokens=5000), RequestSize(100, 50.0)),
        ({}, dd.Budget(requests=2), RequestSize(100)),
    ],
)
def test_a_request_is_a_small_part_of_what_may_be_spent(
    params: dict[str, Any], budget: dd.Budget | None, expected: RequestSize
) -> None:
    """So that little is left over when the next one does not fit."""
    assert request_size(pool("http://h", generation_type="embedding", **params), budget) == expected


def test_only_embeddings_are_asked_for_together() -> None:
    """And not where somebody says that each is to have a request of its own."""
    assert batches(pool("http://h", generation_type="embedding"))
    assert not batches(pool("http://h", generation_type="embedding", texts_per_request=1))
    assert not batches(pool("http://h"))
    assert not batches(pool("http://h", generation_type="image"))
