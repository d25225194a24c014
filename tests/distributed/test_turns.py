"""How many CPU jobs run at once."""

import asyncio

import pytest

from data_designer.distributed.turns import LONGEST_WAIT, Turns


def most_at_once(job_seconds: float, jobs: int, most: int) -> int:
    """Run jobs that each take so long by a clock of their own; give how many ran together at most."""
    now = 0.0
    turns = Turns(most, clock=lambda: now)
    peak = 0

    async def job() -> None:
        nonlocal now, peak
        async with turns.turn():
            peak = max(peak, turns.running)
            await asyncio.sleep(0)
            now += job_seconds

    async def scenario() -> None:
        await asyncio.gather(*(job() for _ in range(jobs)))
        assert turns.running == 0

    asyncio.run(scenario())
    return peak


@pytest.mark.parametrize(
    ("job_seconds", "most", "expected"),
    [(LONGEST_WAIT / 100, 4, 1), (LONGEST_WAIT * 2, 4, 4), (LONGEST_WAIT * 2, 1, 1)],
)
def test_more_jobs_run_at_once_only_when_jobs_wait_long(job_seconds: float, most: int, expected: int) -> None:
    """Short jobs share one process; long ones get as many as the user allows, and never more."""
    assert most_at_once(job_seconds, 40, most) == expected


def test_a_job_that_is_cancelled_while_it_waits_leaves_its_turn_to_the_next() -> None:
    """Nothing waits for a turn that nobody takes."""

    async def scenario() -> list[str]:
        turns, ran = Turns(1), []
        first = turns.turn()
        await first.__aenter__()

        async def job(name: str) -> None:
            async with turns.turn():
                ran.append(name)

        gone, stays = asyncio.create_task(job("gone")), asyncio.create_task(job("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await first.__aexit__(None, None, None)
        await stays
        assert turns.running == 0
        return ran

    assert asyncio.run(scenario()) == ["stays"]
