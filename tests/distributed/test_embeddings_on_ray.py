"""Embeddings on Ray: the same data as in one process, with whole requests at every replica, and no more than slots."""

from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply
from tests.distributed.driving import Driven, meanwhile
from tests.distributed.test_on_ray import kill
from tests.interface.embedding import RECORDS, SLOTS, TEXTS, cell_of, make
from tests.replies import Holding

pytestmark = pytest.mark.usefixtures("local_ray")


def test_the_same_vectors_on_ray(endpoint: Endpoint, tmp_path: Path) -> None:
    """Three replicas share the slots, each of which is a request of several cells."""
    with endpoint(lambda _: Reply(seconds=0.05)) as counted:
        results = make(counted.url, tmp_path, executor="ray", replicas_per_model=3, buffer_size=RECORDS)
    rows = results.load_dataset()
    assert list(rows["vector"]) == [cell_of(f"row {number}") for number in range(RECORDS)]
    assert counted.peak <= SLOTS
    sizes = [len(prompt.split("\n")) for prompt in counted.prompts]
    assert sum(sizes) == RECORDS
    assert sizes.count(TEXTS) > RECORDS // TEXTS // 2
    assert results.outcomes.usage["e"].requests == len(sizes)


def test_a_replica_that_is_killed_costs_what_it_had_asked_for(endpoint: Endpoint, tmp_path: Path) -> None:
    """Its requests are paid for again, one a slot, and every record has the vector of its text."""
    holding = Holding(4)

    def disturb(run: Driven) -> None:
        run.wait(holding.held.is_set, "a request that is held")
        run.wait(lambda: kill("ray::ReplicaActor"), "a replica")
        holding.go_on.set()

    with endpoint(holding) as counted, meanwhile(disturb):
        results = make(counted.url, tmp_path, executor="ray", replicas_per_model=1)
    rows = results.load_dataset()
    assert list(rows["vector"]) == [cell_of(f"row {number}") for number in range(RECORDS)]
    asked = sum(len(prompt.split("\n")) for prompt in counted.prompts)
    assert RECORDS <= asked <= RECORDS + SLOTS * TEXTS


def test_all_replicas_make_vectors_of_one_length(endpoint: Endpoint, tmp_path: Path) -> None:
    """Whichever replica has one first decides; what is of another length is rejected, and no column is ragged."""

    def fickle(prompt: str) -> Reply:
        return Reply(seconds=0.02, dimensions=8 if "row 1" in prompt else 12)

    params = {"dimensions": None, "texts_per_request": 1}
    run = {"executor": "ray", "replicas_per_model": 3, "max_conversation_restarts": 0, "disable_early_shutdown": True}
    with endpoint(fickle) as counted:
        results = make(counted.url, tmp_path, params=params, **run)
    rows, rejected = results.load_dataset(), results.load_rejected()
    [length] = {cell["dimension"] for cell in rows["vector"]}
    assert len(rows) + len(rejected) == RECORDS
    odd = {number for number in range(RECORDS) if "row 1" in f"row {number}"}
    assert set(rejected["record_index"]) == (odd if length == 12 else set(range(RECORDS)) - odd)
