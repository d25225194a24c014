"""Millions of records in virtual time."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("processes")

RUN = """
import random, resource, sys
from data_designer.engine.scheduling.events import Shape, StageShape
from data_designer.engine.simulation.virtual_time import Simulation
from data_designer.engine.simulation.world import World
from data_designer.plan.model import LOCAL, Geometry

records = int(sys.argv[1])
stages = (StageShape(LOCAL, False, (), 0), StageShape("m", False, (0,), 1))
shape = Shape(stages, {"m": 1024}, geometry=Geometry(records, 1000))
world = World(replicas=4, latency=lambda rng, pool: 0.2)
report = Simulation(shape, world, random.Random(1)).run()
print(report.committed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def committed_and_peak(records: int) -> tuple[int, int]:
    """Run in a process of its own; rows committed, and that process's peak memory in MB."""
    done = subprocess.run([sys.executable, "-c", RUN, str(records)], capture_output=True, text=True, check=True)
    committed, peak = done.stdout.split()
    return int(committed), int(peak)


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read the POSIX way")
def test_many_records_need_no_more_memory_than_few() -> None:
    """The scheduler's memory does not grow with the number of records (8 bytes each would show), and none is lost."""
    few, few_peak = committed_and_peak(50_000)
    many, many_peak = committed_and_peak(500_000)
    assert (few, many) == (50_000, 500_000)
    assert many_peak <= few_peak + 3


@pytest.mark.usefixtures("soak")
def test_millions_of_records_need_no_more_memory_than_a_hundred_thousand() -> None:
    """The same with two bytes a record."""
    few, few_peak = committed_and_peak(100_000)
    many, many_peak = committed_and_peak(2_000_000)
    assert (few, many) == (100_000, 2_000_000)
    assert many_peak <= few_peak + 5
