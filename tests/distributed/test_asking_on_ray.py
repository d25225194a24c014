"""Functions that ask several models, on Ray: what they ask travels to the replicas of each model."""

from pathlib import Path

import pandas as pd
import pytest
from tests.counting import Endpoint
from tests.distributed.driving import Driven, meanwhile
from tests.distributed.test_on_ray import kill
from tests.interface import test_asking_with_tools as with_tools
from tests.interface.asking import IDEAL, RECORDS, SLOTS, make
from tests.replies import Gathering, Holding
from tests.tool_server import called, wait_for_none

pytestmark = pytest.mark.usefixtures("local_ray")
SEVERAL = {"executor": "ray", "replicas_per_model": 2}


@pytest.mark.parametrize("way", with_tools.WAYS)
def test_the_same_calls_of_tools_are_made_as_in_one_process(simulated: str, tmp_path: Path, way: str) -> None:
    """Each once, by servers of the replicas next to which the functions run; all of them end with the run."""
    folders = [tmp_path / name for name in ("inline", "ray")]
    for folder in folders:
        folder.mkdir()
    inline, there = folders
    one = with_tools.make(simulated, tmp_path / "one", inline, way)
    other = with_tools.make(simulated, tmp_path / "other", there, way, **SEVERAL)
    pd.testing.assert_frame_equal(one.load_dataset(), other.load_dataset())
    assert len(called(inline)) == len(called(there)) == 2 * with_tools.CALLS
    used = [{name: each.usage.tool_calls for name, each in made.outcomes.columns.items()} for made in (one, other)]
    assert used[0] == used[1]
    assert wait_for_none(there) == []


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
