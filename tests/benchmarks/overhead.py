"""How full the slots are kept, and what a cell costs beside a bare client's request, measured side by side.

Run with `make bench`. The server is the simulated model in a process of its own; it counts what is in flight.
"""

import asyncio
import json
import tempfile
import time
import urllib.request
from typing import Any

import aiohttp
import orjson
import psutil

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess


def stats(url: str) -> dict[str, Any]:
    """What the server counted in total."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        total: dict[str, Any] = json.loads(reply.read())["total"]
    return total


def cpu_seconds() -> float:
    """CPU time of this process and of every process of a Ray it started."""
    total = sum(psutil.Process().cpu_times()[:2])
    for process in psutil.Process().children(recursive=True):
        try:
            if "simulated" not in " ".join(process.cmdline()):
                total += sum(process.cpu_times()[:2])
        except psutil.Error:
            continue
    return total


def ours(url: str, cells: int, slots: int, executor: str) -> float:
    """One text column; gives the seconds of `create`."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=slots)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="m", model="m", provider="p", skip_health_check=True, inference_parameters=params)
        ]
    )
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(name="text", column_type="llm-text", model_alias="m", prompt="Write about {{ id }}.")
    with tempfile.TemporaryDirectory() as folder:
        designer = DataDesigner(folder, model_providers=[dd.ModelProvider(name="p", endpoint=url)])
        designer.set_run_config(dd.RunConfig(executor=executor))
        started = time.perf_counter()
        designer.create(builder, num_records=cells)
        return time.perf_counter() - started


async def bare(url: str, cells: int, slots: int) -> float:
    """The same requests from a loop that does nothing else."""
    waiting = iter(range(cells))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            for number in waiting:
                content = [{"type": "text", "text": f"Write about {number}."}]
                body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}]})
                async with session.post(f"{url}/chat/completions", data=body) as reply:
                    orjson.loads(await reply.read())

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(slots)))
        return time.perf_counter() - started


def saturation(executor: str) -> None:
    """5,000 cells at 200 ms plus or minus half, 64 slots: a dispatcher without overhead reaches 0.977."""
    with SimulatedServerProcess(SimulatedModel(latency=0.2, jitter=0.5)) as url:
        ours(url, 5000, 64, executor)
        counted = stats(url)
    full = counted["mean_in_flight"] / 64
    print(f"saturation {executor}: mean in flight / slots = {full:.3f}, peak {counted['peak_in_flight']}")


def overhead(executor: str) -> None:
    """Cells a second at no latency beside a bare loop, and CPU a cell as a slope."""
    with SimulatedServerProcess(SimulatedModel(output_tokens=20)) as url:
        raw = 3000 / asyncio.run(bare(url, 3000, 64))
        marks = []
        for cells in (1000, 6000):
            before = cpu_seconds()
            seconds = ours(url, cells, 64, executor)
            marks.append((cells, cpu_seconds() - before, seconds))
        (few, cpu_few, t_few), (many, cpu_many, t_many) = marks
        print(
            f"overhead {executor}: {(many - few) / (t_many - t_few):.0f} cells/s, bare loop {raw:.0f}/s; "
            f"CPU a cell {1000 * (cpu_many - cpu_few) / (many - few):.2f} ms (processes that ended are not counted)"
        )


if __name__ == "__main__":
    for where in ("inline", "ray"):
        saturation(where)
        overhead(where)
