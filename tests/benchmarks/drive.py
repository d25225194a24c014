"""Makes one dataset of one workload and prints what came of it; `bench.py` runs this in a process of its own."""

import argparse
import asyncio
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import data_designer.config as dd
from data_designer.interface import DataDesigner

TOPICS = ["books", "garden tools", "lamps", "headphones", "kitchen knives", "bicycles", "tents", "board games"]
CODE = "def area(width: float, height: float) -> float:\n    return width * height\n"


def _category(builder: dd.DataDesignerConfigBuilder) -> None:
    builder.add_column(name="category", column_type="sampler", sampler_type="category", params={"values": TOPICS})


def _labelled(builder: dd.DataDesignerConfigBuilder) -> None:
    _category(builder)
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    gaussian = {"mean": 40, "stddev": 9, "decimal_places": 2}
    builder.add_column(name="price", column_type="sampler", sampler_type="gaussian", params=gaussian)
    builder.add_column(name="label", column_type="expression", expr="{{ category | upper }} at {{ price }}")


def _ask(builder: dd.DataDesignerConfigBuilder, name: str, model: str, prompt: str) -> None:
    builder.add_column(name=name, column_type="llm-text", model_alias=model, prompt=prompt)


def text(builder: dd.DataDesignerConfigBuilder) -> None:
    """One text column."""
    _category(builder)
    _ask(builder, "text", "m1", "Write one short product description for an item in the category '{{ category }}'.")


def diamond(builder: dd.DataDesignerConfigBuilder) -> None:
    """Four columns of two models, two of which wait for others."""
    _category(builder)
    _ask(builder, "a", "m1", "Draft a two-sentence story about {{ category }}.")
    _ask(builder, "b", "m2", "Criticise this story in one sentence: {{ a }}")
    _ask(builder, "c", "m1", "Rewrite the story '{{ a }}' following this advice: {{ b }}")
    _ask(builder, "d", "m2", "Give one independent fact about {{ category }}.")


def structured(builder: dd.DataDesignerConfigBuilder) -> None:
    """One structured column."""
    _category(builder)
    fields = {"title": {"type": "string"}, "score": {"type": "integer"}, "summary": {"type": "string"}}
    tags = {"tags": {"type": "array", "items": {"type": "string"}}}
    schema = {"type": "object", "properties": fields | tags, "required": [*fields, *tags]}
    builder.add_column(
        name="rec",
        column_type="llm-structured",
        model_alias="m1",
        prompt="Produce one catalogue record for an item in the category '{{ category }}'.",
        output_format=schema,
    )


def tail(builder: dd.DataDesignerConfigBuilder) -> None:
    """A chain of three columns."""
    _category(builder)
    _ask(builder, "a", "m1", "Draft a two-sentence story about {{ category }}.")
    _ask(builder, "b", "m1", "Criticise this story in one sentence: {{ a }}")
    _ask(builder, "c", "m1", "Rewrite the story '{{ a }}' following this advice: {{ b }}")


def growth(builder: dd.DataDesignerConfigBuilder) -> None:
    """Samplers, an expression and a text column."""
    _labelled(builder)
    _ask(builder, "text", "m1", "Advertise {{ label }}.")


def drawn(builder: dd.DataDesignerConfigBuilder) -> None:
    """No model: samplers and three expressions."""
    _labelled(builder)
    builder.add_column(name="count", column_type="sampler", sampler_type="poisson", params={"mean": 4})
    builder.add_column(name="total", column_type="expression", expr="{{ price * count }}", dtype="float")
    builder.add_column(name="code", column_type="expression", expr=f"# {{{{ id }}}}\n{CODE}")


def cpu(builder: dd.DataDesignerConfigBuilder) -> None:
    """No model: samplers, expressions and the validation of Python code."""
    drawn(builder)
    builder.add_column(
        name="checked",
        column_type="validation",
        target_columns=["code"],
        validator_type="code",
        validator_params={"code_lang": "python"},
        batch_size=100,
    )


KINDS: dict[str, Callable[[dd.DataDesignerConfigBuilder], None]] = {
    kind.__name__: kind for kind in (text, diamond, structured, tail, growth, drawn, cpu)
}


class _Watch:
    """The largest resident size of this process, and the seconds until the first batch was committed."""

    def __init__(self, dataset: Path) -> None:
        self.peak = 0
        self.first_file_after: float | None = None
        self._dataset = dataset
        self._started = time.perf_counter()
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        import psutil

        process = psutil.Process()
        while not self._over.wait(0.05):
            self.peak = max(self.peak, process.memory_info().rss)
            if self.first_file_after is None and any((self._dataset / "receipts").glob("batch_*")):
                self.first_file_after = time.perf_counter() - self._started

    def stop(self) -> None:
        self._over.set()


