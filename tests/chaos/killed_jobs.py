"""Kills the drivers of jobs, one after another, and counts what is paid for again when they are gone on with.

A job makes a dataset on a head of this machine. Its driver is killed once the first batch is committed, and the same
job is submitted again. It may ask for no more than the cells, and once more for what the slots had in flight.
"""

import argparse
import json
import os
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.distributed.driving import batches
from tests.distributed.head import Head, running_head, until
from tests.distributed.test_jobs import CONFIG, RECORDS, SLOTS, User, kill_driver, name_of
from tests.loopback import forgetful

from data_designer.interface.stored import StoredDataset
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

GREETINGS = 2
"""Each run greets the model."""


def prepare(folder: Path, url: str) -> None:
    """Make this process somebody with a configuration, a module beside it, and a model."""
    (folder / "config.py").write_text(CONFIG)
    (folder / "doubling.py").write_text("def doubled(text):\n    return text + text\n")
    (folder / "model_providers.yaml").write_text(f"providers:\n- {{name: mine, endpoint: '{url}'}}\n")
    os.environ["DATA_DESIGNER_HOME"] = str(folder)
    os.chdir(folder)


def killed(head: Head, url: str, folder: Path) -> tuple[int, list[str]]:
    """Kill the driver of one job and go on with it; gives the requests, and what is wrong."""
    user, wrong = User(head, model=None), []
    forgetful(url)
    job = name_of(user.submit("d", folder, "--detach"))
    until(lambda: batches(folder / "d") > 0, "a batch")
    kill_driver(folder)
    if (end := user.ends(job)) != "FAILED":
        wrong.append(f"the job that was killed is said to have {end}")
    user.submit("d", folder)
    verdict = StoredDataset.at(folder / "d").verify()
    wrong += verdict.problems
    if verdict.generated != RECORDS:
        wrong.append(f"{verdict.generated} records")
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - the loopback
        requests = int(json.load(reply)["total"]["requests"])
    if not RECORDS + GREETINGS <= requests <= RECORDS + GREETINGS + SLOTS:
        wrong.append(f"{requests} requests")
    return requests, wrong


def main() -> None:
    """Run as the command line says; exit code 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--latency", type=float, default=0.25, help="seconds of a reply")
    given = parser.parse_args()
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="killed-jobs-") as name,
        SimulatedServerProcess(SimulatedModel(latency=given.latency, jitter=0.5)) as url,
        running_head(Path(name)) as head,
    ):
        prepare(Path(name), url)
        for kill in range(1, given.kills + 1):
            folder = Path(name) / f"kill{kill}"
            requests, wrong = killed(head, url, folder)
            again = requests - RECORDS - GREETINGS
            print(f"kill={kill} cells={RECORDS} requests={requests} greetings={GREETINGS} again={again} slots={SLOTS}")
            for problem in wrong:
                print(f"PROBLEM: {problem}")
            sys.stdout.flush()
            failed += bool(wrong)
    print("everything holds" if not failed else f"{failed} of {given.kills} kills")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
