"""The endpoint that benchmarks ask: the nginx mock of `../shared/bench` where it is there, else the simulated model."""

import json
import math
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

SHARED = Path(__file__).resolve().parents[3] / "shared" / "bench"
HOME = Path(os.environ.get("BENCH_HOME", Path(tempfile.gettempdir()) / "dd-bench"))
_PORT = 18080


@dataclass(frozen=True, slots=True)
class Counted:
    """What the endpoint counted."""

    requests: int
    seconds: float
    """From the first request to the last reply."""
    mean_in_flight: float
    peak_in_flight: int
    first_at: float
    """When the first request came, in seconds since the epoch; of no meaning where none did."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a model behaves. Seconds and rates."""

    tag: str = "m"
    latency: float = 0.0
    spread: float = 0.0
    """Coefficient of variation of the lognormal latency."""
    capacity: int | None = None
    """Requests in flight above which it answers 429."""
    errors: float = 0.0
    resets: float = 0.0
    malformed: float = 0.0

    @property
    def for_mock(self) -> str:
        """The model name that makes the nginx mock behave so."""
        parts = [self.tag, f"lat{self.latency * 1000:g}", "out200"]
        shares = {"jit": self.spread, "err": self.errors, "rst": self.resets, "mal": self.malformed}
        parts += [f"{name}{share * 100:g}" for name, share in shares.items() if share]
        return "-".join(parts + ([f"429c{self.capacity}", "ra1"] if self.capacity else []))

    @property
    def for_simulated(self) -> str:
        """The model name that makes the simulated model behave so."""
        sigma = math.sqrt(math.log1p(self.spread**2))
        options = {
            "latency": self.latency,
            "jitter": sigma,
            "jitter_kind": "lognormal",
            "error_rate": self.errors,
            "reset_rate": self.resets,
            "malformed_rate": self.malformed,
        }
        if self.capacity:
            options["reject_above"] = self.capacity
        return f"{self.tag}?" + "&".join(f"{name}={value}" for name, value in options.items())


class Endpoint:
    """An OpenAI-compatible endpoint that counts."""

    def __init__(self, url: str, *, is_mock: bool) -> None:
        self.url = url
        self.is_mock = is_mock

    def model(self, behaviour: Behaviour) -> str:
        """The name of a model that behaves so."""
        return behaviour.for_mock if self.is_mock else behaviour.for_simulated

    def reset(self) -> None:
        """Count anew."""
        self._ask("/reset", "POST")

    def counted(self) -> Counted:
        """What was counted since the last reset."""
        stats = self._ask("/stats", "GET")
        if self.is_mock:
            found = stats["_all"]
            return Counted(found["req"], found["window"], found["mean_conc"], found["peak"], found["first"])
        found = stats["total"]
        first_at = (found["first_at"] or 0.0) + time.time() - time.monotonic()
        return Counted(found["requests"], found["span"], found["mean_in_flight"], found["peak_in_flight"], first_at)

    def _ask(self, path: str, method: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url.removesuffix('/v1')}{path}", method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - a loopback address
            content: dict[str, Any] = json.loads(reply.read())
        return content


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """The nginx mock where it can be started, else the simulated model in a process of its own."""
    if not (SHARED / "mock" / "start.sh").is_file() or shutil.which("nginx") is None:
        with SimulatedServerProcess(SimulatedModel(output_tokens=50)) as url:
            yield Endpoint(url, is_mock=False)
        return
    environment = os.environ | {"BENCH_HOME": str(HOME)}
    subprocess.run([SHARED / "mock" / "start.sh", str(_PORT)], check=True, env=environment)
    try:
        yield Endpoint(f"http://127.0.0.1:{_PORT}/v1", is_mock=True)
    finally:
        subprocess.run([SHARED / "mock" / "stop.sh", str(_PORT)], check=True, env=environment)
