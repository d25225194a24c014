"""Driving an exchange: replies go in, an outcome comes out, and nothing is left open."""

import asyncio
import threading
from collections.abc import Generator

import pytest

from data_designer.errors import DataDesignerRuntimeError, ModelError, ModelTimeoutError, Outage
from data_designer.models.exchange import drive, run_without_model
from data_designer.values import ChatRequest, ChatResponse, Drop, Exchange, Ok, Outcome, Reason, Request, Response


class Talk:
    """An exchange that asks so often, and remembers whether it was closed."""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.closed = False

    def exchange(self) -> Generator[Request, Response, Outcome]:
        """Ask, and gather the replies."""
        heard = []
        try:
            for turn in range(self.turns):
                reply = yield ChatRequest([{"role": "user", "content": str(turn)}])
                heard.append(reply.text)
            return Ok((" ".join(heard),))
        finally:
            self.closed = True


async def echo(request: Request) -> Response:
    """Answer with what was asked."""
    return ChatResponse(f"re {request.messages[0]['content']}")


def test_replies_reach_the_exchange_in_order() -> None:
    """Each request is asked, and its reply sent back, until the outcome."""
    assert asyncio.run(drive(Talk(3).exchange(), echo)) == Ok(("re 0 re 1 re 2",))


def test_an_exchange_that_asks_nothing_needs_no_model() -> None:
    """Both ways of running it come to the same."""
    assert run_without_model(Talk(0).exchange()) == asyncio.run(drive(Talk(0).exchange(), echo)) == Ok(("",))


def test_an_exchange_that_asks_after_all_is_an_error() -> None:
    """A step without a model must not ask one."""
    with pytest.raises(DataDesignerRuntimeError):
        run_without_model(Talk(1).exchange())


def test_a_model_error_becomes_a_drop_and_closes_the_exchange() -> None:
    """The reason bears the error's kind and words, whatever else the error could have become."""

    async def ask(_request: Request) -> Response:
        raise ModelTimeoutError("no reply in time", None, 408)

    talk = Talk(2)
    assert asyncio.run(drive(talk.exchange(), ask)) == Drop(Reason("ModelTimeoutError", "no reply in time"))
    assert talk.closed


@pytest.mark.parametrize("error", [Outage("down"), RuntimeError("a bug"), asyncio.CancelledError()])
def test_what_is_no_fault_of_the_row_goes_through(error: BaseException) -> None:
    """An outage, a bug or a cancellation rejects no row; the exchange is closed all the same."""

    async def ask(_request: Request) -> Response:
        raise error

    async def scenario(exchange: Exchange) -> BaseException | None:
        try:
            await drive(exchange, ask)
        except (ModelError, RuntimeError, asyncio.CancelledError) as raised:
            return raised
        return None

    talk = Talk(2)
    assert type(asyncio.run(scenario(talk.exchange()))) is type(error)
    assert talk.closed


@pytest.mark.parametrize("turns", [1, 3])
def test_a_long_reply_is_read_beside_the_event_loop(turns: int) -> None:
    """What takes long keeps nobody else from going on, and comes to the same."""
    readers = set()

    def exchange() -> Generator[Request, Response, Outcome]:
        for _ in range(turns):
            yield ChatRequest([])
            readers.add(threading.current_thread())
        return Ok((turns,))

    async def long(_: Request) -> Response:
        return ChatResponse("x" * 100_000)

    assert asyncio.run(drive(exchange(), long)) == Ok((turns,))
    assert threading.main_thread() not in readers


def test_whoever_is_cancelled_while_a_long_reply_is_read_waits_for_nothing() -> None:
    """The thread ends by itself; closing what it is busy with is no error."""
    reading, go_on = threading.Event(), threading.Event()

    def exchange() -> Generator[Request, Response, Outcome]:
        yield ChatRequest([])
        reading.set()
        go_on.wait(60)
        return Ok(())

    async def long(_: Request) -> Response:
        return ChatResponse("x" * 100_000)

    async def scenario() -> None:
        task = asyncio.create_task(drive(exchange(), long))
        await asyncio.to_thread(reading.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(scenario())
