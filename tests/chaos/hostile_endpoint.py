"""Makes a dataset at an endpoint that answers a share of its requests with something out of `tests/hostile.py`.

The endpoint is a process that speaks raw HTTP, so that it can break it. At the end every record must be generated or
rejected by a known kind of error, every value must be its own record's, and whoever asks must need no more memory than
after a quarter of the run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import psutil
from tests.hostile import ANSWERS, BROKEN, CONTENTS, LARGEST, SLOW, Broken, completion, fenced, sent

import data_designer.config as dd
from data_designer import errors
from data_designer.interface import DataDesigner

_SHARES = ((ANSWERS, 70), (CONTENTS, 14), (BROKEN, 14), (SLOW, 2))
"""Parts of the corpus, and how often each is taken."""
_TIMEOUT = 2
"""Seconds until a request is given up."""
_SAMPLE_SECONDS = 0.25
_GROWN = 1.15
_GROWN_MB = 30.0
"""How much more memory may be needed at the end than after a quarter: by this factor, and so much more."""
_NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
_ODD_NAMES = re.compile(r"tea \ufffd|a{500000}|whole")
"""Names that are read out of hostile answers, rightly."""


# --- the endpoint ------------------------------------------------------------------------------------------


@dataclass
class HostileEndpoint:
    """Answers requests well, or with a random item of the corpus."""

    share: float
    rng: random.Random
    sent: Counter[str] = field(default_factory=Counter)

    async def visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection."""
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            while await self._answered(reader, writer):
                pass
        writer.close()
        with suppress(ConnectionError, TimeoutError):
            await writer.wait_closed()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; gives whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        if head.startswith("GET"):
            writer.write(_whole(200, {}, json.dumps(self.sent).encode()))
            return True
        item = self._chosen()
        self.sent[getattr(item, "name", "good")] += 1
        if isinstance(item, Broken):
            await _break(item, reader, writer)
            return False
        if item is None:
            row = re.search(rb"row (\d+)\.", body)
            writer.write(_whole(200, {}, completion(fenced(json.dumps({"name": row[1].decode() if row else "?"})))))
        elif isinstance(item, tuple):
            writer.write(_whole(200, {}, item[1]))
        else:
            writer.write(_whole(item.status, item.headers, item.body))
        await writer.drain()
        return True

    def _chosen(self) -> Any:
        if self.rng.random() >= self.share:
            return None
        [part] = self.rng.choices([part for part, _ in _SHARES], [weight for _, weight in _SHARES])
        return self.rng.choice(part)


def _whole(status: int, headers: Any, body: bytes) -> bytes:
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + (b"" if status in (204, 304) else body)


