"""Measures embeddings, clients of the user's own, and tools, at the simulated model in a process of its own.

    python tests/benchmarks/kinds.py embeddings     50,000 cells: 100 texts a request, beside one
    python tests/benchmarks/kinds.py clients        chat, embeddings and images: AsyncAzureOpenAI beside our own way
    python tests/benchmarks/kinds.py tools          1,000 rows of three turns at 64 slots, with a server of tools
    python tests/benchmarks/kinds.py tools --kill   the same, whose driver is killed: what is left

Sides take turns; figures are medians of `--repeats` runs, inline and on Ray unless `--executor` says one. CPU a cell
is that of all processes but the simulated model, as the slope between a small run and a large one, so that start-up
drops out.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from accounting import RESULT, run

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

_TESTS = Path(__file__).resolve().parents[1]
_SERVER = _TESTS / "tool_server.py"
_EXECUTORS = ("inline", "ray")
_TURNS = 3


# --- what is made: in a process of its own -----------------------------------------------------------------


def _azure(url: str) -> Callable[[], Any]:
    async def token() -> str:
        return "a token"

    def make() -> Any:
        import openai

        base = url.removesuffix("/v1")
        return openai.AsyncAzureOpenAI(azure_endpoint=base, api_version="2", azure_ad_token_provider=token)

    return make


def _parameters(args: argparse.Namespace) -> Any:
    match args.kind:
        case "embeddings":
            return dd.EmbeddingInferenceParams(
                max_parallel_requests=args.slots, dimensions=256, texts_per_request=args.texts
            )
        case "images":
            return dd.ImageInferenceParams(max_parallel_requests=args.slots)
        case _:
            return dd.ChatCompletionInferenceParams(max_parallel_requests=args.slots)


def _builder(args: argparse.Namespace) -> dd.DataDesignerConfigBuilder:
    name = f"{'image' if args.kind == 'images' else 'sim'}?latency={args.latency}"
    if args.kind == "tools":
        name += f"&tool_turns={_TURNS - 1}&tool_calls=1"
    tools = [dd.ToolConfig(tool_alias="t", providers=["tools"])] if args.kind == "tools" else None
    model = dd.ModelConfig(
        alias="m", model=name, provider="p", skip_health_check=True, inference_parameters=_parameters(args)
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model], tool_configs=tools)
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    match args.kind:
        case "embeddings":
            builder.add_column(name="text", column_type="expression", expr="The text of {{ id }}.")
            builder.add_column(name="made", column_type="embedding", target_column="text", model_alias="m")
        case "images":
            builder.add_column(name="made", column_type="image", model_alias="m", prompt="draw {{ id }}")
        case "tools":
            builder.add_column(name="made", column_type="llm-text", model_alias="m", prompt="{{ id }}", tool_alias="t")
        case _:
            builder.add_column(name="made", column_type="llm-text", model_alias="m", prompt="Write about {{ id }}.")
    return builder


def drive(args: argparse.Namespace) -> None:
    """Make a dataset."""
    providers = [dd.ModelProvider(name="p", endpoint=args.url)]
    clients = {"p": _azure(args.url)} if args.client == "azure" else {}
    tools = []
    if args.kind == "tools":
        command = ["-S", str(_SERVER), str(args.folder), "add"]
        tools = [dd.LocalStdioMCPProvider(name="tools", command=sys.executable, args=command)]
    designer = DataDesigner(
        args.folder / "datasets", model_providers=providers, clients=clients, mcp_providers=tools or None
    )
    designer.set_run_config(dd.RunConfig(executor=args.executor, replicas_per_model=1))
    began = time.perf_counter()
    rows = designer.create(_builder(args), num_records=args.records).count_records()
    print(RESULT + json.dumps({"seconds": time.perf_counter() - began, "rows": rows}), flush=True)


# --- how it is measured ------------------------------------------------------------------------------------


class Model:
    """The simulated model, which counts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self) -> None:
        """Count anew."""
        self._ask("/reset", "POST")

    def counted(self) -> Mapping[str, Any]:
        """What was counted since."""
        found: Mapping[str, Any] = self._ask("/stats", "GET")["total"]
        return found

    def _ask(self, path: str, method: str) -> Any:
        request = urllib.request.Request(f"{self.url.removesuffix('/v1')}{path}", method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - a loopback address
            return json.loads(reply.read())


@contextmanager
def _simulated() -> Iterator[Model]:
    with SimulatedServerProcess(SimulatedModel(output_tokens=50)) as url:
        yield Model(url)


def _command(model: Model, folder: Path, **options: object) -> list[str]:
    given = {"url": model.url, "folder": folder, **options}
    parts = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    return [sys.executable, __file__, "drive", *parts]


def _measured(model: Model, **options: object) -> dict[str, float]:
    """One run: its CPU seconds, and what the endpoint counted."""
    model.reset()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        cost = run(_command(model, folder, **options), folder / "log", {})
    counted = model.counted()
    if cost.result["rows"] != options["records"]:
        raise SystemExit(f"{options}: {cost.result['rows']} rows")
    return {
        "cpu": cost.cpu_seconds,
        "seconds": counted["span"],
        "requests": counted["requests"],
        "in flight": counted["mean_in_flight"],
    }


def _compare(model: Model, sides: Mapping[str, Mapping[str, object]], few: int, many: int, repeats: int) -> None:
    """Print each side's cells a second and CPU a cell."""
    rates: dict[str, list[float]] = {side: [] for side in sides}
    costs: dict[str, list[float]] = {side: [] for side in sides}
    requests: dict[str, float] = {}
    for _ in range(repeats):
        for side, options in sides.items():
            small, large = (_measured(model, records=records, **options) for records in (few, many))
            rates[side].append(many / large["seconds"])
            costs[side].append(1000 * (large["cpu"] - small["cpu"]) / (many - few))
            requests[side] = large["requests"]
    for side in sides:
        rate, cost = statistics.median(rates[side]), statistics.median(costs[side])
        print(f"  {side}: {rate:.0f} cells/s, {cost:.2f} ms of CPU a cell, {requests[side]:.0f} requests", flush=True)


def embeddings(model: Model, args: argparse.Namespace) -> None:
    """50,000 cells, many a request and one."""
    for executor in args.executors:
        common = {"kind": "embeddings", "executor": executor, "latency": 0.05}
        sides = {
            f"{executor}, 100 texts a request, 4 slots": {**common, "texts": 100, "slots": 4},
            f"{executor}, one text a request, 64 slots": {**common, "texts": 1, "slots": 64},
        }
        _compare(model, sides, args.records // 10, args.records, args.repeats)


def clients(model: Model, args: argparse.Namespace) -> None:
    """A client of the user's beside our own way."""
    for executor in args.executors:
        for kind in ("chat", "embeddings", "images"):
            common = {"kind": kind, "executor": executor, "texts": 1, "slots": 64, "latency": 0.02}
            sides = {f"{executor}, {kind}, {client}": {**common, "client": client} for client in ("lean", "azure")}
            _compare(model, sides, args.records // 5, args.records, args.repeats)


class _Servers:
    """The most processes of servers of tools that there were at a time, and how many there are now."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = str(folder)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self) -> int:
        """How many there are."""
        return sum(self._folder in command and str(_SERVER) in command for command in _commands())

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.most = max(self.most, self.now())

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def _commands() -> Iterator[str]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield " ".join(process.cmdline())
        except psutil.Error:
            continue


def tools(model: Model, args: argparse.Namespace) -> None:
    """Rows of three turns: how busy slots are, and how many servers of tools there are when."""
    options = {"kind": "tools", "records": args.records, "slots": 64, "latency": args.latency}
    for executor in args.executors:
        busy: list[float] = []
        for _ in range(args.repeats):
            model.reset()
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                with (folder / "log").open("w") as log:
                    servers = _Servers(folder)
                    before = servers.now()
                    command = _command(model, folder, executor=executor, **options)
                    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
                    if args.kill:
                        _kill_midway(model, process, _TURNS * args.records // 2)
                    status = process.wait()
                    servers.stop()
                left, seconds = _left(servers)
                if status and not args.kill:
                    print((folder / "log").read_text()[-2000:])
            counted = model.counted()
            busy.append(counted["mean_in_flight"] / 64)
            print(f"  {executor}: {counted['requests']} requests in {counted['span']:.1f} s;", end=" ")
            print(f"servers of tools: {before} before, {servers.most} during, {left} after {seconds:.1f} s", flush=True)
        if not args.kill:
            bound = _TURNS * args.records * args.latency / 64
            print(f"  {executor}: slots busy {statistics.median(busy):.1%}, bound {bound:.1f} s", flush=True)


def _kill_midway(model: Model, process: "subprocess.Popen[bytes]", requests: int) -> None:
    while process.poll() is None and model.counted()["requests"] < requests:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)


def _left(servers: _Servers) -> tuple[int, float]:
    """Servers that are left once none is, or after ten seconds; and the seconds that it took."""
    began = time.perf_counter()
    while (left := servers.now()) and time.perf_counter() - began < 10.0:
        time.sleep(0.05)
    return left, time.perf_counter() - began


_PARTS = {"embeddings": (embeddings, 50_000), "clients": (clients, 3000), "tools": (tools, 1000)}


def main() -> None:
    """Measure, or be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*_PARTS, "drive"])
    parser.add_argument("--records", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--executor", choices=_EXECUTORS)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--kind", default="chat", help=argparse.SUPPRESS)
    parser.add_argument("--client", default="lean", help=argparse.SUPPRESS)
    parser.add_argument("--slots", type=int, default=64, help=argparse.SUPPRESS)
    parser.add_argument("--texts", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part == "drive":
        drive(args)
        return
    part, records = _PARTS[args.part]
    args.records = args.records or records
    args.executors = [args.executor] if args.executor else _EXECUTORS
    with _simulated() as model:
        part(model, args)


if __name__ == "__main__":
    main()
