"""Datasets made by runs that crash, on machines that die, over a disk that refuses, in virtual time."""

import random

import pytest
from tests.fault_injection.runs import (
    Crashes,
    Scenario,
    every_point,
    random_shape,
    small_scenarios,
    survive,
    survive_at_random,
)
from tests.properties import cases

from data_designer.engine.simulation.world import Faults, World


@pytest.mark.parametrize("block", range(4))
def test_every_row_is_there_once_and_of_one_piece_whatever_dies(block: int) -> None:
    """Random plans, faults and crashes: each record once, made of what is committed, no journaled reply paid again."""
    for case in cases(50):
        one = survive_at_random(str(1000 * block + case))
        assert not one.broken, f"python -m tests.fault_injection.runs {one.seed}: {one.broken}"


def test_nothing_is_paid_for_twice_where_replicas_are_only_drained() -> None:
    """However often that is, and whatever is under way: nobody is asked anything that was answered before."""
    for case in cases(40):
        rng = random.Random(case)
        world, faults = World(replicas=rng.randint(1, 3)), Faults(drain=0.3, restart_seconds=rng.uniform(0.1, 5))
        one = survive(str(case), Scenario(random_shape(rng), world, faults), rng, Crashes(0))
        assert (one.broken, one.paid_again) == ([], 0), case


@pytest.mark.parametrize("number", range(len(small_scenarios())))
def test_a_run_may_end_at_every_change_of_its_disk(number: int) -> None:
    """A crash before, inside or after each single change, of the process or of the machine: the next run ends well."""
    end_everywhere(number, tries=1)


@pytest.mark.usefixtures("soak")
@pytest.mark.parametrize("number", range(len(small_scenarios())))
def test_a_run_may_end_anyhow_at_every_change_of_its_disk(number: int) -> None:
    """The same with three draws of how much of a change is done."""
    end_everywhere(number, tries=3)


def end_everywhere(number: int, tries: int) -> None:
    """End runs of a small plan at every change of their disk."""
    verdicts = every_point(small_scenarios()[number], tries)
    assert sum(one.crashes for one in verdicts) == len(verdicts)
    assert [(one.seed, one.broken) for one in verdicts if one.broken] == []


@pytest.mark.parametrize("block", range(4))
def test_a_killed_process_pays_again_for_no_more_than_its_slots(block: int) -> None:
    """Every reply is in the journal before its slot is given back, so what a kill costs is what was in flight.

    Also where the disk refuses now and then, for which a run may end as well.
    """
    for case in cases(20):
        rng = random.Random(1000 * block + case)
        shape, world = random_shape(rng), World(replicas=rng.randint(1, 3))
        scenario = Scenario(shape, world, Faults(restart_seconds=rng.uniform(0.1, 5)))
        one = survive(str(case), scenario, rng, Crashes(rng.randint(1, 5), refusal=rng.choice([0.0, 0.2])))
        assert one.broken == [], case
        assert one.paid_again <= (one.runs - 1) * sum(shape.slots.values()), case
