"""Makes one dataset on a Ray of three nodes on this machine, of which one may be lost; `test_nodes.py` runs this."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import data_designer.config as dd
from data_designer.errors import ArtifactStorageError
from data_designer.interface import DataDesigner

RECORDS = 240


def declared(provider: str = "sim") -> dd.DataDesignerConfigBuilder:
    """Samplers, a function of this script, two models in a chain, and an expression."""

    @dd.custom_column_generator(required_columns=["kind"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.002)
        return {**row, "doubled": row["kind"] * 2}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=12)
    models = [
        dd.ModelConfig(
            alias=alias, model=f"{alias}?latency=0.1&jitter=0.5", provider=provider, inference_parameters=params
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


def make(url: str, path: Path, **run: Any) -> None:
    """The dataset."""
    designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="sim", endpoint=url)])
    designer.set_run_config(dd.RunConfig(seed=11, buffer_size=20, otel_metrics_port=None, **run))
    designer.create(declared(), num_records=RECORDS, dataset_name="d")


def make_many(path: Path, records: int, **run: Any) -> None:
    """The dataset with more records, by the simulated model that this process serves."""
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(seed=11, buffer_size=20, otel_metrics_port=None, **run))
    designer.create(declared("simulated"), num_records=records, dataset_name="d")


def _lose_one(cluster: Any, nodes: list[Any], path: Path) -> None:
    """Once there is a batch, kill a node with all its processes, and add another."""
    while not list((path / "d" / "receipts").glob("*.json")):
        time.sleep(0.05)
    cluster.remove_node(nodes[0], allow_graceful=False)
    cluster.add_node(num_cpus=1, wait=False)


def _homes() -> int:
    """On how many nodes there are replicas, at the most while this is asked."""
    import ray

    seen: set[str] = set()
    for _ in range(200):
        actors = ray._private.state.actors()  # the public API needs the dashboard
        seen |= {one["Address"]["NodeID"] for one in actors.values() if one["State"] == "ALIVE"}
        if len(seen) > 1:
            break
        time.sleep(0.05)
    return len(seen)


def refused(url: str, path: Path) -> str:
    """What is said where one node has a file system of its own at the dataset's place."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    path.mkdir(exist_ok=True)
    start = f"{Path(sys.executable).parent / 'ray'} start --address={cluster.address} --num-cpus=1 --block"
    hidden = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none '{path}' && exec {start}"]
    elsewhere = subprocess.Popen(hidden, stdout=subprocess.DEVNULL, start_new_session=True)
    os.environ["RAY_ADDRESS"] = cluster.address
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        while sum(node["Alive"] for node in ray.nodes()) == 1:
            time.sleep(0.1)
        make(url, path, executor="ray")
    except ArtifactStorageError as error:
        return str(error)
    finally:
        os.killpg(elsewhere.pid, signal.SIGKILL)
        ray.shutdown()
        cluster.shutdown()
    return ""


def main() -> None:
    """Start the nodes, make the dataset, say on how many of them replicas were."""
    url, path, loses = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "loses"
    if url == "hosts":
        make_many(path, int(sys.argv[3]), executor="ray", replicas_per_model=3)
        return
    if sys.argv[3] == "hides":
        print(json.dumps({"said": refused(url, path)}))
        return
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
    os.environ["RAY_ADDRESS"] = cluster.address
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    homes: list[int] = []
    watching = threading.Thread(target=lambda: homes.append(_homes()), daemon=True)
    watching.start()
    if loses:
        threading.Thread(target=_lose_one, args=(cluster, nodes, path), daemon=True).start()
    make(url, path, executor="ray", replicas_per_model=3)
    watching.join()
    print(json.dumps({"homes": homes[0], "nodes": len(ray.nodes())}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
