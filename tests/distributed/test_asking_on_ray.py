"""Functions that ask several models, on Ray: what they ask travels to the replicas of each model."""

from pathlib import Path

import pytest
from tests.counting import Endpoint
from tests.distributed.driving import Driven, meanwhile
from tests.distributed.test_on_ray import kill
from tests.interface.asking import IDEAL, RECORDS, SLOTS, make
from tests.replies import Gathering, Holding

pytestmark = pytest.mark.usefixtures("local_ray")
SEVERAL = {"executor": "ray", "replicas_per_model": 2}


@pytest.mark.parametrize("way", ["waiting", "awaiting"])
def test_functions_on_ray_fill_the_slots_of_each_model(endpoint: Endpoint, tmp_path: Path, way: str) -> None:
    """Of the model that they run next to, and of the other, over all replicas, and no more."""
    gathering = Gathering(SLOTS, {"draft": "d", "better": "b"})
    with endpoint(gathering) as counted:
        make(counted.url, tmp_path, way, **SEVERAL)
    assert gathering.most == {"draft": SLOTS, "better": SLOTS}


@pytest.mark.parametrize("way", ["waiting", "together"])
def test_replicas_that_are_killed_cost_no_row(endpoint: Endpoint, tmp_path: Path, way: str) -> None:
    """Whether the function ran there or only asked there: no more is asked again than there are slots."""
    holding = Holding(14)

    def disturb(run: Driven) -> None:
        try:
            run.wait(holding.held.is_set, "a request")
            for _ in range(2):
                run.wait(lambda: kill("ray::ReplicaActor"), "a replica")
        finally:
            holding.go_on.set()

    with endpoint(holding) as counted, meanwhile(disturb):
        results = make(counted.url, tmp_path, way, **SEVERAL)
    assert len(results.load_dataset()) == RECORDS
    assert len(counted.prompts) <= IDEAL + 2 * SLOTS
