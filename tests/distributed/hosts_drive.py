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

import data_designer.config as dd
from data_designer.interface import DataDesigner

SLOTS = 12


def declared() -> dd.DataDesignerConfigBuilder:
    """Samplers, a function of this script, two models in a chain, and an expression."""

    @dd.custom_column_generator(required_columns=["kind"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "doubled": row["kind"] * 2}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS)
    models = [
        dd.ModelConfig(
            alias=alias, model=f"{alias}?latency=0.1&jitter=0.5", provider="simulated", inference_parameters=params
        )
        for alias in ("one", "two")
    ]
    built = dd.DataDesignerConfigBuilder(model_configs=models)
    built.add_column(name="kind", column_type="sampler", sampler_type="category", params={"values": ["x", "y"]})
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="doubled", generator_function=doubled))
    built.add_column(name="text", column_type="llm-text", prompt="About {{ doubled }} {{ id }}", model_alias="one")
    built.add_column(name="more", column_type="llm-text", prompt="On {{ text }}", model_alias="two")
    built.add_column(name="label", column_type="expression", expr="{{ kind }}: {{ more }}")
    return built


def make(path: Path, records: int, **run: Any) -> None:
    """The dataset, by the simulated model that this process serves."""
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(seed=11, buffer_size=20, otel_metrics_port=None, **run))
    designer.create(declared(), num_records=records, dataset_name="d")


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
