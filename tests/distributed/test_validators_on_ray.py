"""Remote validators over the processes of a Ray: the same data, and no more requests at once than slots."""

from pathlib import Path

import pytest
from tests.counting import Endpoint
from tests.validators import REQUESTS, SLOTS, make, verdicts

pytestmark = pytest.mark.usefixtures("local_ray")


def test_verdicts_are_the_same_as_in_one_process(endpoint: Endpoint, tmp_path: Path) -> None:
    """With two replicas of the validator, which share its slots."""
    with endpoint(verdicts) as service:
        here = make(service.url, tmp_path / "here")
        there = make(service.url, tmp_path / "there", executor="ray", replicas_per_model=2)
    assert list(there.load_dataset()["verdict"]) == list(here.load_dataset()["verdict"])
    assert there.outcomes.usage == here.outcomes.usage
    assert (len(service.prompts), service.peak <= SLOTS) == (2 * REQUESTS, True)
