"""How a run on Ray stands: said by its driver, and read beside its dataset by whoever watches it."""

import json
from pathlib import Path

import pytest
from tests.fakes import designer, model, story

from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.interface.watching import Watch, said_of

RECORDS = 60


def test_a_run_on_ray_says_how_it_stands(
    simulated: str, tmp_path: Path, local_ray: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each model as it is asked from other processes; at the end everything is done, and who watches reads that."""
    models = [model("a", "a?latency=0.05", max_parallel_requests=4), model("b", "b?latency=0.05")]
    asked = designer(simulated, tmp_path, executor="ray", progress="json", progress_interval=0.1)
    results = asked.create(story(*models), num_records=RECORDS)
    found = [Snapshot.from_dict(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    shares = [one.done for one in found]
    assert shares == sorted(shares)
    last = found[-1]
    assert (last.state, last.generated, last.done) == ("ended", RECORDS, 1.0)
    assert {name: column.done for name, column in last.columns.items()} == dict.fromkeys(("n", "id", "a", "b"), RECORDS)
    assert all(one.latency is not None and one.latency > 0.02 for one in last.aliases.values())
    assert all(one.in_flight <= one.slots for snapshot in found for one in snapshot.aliases.values())
    look = Watch(results.artifact_storage.base_dataset_path).look()
    assert not look.is_running
    assert said_of(look, tmp_path)[0].startswith(f"ended: {RECORDS} of {RECORDS} records written")
