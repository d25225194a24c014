"""Ray joins runs that have begun without it: while they make rows, too late, or not at all since they are killed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.chaos.exit_codes import Driver, driver
from tests.counting import Endpoint
from tests.distributed.driving import Driven, joined, meanwhile
from tests.distributed.pacing import Pacing
from tests.fakes import designer, model
from tests.plans import texts

import data_designer.config as dd
from data_designer.interface.stored import StoredDataset

pytestmark = pytest.mark.usefixtures("clusters")

RECORDS = 60


def chain() -> dd.DataDesignerConfigBuilder:
    """Two texts of a model each, the second about the first."""
    return texts([model("one"), model("two")], a=("one", "{{ id }}"), b=("two", "{{ a }}"))


def replicas() -> int:
    """How many replicas there are on a Ray of this process."""
    names = []
    for process in psutil.Process().children(recursive=True):
        try:
            names.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return sum(name.startswith("ray::ReplicaActor") for name in names)


@pytest.mark.parametrize("run", [{}, {"on_row_failure": "refill"}])
def test_ray_joins_a_run_that_is_under_way(endpoint: Endpoint, tmp_path: Path, run: dict[str, Any]) -> None:
    """Rows are asked for before it is there; then its replicas ask. All is as in one process, and asked for once."""
    pace = Pacing(seconds=100.0)

    def hold(driven: Driven) -> None:
        try:
            driven.wait(lambda: len(counted.prompts) > 2, "a request of this process")
            assert not ray_is_there.is_set()
            driven.wait(ray_is_there.is_set, "Ray has joined")
            driven.wait(lambda: replicas() == 2, "its replicas are there")
        finally:
            pace.hurry()

    with endpoint(pace) as counted, joined() as ray_is_there:
        alone = designer(counted.url, tmp_path / "alone").create(chain(), num_records=RECORDS).load_dataset()
        asked = len(counted.prompts)
        pace.slow_after(5)
        with meanwhile(hold):
            together = designer(counted.url, tmp_path / "together", executor="ray", **run)
            made = together.create(chain(), num_records=RECORDS).load_dataset()
        assert len(counted.prompts) == 2 * asked
    assert made.equals(alone)
    assert not replicas()


SCRIPT = """
import os, sys
from tests.distributed.test_ray_joins import RECORDS, chain
from tests.fakes import designer

made = designer(os.environ["ENDPOINT"], "artifacts", executor="ray", buffer_size=20)
print(len(made.create(chain(), num_records=RECORDS, dataset_name="d").load_dataset()))
"""


@contextmanager
def driving(url: str, folder: Path) -> Iterator[Driver]:
    """A script that makes the chain."""
    tests = str(Path(__file__).parents[2])
    with driver(folder, SCRIPT, RECORDS, {"ENDPOINT": url, "PYTHONPATH": tests}) as started:
        yield started


@pytest.mark.parametrize("when", ["at once", "while Ray starts"])
def test_a_run_that_is_over_first_leaves_no_ray(endpoint: Endpoint, tmp_path: Path, when: str) -> None:
    """Its process ends as if there were none, and Ray says nothing."""
    pace = Pacing(seconds=100.0)
    with endpoint(pace) as counted:
        if when != "at once":
            pace.slow_after(5)
        with driving(counted.url, tmp_path) as started:
            if when != "at once":
                started.until(started.starts_ray)
            pace.hurry()
            end = started.ended()
    assert end.code == 0, end.said
    assert end.said.rstrip().endswith(str(RECORDS))
    assert not end.complaint, end.said
    assert StoredDataset.at(tmp_path / "artifacts" / "d").verify().generated == RECORDS


def test_a_driver_that_is_killed_while_ray_starts_leaves_nothing(endpoint: Endpoint, tmp_path: Path) -> None:
    """But what it was answered: who goes on asks only what was under way."""
    pace = Pacing(seconds=100.0)
    with endpoint(pace) as counted:
        pace.slow_after(30)
        with driving(counted.url, tmp_path) as started:
            started.until(started.starts_ray)
            started.process.send_signal(signal.SIGKILL)
            end = started.ended()
        assert not end.left
        pace.hurry()
        goes_on = designer(counted.url, tmp_path / "artifacts", buffer_size=20)
        made = goes_on.create(chain(), num_records=RECORDS, dataset_name="d", resume="always")
        assert made.outcomes.generated == RECORDS
        assert len(counted.prompts) <= 2 * RECORDS + 8
