"""Every kind of column that asks somebody, on a Ray of three raylets: tests/interface/kinds.py."""

from pathlib import Path

import pytest
from tests.distributed.driving import Driven, meanwhile
from tests.distributed.head import Head
from tests.gate import gate
from tests.interface.kinds import KINDS, SLOTS, Undisturbed, make


@pytest.mark.parametrize("name", KINDS)
def test_three_raylets_make_what_one_process_makes(
    name: str, simulated: str, beside: Head, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each has a replica before anybody is answered; each thing is asked for once, within the slots."""
    undisturbed = Undisturbed.of(name, simulated, tmp_path_factory.mktemp("undisturbed"))
    beside.have(2)

    def let_all_join(run: Driven) -> None:
        run.wait(lambda: beside.have_all("ray::ReplicaActor"), "a replica on each node")
        passed.open()

    with gate(simulated, most=0) as passed, meanwhile(let_all_join):
        make(name, passed.url, tmp_path, executor="ray", replicas_per_model=KINDS[name].replicas)
    undisturbed.check(tmp_path, passed)
    assert max(passed.peak.values()) <= SLOTS
