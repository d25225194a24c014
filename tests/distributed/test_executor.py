"""The executor that is a cluster: how their answers are waited for."""

import asyncio

import pytest

from data_designer.distributed.executor import within


def test_a_cancellation_counts_also_in_the_moment_in_which_the_answer_comes() -> None:
    """A run that ends while a replica comes up does not wait for it for ever."""

    async def scenario() -> None:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(within(60.0, answer))
        await asyncio.sleep(0)
        answer.set_result(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


def test_an_answer_that_does_not_come_is_given_up() -> None:
    """After the time that it may take."""

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await within(0.0, asyncio.get_running_loop().create_future())

    asyncio.run(scenario())


def test_an_answer_that_comes_is_given() -> None:
    """As it is."""

    async def scenario() -> int:
        return await within(60.0, asyncio.sleep(0, 7))

    assert asyncio.run(scenario()) == 7
