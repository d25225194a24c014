"""Forecasts: how long a run takes and how busy its slots are, of a plan's shape and a world alone."""

import random
from dataclasses import replace

import pytest

from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.timeline import Report
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.plan.model import LOCAL, Geometry

SAMPLERS = ev.StageShape(LOCAL, whole_batch=True, upstream=(), depth=0)
FAST, SLOW = ev.StageShape("fast", False, (0,), 1), ev.StageShape("slow", False, (1,), 2)
SECONDS = {"fast": 0.5, "slow": 1.0}
WORLD = World(latency=lambda _, pool: SECONDS[pool])


def forecast(shape: ev.Shape, world: World = WORLD, seed: int = 1) -> Report:
    """What a run without faults comes to."""
    return Simulation(shape, world, random.Random(seed)).run()


def test_a_run_takes_as_long_as_its_busiest_pool() -> None:
    """Two models one after the other: the slower one's slots are full nearly all the time, the other's half of it."""
    report = forecast(ev.Shape((SAMPLERS, FAST, SLOW), {"fast": 10, "slow": 10}, Geometry(1000, 100)))
    assert report.busy == pytest.approx({"fast": 500.0, "slow": 1000.0})
    assert 100 < report.seconds < 105
    assert report.slot_use("slow", 10) == 1000 / (report.seconds * 10)
    assert report.slot_use("fast", 10) == pytest.approx(report.slot_use("slow", 10) / 2)
    assert (report.committed, report.executions, report.rejected, report.stopped) == (1000, 3000, set(), None)


@pytest.mark.parametrize(("slots", "least"), [(1, 500), (10, 50), (50, 10)])
def test_more_slots_take_less_time(slots: int, least: float) -> None:
    """1,000 cells of half a second each, divided by the slots, and a moment for start and end."""
    report = forecast(ev.Shape((SAMPLERS, FAST), {"fast": slots}, Geometry(1000, 100)))
    assert least < report.seconds < least + 3
    assert report.peak == {"fast": slots}


def test_requests_that_ask_for_several_rows_take_a_part_of_the_time() -> None:
    """20,000 cells, a hundred a request of half a second, at four slots: 25 s, and a moment; slots are full."""
    shape = ev.Shape((SAMPLERS, FAST), {"fast": 4}, Geometry(20_000, 1000), rows_a_slot={"fast": 100})
    report = forecast(shape)
    assert 25 < report.seconds < 30
    assert report.peak == {"fast": 4}
    assert report.busy["fast"] < 110


def test_the_same_generator_gives_the_same_forecast() -> None:
    """Latencies that are drawn are drawn from it; another one gives another run."""
    shape = ev.Shape((SAMPLERS, FAST), {"fast": 4}, Geometry(100, 10))
    world = World(latency=lambda rng, _: rng.lognormvariate(0, 1))
    assert forecast(shape, world) == forecast(shape, world)
    assert forecast(shape, world).seconds != forecast(shape, world, seed=2).seconds


def test_a_run_that_is_stopped_commits_what_is_complete() -> None:
    """And its report says why it ended."""
    shape = ev.Shape((SAMPLERS, FAST), {"fast": 10}, Geometry(1000, 100))
    report = forecast(shape, replace(WORLD, stop_at=10.0))
    assert report.stopped == "asked to"
    assert 150 < report.committed < 250
    assert report.seconds < 12


def test_rows_that_fail_for_good_are_paid_no_further() -> None:
    """Every tenth fails at the first model: the second is not asked about it."""
    shape = ev.Shape((SAMPLERS, FAST, SLOW), {"fast": 10, "slow": 10}, Geometry(100, 100))
    report = forecast(shape, replace(WORLD, rejects=lambda row, stage: stage == 1 and row % 10 == 0))
    assert report.committed == 90
    assert report.busy == pytest.approx({"fast": 50.0, "slow": 90.0})


def test_cells_whose_time_is_known_take_that() -> None:
    """By stage and record, whatever the pool's latency is."""
    world = replace(WORLD, cell_seconds=lambda stage, row: stage * (1 + row % 2))
    report = forecast(ev.Shape((SAMPLERS, FAST, SLOW), {"fast": 10, "slow": 10}, Geometry(100, 100)), world)
    assert report.busy == pytest.approx({"fast": 150.0, "slow": 300.0})


def test_a_task_takes_longer_for_more_rows() -> None:
    """Where rows of its stage take time."""
    report = forecast(ev.Shape((SAMPLERS,), {}, Geometry(1000, 1000)), World(row_seconds={0: 0.01}))
    assert report.seconds == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(("writers", "seconds"), [(1, 20), (2, 10), (None, 2)])
def test_so_many_batches_are_written_at_once(writers: int | None, seconds: float) -> None:
    """Ten batches of two seconds each, by one writer, by two, or by as many as there are batches."""
    world = World(commit_seconds=2.0, task_seconds=0.001, start_seconds=0.0, writers=writers)
    report = forecast(ev.Shape((SAMPLERS,), {}, Geometry(1000, 100)), world)
    assert report.seconds == pytest.approx(seconds, abs=0.5)