async def _break(broken: Broken, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await sent(broken, reader, writer) and broken.aborts:
        writer.transport.abort()


async def serve(share: float, seed: int) -> None:
    """Be the endpoint until the end of this process; its address is the first line that is printed."""
    endpoint = HostileEndpoint(share, random.Random(seed))
    server = await asyncio.start_server(endpoint.visited, "127.0.0.1", 0, limit=2**20, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


@contextmanager
def hostile_endpoint(share: float, seed: int) -> Iterator[str]:
    """An endpoint in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--serve", f"--share={share}", f"--seed={seed}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


# --- the run -----------------------------------------------------------------------------------------------


@dataclass
class Memory:
    """What the processes that ask need, over time."""

    on_ray: bool
    samples: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, MB)."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every moment."""
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def around(self, part: float) -> float:
        """MB about that part of the run."""
        if not self.samples:
            return 0.0
        first, last = self.samples[0][0], self.samples[-1][0]
        at = first + (last - first) * part
        near = [size for when, size in self.samples if abs(when - at) <= 0.05 * (last - first)]
        return statistics.median(near or [self.samples[-1][1]])

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            if sizes := [_size(process) for process in self._processes()]:
                self.samples.append((time.monotonic(), max(sizes)))

    def _processes(self) -> list[psutil.Process]:
        own = psutil.Process()
        if not self.on_ray:
            return [own]
        children = own.children(recursive=True)
        return [one for one in children if _title(one).startswith("ray::ReplicaActor")]


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _size(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return float(process.memory_info().rss) / 2**20
    return 0.0


def run(url: str, given: argparse.Namespace, memory: Memory) -> Any:
    """Make the dataset in the working directory."""
    import pandas as pd

    parameters = dd.ChatCompletionInferenceParams(max_parallel_requests=given.slots, timeout=_TIMEOUT)
    model = dd.ModelConfig(
        alias="m", model="any", provider="p", inference_parameters=parameters, skip_health_check=True
    )
    made = dd.DataDesignerConfigBuilder(model_configs=[model])
    made.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"i": range(given.cells)})))
    made.add_column(name="s", column_type="llm-structured", model_alias="m", prompt="row {{ i }}.", output_format=_NAME)
    provider = dd.ModelProvider(name="p", endpoint=url, api_key="no-real-key", max_reply_bytes=LARGEST)
    designer = DataDesigner("art", model_providers=[provider])
    # Refusals are random here, so nothing is to be learnt from them.
    tuning = dd.RequestAdmissionTuningConfig(
        cooldown_seconds=0.01,
        multiplicative_decrease_factor=0.99,
        additive_increase_step=given.slots,
        successes_until_increase=1,
    )
    designer.set_run_config(
        dd.RunConfig(
            executor=given.executor,
            seed=given.seed,
            otel_metrics_port=None,
            disable_early_shutdown=True,
            request_admission=tuning,
            progress_interval=30.0,
        )
    )
    with memory.watched():
        return designer.create(made, num_records=given.cells, dataset_name="d")


def problems(results: Any, cells: int, memory: Memory) -> list[str]:
    """What does not hold."""
    outcomes, found = results.outcomes, []
    rejected = results.load_rejected()
    if outcomes.generated + len(rejected) != cells or outcomes.unfinished:
        found.append(f"{outcomes.generated} generated, {len(rejected)} rejected, {outcomes.unfinished} unfinished")
    unknown = {kind for kind in rejected.get("kind", ()) if not hasattr(errors, str(kind))}
    if unknown:
        found.append(f"rejected for unknown kinds: {unknown}")
    for row in results.load_dataset().to_dict("records"):
        name = row["s"]["name"]
        if name != str(row["i"]) and not _ODD_NAMES.fullmatch(name):
            found.append(f"row {row['i']} is named {name[:50]!r}")
    quarter, end = memory.around(0.25), memory.around(1.0)
    if end > _GROWN * quarter + _GROWN_MB:
        found.append(f"memory grows: {quarter:.0f} MB after a quarter, {end:.0f} MB at the end")
    return found


def main() -> None:
    """Run as the command line says; exit code 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--share", type=float, default=0.3, help="of the answers that are hostile")
    parser.add_argument("--executor", choices=["inline", "ray"], default="inline")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--limit", type=int, default=7200, help="seconds until it counts as a hang")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(given.share, given.seed))
        return
    signal.alarm(given.limit)
    memory, began = Memory(on_ray=given.executor == "ray"), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, hostile_endpoint(given.share, given.seed) as url:
        os.chdir(folder)
        results = run(url, given, memory)
        took = time.monotonic() - began
        found = problems(results, given.cells, memory)
        outcomes = results.outcomes
        retried = {kind: said["count"] for kinds in outcomes.retried.values() for kind, said in kinds.items()}
        rejected = dict(Counter(results.load_rejected().get("kind", ())))
        print(f"cells={given.cells} generated={outcomes.generated} seconds={took:.0f}")
        print(f"failed attempts={retried} rejected={rejected}")
        print(f"memory: {memory.around(0.25):.0f} MB after a quarter, {memory.around(1.0):.0f} MB at the end")
    for problem in found[:20]:
        print(f"PROBLEM: {problem}")
    print("everything holds" if not found else f"{len(found)} problems")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
