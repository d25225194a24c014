"""Media beside prompts on Ray: each replica reads the files itself."""

from pathlib import Path

import pandas as pd
import pytest
from tests.counting import Endpoint
from tests.interface.showing import IDEAL, RECORDS, make, seed, seed_of_cells, seer

pytestmark = pytest.mark.usefixtures("local_ray")


def test_pictures_are_shown_by_replicas_as_in_one_process(endpoint: Endpoint, tmp_path: Path) -> None:
    """Three replicas show each picture once a column, and the data is the same."""
    seeds = seed(tmp_path / "seeds")
    with endpoint(seer) as counted:
        inline = make(counted.url, tmp_path / "inline", seeds).load_dataset()
        run = {"executor": "ray", "replicas_per_model": 3}
        on_ray = make(counted.url, tmp_path / "ray", seeds, **run).load_dataset()
    assert len(counted.prompts) == 2 * IDEAL
    assert on_ray["seen"].tolist() == [f"picture {n}" for n in range(RECORDS)]
    pd.testing.assert_frame_equal(on_ray, inline)


def test_pictures_in_cells_are_read_by_replicas_from_the_dataset(endpoint: Endpoint, tmp_path: Path) -> None:
    """The data is that of one process, and nothing is left of what was brought to where a cluster reads it."""
    seeds = seed_of_cells(tmp_path / "seeds")
    with endpoint(seer) as counted:
        inline = make(counted.url, tmp_path / "inline", seeds).load_dataset()
        on_ray = make(counted.url, tmp_path / "ray", seeds, executor="ray", replicas_per_model=2).load_dataset()
    assert len(counted.prompts) == 2 * IDEAL
    pd.testing.assert_frame_equal(on_ray, inline)
    assert on_ray["photo"].tolist() == pd.read_parquet(seeds)["photo"].tolist()
    assert not (tmp_path / "ray" / "d" / "seed-cells").exists()
