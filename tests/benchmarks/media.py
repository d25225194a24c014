"""Measures a run whose cells are images of two megabytes, in and out: memory, bytes through the driver, seconds.

    python tests/benchmarks/media.py                                2,000 rows: inline, then on Ray
    python tests/benchmarks/media.py --rows 300 --seed base64       images in the cells of a Parquet file
    python tests/benchmarks/media.py --rows 300 --seed jsonl        the same in JSON lines; `bytes` for binary cells

Three columns: an image made of the seed's image, an image made of that image, and a text about the latter. The endpoint
is a process of its own that reads a request whole, waits and sends the same reply. Sizes are resident memory; of it
`own` is what is not of files, which the kernel takes back where it needs memory. Bytes through the driver are those of
its TCP connections but for those to the endpoint, by the kernel's count: Ray's messages. (A run begins in the driver's
process, which asks itself until Ray is up.) The bound is requests x seconds of a reply / slots. Data are removed
afterwards.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from data_designer.simulated_model.pictures import picture

_SECONDS = 0.25
"""Between looks at processes."""
_COLUMNS = 3
_ROLES = {"ReplicaActor": "replica", "_work": "task worker", "raylet": "raylet"}


def image(number: int, megabytes: float) -> bytes:
    """A PNG of its own, which no compression makes smaller."""
    plain = base64.b64decode(picture(str(number)))
    noise = b"noIs" + os.urandom(int(megabytes * 1e6))
    chunk = struct.pack(">I", len(noise) - 4) + noise + struct.pack(">I", zlib.crc32(noise))
    return plain[:-12] + chunk + plain[-12:]  # Before the last chunk, which is empty.


# --- the endpoint ------------------------------------------------------------------------------------------


def serve(megabytes: float, latency: float) -> None:
    """Serve until this process is ended; prints the port."""
    from aiohttp import web

    url = f"data:image/png;base64,{base64.b64encode(image(0, megabytes)).decode()}"
    usage = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}
    drawn = {"role": "assistant", "content": "", "images": [{"type": "image_url", "image_url": {"url": url}}]}
    messages = {b"painter": drawn, b"writer": {"role": "assistant", "content": "a picture"}}
    replies = {
        name: json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})
        for name, message in messages.items()
    }
    whole = {name: reply.encode() for name, reply in replies.items()}

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(latency)
        name = b"painter" if b'"painter"' in body[:200] or b'"painter"' in body[-200:] else b"writer"
        return web.Response(body=whole[name], content_type="application/json")

    async def main() -> None:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(site.name.rpartition(":")[2], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


@contextmanager
def served(args: argparse.Namespace) -> Iterator[str]:
    """The endpoint's address."""
    command = [sys.executable, __file__, "serve", "--megabytes", str(args.megabytes), "--latency", str(args.latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


# --- the run -----------------------------------------------------------------------------------------------


def seed(folder: Path, kind: str, rows: int, megabytes: float) -> Path:
    """A seed file of so many images, made without holding them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "jsonl":
        with (folder / "seed.jsonl").open("w") as lines:
            for number in range(rows):
                content = base64.b64encode(image(number, megabytes)).decode()
                lines.write(json.dumps({"n": number, "photo": content}) + "\n")
        return folder / "seed.jsonl"
    arrow = pa.binary() if kind == "bytes" else pa.string()
    with pq.ParquetWriter(folder / "seed.parquet", pa.schema([("n", pa.int64()), ("photo", arrow)])) as writer:
        for number in range(rows):
            content: object = image(number, megabytes)
            if kind == "files":
                (folder / f"{number}.png").write_bytes(content)  # type: ignore[arg-type]
                content = f"{number}.png"
            elif kind == "base64":
                content = base64.b64encode(content).decode()  # type: ignore[arg-type]
            writer.write_table(pa.table({"n": [number], "photo": pa.array([content], arrow)}))
    return folder / "seed.parquet"


def drive(args: argparse.Namespace) -> None:
    """Make the dataset."""
    import data_designer.config as dd
    from data_designer.interface import DataDesigner

    def model(name: str, parameters: object) -> dd.ModelConfig:
        return dd.ModelConfig(
            alias=name, model=name, provider="p", skip_health_check=True, inference_parameters=parameters
        )

    slots = args.slots // 2
    models = [
        model("painter", dd.ImageInferenceParams(max_parallel_requests=slots)),
        model("writer", dd.ChatCompletionInferenceParams(max_parallel_requests=slots)),
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(args.seed_file)))
    for name, shown in (("made", "photo"), ("again", "made")):
        context = [dd.ImageContext(column_name=shown)]
        builder.add_column(
            name=name, column_type="image", model_alias="painter", prompt="draw {{ n }}", multi_modal_context=context
        )
    builder.add_column(
        name="told",
        column_type="llm-text",
        model_alias="writer",
        prompt="say {{ n }}",
        multi_modal_context=[dd.ImageContext(column_name="again")],
    )
    designer = DataDesigner(args.folder, model_providers=[dd.ModelProvider(name="p", endpoint=args.url)])
    run = {"executor": args.executor, "buffer_size": args.buffer_size, "replicas_per_model": 1}
    designer.set_run_config(dd.RunConfig(**run, preserve_dropped_columns=False))
    began = time.perf_counter()
    results = designer.create(builder, num_records=args.rows, dataset_name="made")
    print("RESULT", json.dumps({"seconds": time.perf_counter() - began, "rows": results.count_records()}), flush=True)


# --- watching ----------------------------------------------------------------------------------------------


class Watch:
    """The peaks of a process and of those that it starts."""

    def __init__(self, process: int, endpoint: str) -> None:
        self._endpoint = endpoint
        self.peaks: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        """Role to resident and own bytes of the largest process."""
        self.connections: dict[str, int] = {}
        """Connection of the driver to the bytes that went through it."""
        self._driver = psutil.Process(process)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(_SECONDS):
            try:
                self._look()
            except psutil.Error:
                continue

    def _look(self) -> None:
        for process in [self._driver, *self._driver.children(recursive=True)]:
            try:
                role = "driver" if process == self._driver else _role(" ".join(process.cmdline()))
                status = Path(f"/proc/{process.pid}/status").read_text()
            except (psutil.Error, OSError):
                continue
            found = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+)", status, re.MULTILINE))
            sizes = int(found.get("VmRSS", 0)) << 10, int(found.get("RssAnon", 0)) << 10
            self.peaks[role] = max(self.peaks[role][0], sizes[0]), max(self.peaks[role][1], sizes[1])
        said = subprocess.run(["ss", "-tinpHO"], capture_output=True, text=True, check=False).stdout  # noqa: S607
        for line in said.splitlines():
            if f"pid={self._driver.pid}," in line and self._endpoint not in line.split()[4]:
                counts = re.findall(r"bytes_(?:sent|received):(\d+)", line)
                self.connections[" ".join(line.split()[3:5])] = sum(map(int, counts))

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def _role(command: str) -> str:
    return next((role for part, role in _ROLES.items() if part in command), "others")


def measure(args: argparse.Namespace, executor: str, folder: Path, seed_file: Path) -> None:
    """Make the dataset once, and print what it took."""
    with served(args) as url:
        command = [sys.executable, __file__, "drive", "--url", url, "--executor", executor, "--folder", str(folder)]
        command += ["--seed-file", str(seed_file)]
        for name in ("rows", "slots", "buffer_size"):
            command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
        log = folder / "log"
        with log.open("w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
            watch = Watch(process.pid, url.removeprefix("http://").removesuffix("/v1"))
            status = process.wait()
            watch.stop()
    lines = log.read_text(errors="replace").splitlines()
    result = [json.loads(line.removeprefix("RESULT")) for line in lines if line.startswith("RESULT")]
    if status or not result or result[0]["rows"] != args.rows:
        print("\n".join(lines[-30:]))
        raise SystemExit(f"the run failed with {status}")
    seconds = result[0]["seconds"]
    bound = 2 * args.rows * args.latency / (args.slots // 2)  # Of the painter, which has two columns.
    print(
        f"{executor}: {args.rows} rows, seed {args.seed}, {_COLUMNS * args.rows} requests in {seconds:.1f} s; ", end=""
    )
    print(f"the bound is {bound:.1f} s")
    for role, (resident, own) in sorted(watch.peaks.items()):
        print(f"  {role}: {resident / 1e6:.0f} MB, own {own / 1e6:.0f} MB")
    if executor == "ray":
        through = sum(watch.connections.values())
        print(f"  through the driver's connections: {through / 1e6:.1f} MB, {through / args.rows:.0f} bytes a row")


def main() -> None:
    """Measure, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["measure", "serve", "drive"], default="measure")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=32, help="of both models together")
    parser.add_argument("--megabytes", type=float, default=2.0)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of a reply")
    parser.add_argument("--buffer-size", type=int, default=200)
    parser.add_argument("--seed", choices=["files", "base64", "bytes", "jsonl"], default="files")
    parser.add_argument("--executor", choices=["inline", "ray"])
    parser.add_argument("--url")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--seed-file", type=Path)
    args = parser.parse_args()
    if args.part == "serve":
        serve(args.megabytes, args.latency)
    elif args.part == "drive":
        drive(args)
    else:
        with tempfile.TemporaryDirectory(dir=args.folder) as made:
            folder = Path(made)
            seed_file = seed(folder, args.seed, args.rows, args.megabytes)
            for executor in [args.executor] if args.executor else ["inline", "ray"]:
                measure(args, executor, folder, seed_file)
                shutil.rmtree(folder / "made")


if __name__ == "__main__":
    main()
