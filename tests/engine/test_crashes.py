"""Datasets made by runs that crash, on machines that die, over a disk that refuses, in virtual time."""

import pytest

from data_designer.engine.rehearsal import every_point, rehearse, small_plans


@pytest.mark.parametrize("block", range(8))
def test_every_row_is_there_once_and_of_one_piece_whatever_dies(block: int) -> None:
    """Random plans, faults and crashes: each record once, made of what is committed, no journaled reply paid again."""
    for case in range(250):
        one = rehearse(str(1000 * block + case))
        assert not one.broken, f"python -m data_designer.engine.rehearsal {one.seed}: {one.broken}"


@pytest.mark.parametrize("number", range(len(small_plans())))
def test_a_run_may_end_at_every_change_of_its_disk(number: int) -> None:
    """A crash before, inside or after each single change, of the process or of the machine: the next run ends well."""
    rehearsals = every_point(*small_plans()[number])
    assert sum(one.crashes for one in rehearsals) == len(rehearsals)
    assert [(one.seed, one.broken) for one in rehearsals if one.broken] == []
