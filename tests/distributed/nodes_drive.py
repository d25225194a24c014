"""Makes one dataset on a Ray of several nodes on this machine, which come and go; `test_nodes.py` runs this."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

import data_designer.config as dd
from data_designer.errors import ArtifactStorageError
from data_designer.interface import DataDesigner

RECORDS, SLOTS = 720, 12
WIDE = 512
"""Slots of a model that has two replicas where there are CPUs for them."""
PATIENCE = 120.0
SAID: dict[str, Any] = {}
"""What is told at the end."""
JOINED: list["subprocess.Popen[bytes]"] = []
MADE = threading.Event()
"""Set when the dataset is there."""


def declared(provider: str = "sim") -> dd.DataDesignerConfigBuilder:
    """Samplers, a function of this script, two models in a chain, and an expression."""

    @dd.custom_column_generator(required_columns=["kind"])
    def doubled(row: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.002)
        return {**row, "doubled": row["kind"] * 2}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS)
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


def computing() -> dd.DataDesignerConfigBuilder:
    """A function that says where it ran, and prompts that cost CPU for a model with slots for two replicas."""

    @dd.custom_column_generator(required_columns=["id"])
    def where(row: dict[str, Any]) -> dict[str, Any]:
        import ray

        time.sleep(0.002)
        return {**row, "where": ray.get_runtime_context().get_node_id()}

    params = dd.ChatCompletionInferenceParams(max_parallel_requests=WIDE)
    model = dd.ModelConfig(alias="wide", model="wide?latency=0.05", provider="sim", inference_parameters=params)
    built = dd.DataDesignerConfigBuilder(model_configs=[model])
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(dd.CustomColumnConfig(name="where", generator_function=where))
    labour = "{% for a in range(40000) %}{% endfor %}"
    built.add_column(name="text", column_type="llm-text", prompt=labour + "On {{ id }}", model_alias="wide")
    return built


def _first_batch(path: Path) -> None:
    while not list((path / "d" / "receipts").glob("*.json")):
        time.sleep(0.05)


def _join(cluster: Any) -> str:
    """Let a node join, from whatever thread; gives its name once it is there."""
    import ray

    def names() -> set[str]:
        return {node["NodeID"] for node in ray.nodes() if node["Alive"]}

    before = names()
    start = [Path(sys.executable).parent / "ray", "start", f"--address={cluster.address}", "--num-cpus=1", "--block"]
    JOINED.append(subprocess.Popen([*start, "--object-store-memory=150000000"], stdout=subprocess.DEVNULL))
    _until(lambda: bool(names() - before))
    return (names() - before).pop()


def _lose_one(cluster: Any, nodes: list[Any], path: Path) -> None:
    """Once there is a batch, kill a node with all its processes, and add another."""
    _first_batch(path)
    cluster.remove_node(nodes[0], allow_graceful=False)
    _join(cluster)


def _drain_one(cluster: Any, nodes: list[Any], path: Path) -> None:
    """Once there is a batch, do as an autoscaler: announce that a node goes, and take it when no replica is there."""
    import ray
    from ray.core.generated import autoscaler_pb2

    _first_batch(path)
    node = nodes[0]
    SAID["had"] = _homes().count(node.node_id)
    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int((time.time() + PATIENCE) * 1000)
    ray._raylet.GcsClient(address=cluster.address).drain_node(node.node_id, reason, "a test", deadline)
    _until(lambda: node.node_id not in _homes())
    SAID["left"] = node.node_id not in _homes() and not MADE.is_set()
    cluster.remove_node(node)


def _homes() -> list[str]:
    """The node of each replica that lives."""
    import ray

    actors = ray._private.state.actors()  # the public API needs the dashboard
    return [one["Address"]["NodeID"] for one in actors.values() if one["State"] == "ALIVE"]


def _until(there: Callable[[], bool]) -> None:
    """Wait for something, not for ever."""
    until = time.monotonic() + PATIENCE
    while not there() and time.monotonic() < until:
        time.sleep(0.1)


def _count_homes() -> None:
    """Tell on how many nodes there are replicas, at the most while the dataset is made."""
    SAID["homes"] = 0
    while not MADE.is_set() and SAID["homes"] < 3:
        SAID["homes"] = max(SAID["homes"], len(set(_homes())))
        time.sleep(0.05)


def _help(cluster: Any, path: Path) -> None:
    """Once there is a batch, let a node join, and stop the run when what is slow is done there too."""

    def runs_tasks(node: str) -> bool:
        files = (path / "d" / "parquet-files").glob("*.parquet")
        return any(pd.read_parquet(one, columns=["where"])["where"].str.contains(node).any() for one in files)

    def has_a_replica(node: str) -> bool:
        homes = _homes()
        return node in homes and len(homes) > 1

    _first_batch(path)
    node = _join(cluster)
    _until(lambda: has_a_replica(node) and runs_tasks(node))
    SAID["tasks there"], SAID["replica there"] = runs_tasks(node), has_a_replica(node)
    os.kill(os.getpid(), signal.SIGINT)


def three_nodes(url: str, path: Path, what: str) -> None:
    """Make the dataset on three nodes, of which one is lost or drained."""
    with _cluster() as cluster:
        nodes = [cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)]
        watching = threading.Thread(target=_count_homes, daemon=True)
        watching.start()
        disaster = {"loses": _lose_one, "drains": _drain_one}[what]
        acting = threading.Thread(target=disaster, args=(cluster, nodes, path), daemon=True)
        acting.start()
        make(url, path, executor="ray", replicas_per_model=3)
        MADE.set()
        watching.join()
        acting.join()


def several_hosts(path: Path, records: int) -> None:
    """Make the dataset on hosts that others have started, and tell what the simulated model of this one has counted."""
    threading.Thread(target=_count, daemon=True).start()
    make_many(path, records, executor="ray", replicas_per_model=3)


def _count() -> None:
    """Ask the simulated model that this process serves how many requests it has had in flight, until it ends."""
    ports: list[int] = []
    while not ports:
        time.sleep(0.05)
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if "data_designer.models.simulated" in child.cmdline():
                    ports = [one.laddr.port for one in child.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
                    host = next(word.partition("=")[2] for word in child.cmdline() if word.startswith("--host"))
    with suppress(OSError):
        while True:
            with urllib.request.urlopen(f"http://{host}:{ports[0]}/stats") as reply:
                models = json.loads(reply.read())["models"]
            SAID["peaks"] = {name: one["peak_in_flight"] for name, one in models.items()}
            time.sleep(0.05)


def one_node_and_another(url: str, path: Path) -> None:
    """Begin a dataset of more records than there is time for on one node, and go on with two."""
    with _cluster() as cluster:
        threading.Thread(target=_help, args=(cluster, path), daemon=True).start()
        designer = DataDesigner(path, model_providers=[dd.ModelProvider(name="sim", endpoint=url)])
        designer.set_run_config(dd.RunConfig(seed=11, buffer_size=100, executor="ray", otel_metrics_port=None))
        designer.create(computing(), num_records=100_000, dataset_name="d")


def one_hides(url: str, path: Path) -> None:
    """Say what is said where one node has a file system of its own at the dataset's place."""
    import ray

    with _cluster() as cluster:
        path.mkdir(exist_ok=True)
        start = f"{Path(sys.executable).parent / 'ray'} start --address={cluster.address} --num-cpus=1 --block"
        hidden = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none '{path}' && exec {start}"]
        JOINED.append(subprocess.Popen(hidden, stdout=subprocess.DEVNULL))
        _until(lambda: sum(node["Alive"] for node in ray.nodes()) > 1)
        try:
            make(url, path, executor="ray")
        except ArtifactStorageError as error:
            SAID["said"] = str(error)


@contextmanager
def _cluster() -> Iterator[Any]:
    """A Ray of one node of one CPU, to which this process is connected."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield cluster
    finally:
        ray.shutdown()
        for process in JOINED:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
        cluster.shutdown()


def main() -> None:
    """Start the nodes, make the dataset, say what became of nodes and replicas."""
    url, path, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if url == "hosts":
        several_hosts(path, int(what))
    elif what == "hides":
        one_hides(url, path)
    elif what == "joins":
        one_node_and_another(url, path)
    else:
        three_nodes(url, path, what)
    print(json.dumps(SAID))


if __name__ == "__main__":
    main()
