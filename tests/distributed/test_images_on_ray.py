"""Images on Ray: as in one process, whichever replica makes them, shows them and dies."""

import itertools
import threading
from pathlib import Path

import pandas as pd
import psutil
import pytest
from tests.counting import Endpoint, Reply
from tests.distributed.head import until
from tests.distributed.test_on_ray import kill
from tests.interface.test_image_columns import answered, check, images, make

pytestmark = pytest.mark.usefixtures("local_ray")

RECORDS = 60


def has_replicas() -> bool:
    """Whether there are replicas of Ray's."""
    titles = (" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True))
    return any(title.startswith("ray::ReplicaActor") for title in titles)


class Fatal:
    """Answers; from some request on only once Ray takes part, and kills a replica of it some requests later."""

    def __init__(self, waits: int, kills: int) -> None:
        self.numbers = itertools.count(1)
        self.waits, self.kills = waits, kills
        self.killed: list[bool] = []
        self.lock = threading.Lock()

    def __call__(self, prompt: object) -> Reply:
        """Answer."""
        with self.lock:
            number = next(self.numbers)
            if number == self.waits:
                until(has_replicas, "a replica")
        if number == self.kills:
            self.killed.append(kill("ray::ReplicaActor"))
        return answered(prompt)


def test_same_images_on_ray_though_a_replica_is_killed(endpoint: Endpoint, tmp_path: Path) -> None:
    """Two replicas an alias, one of them killed on the way: the rows and files are those of one process."""
    with endpoint(answered) as counted:
        inline = make(counted.url, tmp_path / "inline", records=RECORDS)
    ideal = 3 * RECORDS
    fatal = Fatal(ideal // 4, ideal // 2)
    with endpoint(fatal) as counted:
        on_ray = make(counted.url, tmp_path / "ray", records=RECORDS, executor="ray", replicas_per_model=2)
        assert len(counted.prompts) <= ideal + 4
    assert fatal.killed == [True]
    pd.testing.assert_frame_equal(on_ray.load_dataset(), inline.load_dataset())
    assert images(on_ray) == images(inline)
    check(on_ray, RECORDS)
