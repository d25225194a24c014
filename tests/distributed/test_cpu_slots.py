"""How many CPU jobs run at once."""

import asyncio

import pytest

from data_designer.distributed import cpu_slots as of_turns
from data_designer.distributed.cpu_slots import PATIENCE, CpuSlots


def most_at_once(job_seconds: float, jobs: int, most: int) -> int:
    """Run jobs that each take so long by a clock of their own; give how many ran together at most."""
    now = 0.0
    cpu_slots = CpuSlots(most, clock=lambda: now)
    peak = 0

    async def job() -> None:
        nonlocal now, peak
        async with cpu_slots.turn():
            peak = max(peak, cpu_slots.running)
            await asyncio.sleep(0)
            now += job_seconds

    async def scenario() -> None:
        await asyncio.gather(*(job() for _ in range(jobs)))
        assert cpu_slots.running == 0

    asyncio.run(scenario())
    return peak


@pytest.mark.parametrize("most", [1, 2, 4])
def test_more_run_at_once_when_jobs_keep_waiting(most: int) -> None:
    """A queue that is never empty gets as many jobs at once as the user allows, and never more."""
    assert most_at_once(PATIENCE / 4, 100, most) == most


def test_a_queue_that_empties_quickly_needs_one_at_a_time() -> None:
    """Short jobs share one process, however many come together."""
    assert most_at_once(PATIENCE / 1000, 100, 4) == 1


def test_the_first_job_may_take_long() -> None:
    """It starts a process; those that wait for it meanwhile are no sign that one is too few."""
    assert most_at_once(PATIENCE * 10, 2, 4) == 1


def test_a_job_that_is_cancelled_while_it_waits_leaves_its_turn_to_the_next() -> None:
    """Nothing waits for a turn that nobody takes."""

    async def scenario() -> list[str]:
        cpu_slots, ran = CpuSlots(1), []
        first = cpu_slots.turn()
        await first.__aenter__()

        async def job(name: str) -> None:
            async with cpu_slots.turn():
                ran.append(name)

        gone, stays = asyncio.create_task(job("gone")), asyncio.create_task(job("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await first.__aexit__(None, None, None)
        await stays
        assert cpu_slots.running == 0
        return ran

    assert asyncio.run(scenario()) == ["stays"]


@pytest.mark.parametrize(("most", "ran"), [(1, []), (2, ["a", "b"])])
def test_who_waits_for_one_that_never_ends_runs_beside_it(
    monkeypatch: pytest.MonkeyPatch, most: int, ran: list[str]
) -> None:
    """As many as the user allows; the others of the queue follow one another."""
    monkeypatch.setattr(of_turns, "STALL", 0.0)

    async def scenario() -> list[str]:
        cpu_slots, ended = CpuSlots(most), []

        async def job(name: str) -> None:
            async with cpu_slots.turn():
                ended.append(name)

        async with cpu_slots.turn():
            jobs = [asyncio.create_task(job(name)) for name in "ab"]
            for _ in range(10):
                await asyncio.sleep(0)
            there = list(ended)
        await asyncio.gather(*jobs)
        return there

    assert asyncio.run(scenario()) == ran
