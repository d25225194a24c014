"""Makes one dataset on hosts that have been started; `test_hosts.py` runs this on one of them."""

import json
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tests.distributed.chain import declared

import data_designer.config as dd
from data_designer.interface import DataDesigner


def make(path: Path, records: int, **run: Any) -> None:
    """The dataset, by the simulated model that this process serves."""
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(seed=11, buffer_size=20, otel_metrics_port=None, **run))
    designer.create(declared("simulated", "?latency=0.1&jitter=0.5"), num_records=records, dataset_name="d")


def count(peaks: dict[str, int]) -> None:
    """Ask the simulated model that this process serves how many requests it has had in flight, until it ends."""
    ports: list[int] = []
    while not ports:
        time.sleep(0.05)
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if "data_designer.simulated_model.server" in child.cmdline():
                    ports = [one.laddr.port for one in child.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
                    host = next(word.partition("=")[2] for word in child.cmdline() if word.startswith("--host"))
    with suppress(OSError):
        while True:
            with urllib.request.urlopen(f"http://{host}:{ports[0]}/stats") as reply:
                models = json.loads(reply.read())["models"]
            peaks.update({name: one["peak_in_flight"] for name, one in models.items()})
            time.sleep(0.05)


def main() -> None:
    """Make it, and tell the most requests of each model that were in flight at once."""
    peaks: dict[str, int] = {}
    threading.Thread(target=count, args=(peaks,), daemon=True).start()
    make(Path(sys.argv[1]), int(sys.argv[2]), executor="ray", replicas_per_model=3)
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