def _designer(args: argparse.Namespace, folder: Path) -> tuple[DataDesigner, dd.DataDesignerConfigBuilder]:
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=args.slots, timeout=120)
    names = {"m1": args.model, "m2": args.model2}
    models = [
        dd.ModelConfig(alias=alias, model=name, provider="p", skip_health_check=True, inference_parameters=params)
        for alias, name in names.items()
        if name
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    KINDS.get(args.kind, text)(builder)
    designer = DataDesigner(folder, model_providers=[dd.ModelProvider(name="p", endpoint=args.url)])
    designer.set_run_config(
        dd.RunConfig(
            executor=args.executor,
            buffer_size=args.buffer_size,
            non_inference_max_parallel_workers=args.workers,
            max_conversation_restarts=5,
        )
    )
    return designer, builder


def make(args: argparse.Namespace) -> dict[str, float | None]:
    """Make a dataset."""
    with tempfile.TemporaryDirectory() as folder:
        designer, builder = _designer(args, Path(folder))
        watch = _Watch(Path(folder) / "dataset")
        began, started = time.process_time(), time.perf_counter()
        result = designer.create(builder, num_records=args.records)
        cpu_seconds, seconds = time.process_time() - began, time.perf_counter() - started
        watch.stop()
        rows = result.count_records()
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "rows": rows,
        "driver_bytes": watch.peak,
        "first_file_after": watch.first_file_after,
    }


def first(args: argparse.Namespace) -> dict[str, float | None]:
    """A preview of one record; the seconds are those since the caller's clock said `BENCHMARK_BEGAN`."""
    designer, builder = _designer(args, Path(tempfile.gettempdir()))
    assert len(designer.preview(builder, num_records=args.records).dataset) == args.records
    return {"seconds": time.time() - float(os.environ["BENCHMARK_BEGAN"]), "rows": args.records}


def begin(args: argparse.Namespace) -> dict[str, float | None]:
    """Make a dataset while nobody watches, as a script of a user does."""
    designer, builder = _designer(args, Path(tempfile.mkdtemp()))
    return {"rows": designer.create(builder, num_records=args.records).count_records()}


def warm(args: argparse.Namespace) -> dict[str, float | None]:
    """Make a few records on a Ray that runs already and has not seen this package."""
    import ray

    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    try:
        return make(args)
    finally:
        ray.shutdown()


async def _bare(url: str, model: str, cells: int, slots: int) -> float:
    import aiohttp
    import orjson

    waiting = iter(range(cells))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            for number in waiting:
                body = orjson.dumps({"model": model, "messages": [{"role": "user", "content": f"Write {number}."}]})
                async with session.post(f"{url}/chat/completions", data=body) as reply:
                    orjson.loads(await reply.read())

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(slots)))
        return time.perf_counter() - started


def bare(args: argparse.Namespace) -> dict[str, float | None]:
    """The same requests from a loop in one process that does nothing else."""
    return {"seconds": asyncio.run(_bare(args.url, args.model, args.records, args.slots)), "rows": args.records}


def plain(args: argparse.Namespace) -> dict[str, float | None]:
    """The columns of `cpu` but the validation, by numpy, jinja2 and pyarrow in one process, a file a batch."""
    import jinja2
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    began, started = time.process_time(), time.perf_counter()
    random.seed(1)
    rng = np.random.default_rng(1)
    label = jinja2.Template("{{ category | upper }} at {{ price }}")
    total = jinja2.Template("{{ price * count }}")
    code = jinja2.Template(f"# {{{{ id }}}}\n{CODE}")
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, args.records, args.buffer_size):
            size = min(args.buffer_size, args.records - start)
            rows = {
                "category": rng.choice(TOPICS, size).tolist(),
                "id": [f"{random.getrandbits(128):032x}" for _ in range(size)],
                "price": np.round(rng.normal(40, 9, size), 2).tolist(),
                "count": rng.poisson(4, size).tolist(),
            }
            records = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
            rows["label"] = [label.render(record) for record in records]
            rows["total"] = [float(total.render(record)) for record in records]
            rows["code"] = [code.render(record) for record in records]
            pq.write_table(pa.table(rows), f"{folder}/{start}.parquet", compression="zstd")
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - began,
        "rows": args.records,
    }


OTHERS = {other.__name__: other for other in (bare, plain, first, begin, warm)}


def told(arguments: list[str] | None = None) -> argparse.Namespace:
    """What a command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*KINDS, *OTHERS])
    parser.add_argument("records", type=int)
    parser.add_argument("--url", default="http://127.0.0.1:1/v1")
    parser.add_argument("--model", default="")
    parser.add_argument("--model2", default="")
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--buffer-size", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--executor", default="ray")
    return parser.parse_args(arguments)


def run(args: argparse.Namespace) -> dict[str, float | None]:
    """Run one workload."""
    return OTHERS.get(args.kind, make)(args)


if __name__ == "__main__":
    print("RESULT " + json.dumps(run(told())), flush=True)
