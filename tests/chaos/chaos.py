"""Makes a dataset on a Ray of three nodes while something is killed every few seconds, and checks what came of it.

Killed are replicas, CPU workers, nodes with all their processes, and the driver, which is started again each time;
once the disk is full for a while. At the end every record must be there exactly once and as in an undisturbed run,
no more may have been paid for again than what was killed had slots for, and nothing may be left behind. Everything
happens in a network namespace of its own, where the machine allows that.
"""

import argparse
import ctypes
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parent))

import chaos_drive

from data_designer.engine.dataset.store import Store
from data_designer.interface.loading import load
from data_designer.interface.stored import StoredDataset
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

CLONE_NEWNET = 0x40000000
_SAMPLE_SECONDS = 0.1
_FELT_SECONDS = 20.0
"""Within which requests stop where replies cannot be written: less than a run waits for a disk."""
_RECOVERED = 0.9
"""Share of the requests that were in flight before a kill at which a run counts as recovered."""


@dataclass(slots=True)
class Kill:
    """One thing that is killed or filled."""

    kind: str
    at: float
    """Seconds since the start."""
    in_flight: int
    """Requests at the server at that moment."""
    recovered: float | None = None
    """Seconds until as many are in flight again as before; None where the run ended first."""


@dataclass(slots=True)
class Outcome:
    """What came of the run."""

    seed: int
    records: int
    kills: list[Kill] = field(default_factory=list)
    drivers: int = 0
    """How often the driver was started."""
    seconds: float = 0.0
    cells: int = 0
    requests: int = 0
    allowed: int = 0
    """Cells, and the slots of what was killed."""
    problems: list[str] = field(default_factory=list)


# --- where it happens ------------------------------------------------------------------------------------


def own_network() -> bool:
    """Move this process into a network of its own that has nothing but a loopback; says whether that was possible."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up_and_running = 0x1 | 0x40
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", up_and_running))
    return True


@contextmanager
def small_disk(megabytes: int) -> Iterator[tuple[Path, bool]]:
    """A folder, and whether it is on a disk of its own, which can be filled."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)],  # noqa: S607 - the system's own
        check=False,
        capture_output=True,
    )
    try:
        yield folder, mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=False)  # noqa: S607 - the system's own
        shutil.rmtree(folder, ignore_errors=True)


class Nodes:
    """A Ray of three nodes on this machine. The first, where the driver is, is never killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **_STORE}
        )
        self.others = [self._add(), self._add()]
        self.address: str = self._cluster.address

    def _add(self) -> Any:
        # Ray gives a node up that is not there within thirty seconds, which on a busy machine says nothing of it.
        for left in reversed(range(5)):
            try:
                return self._cluster.add_node(num_cpus=2, wait=False, **_STORE)
            except Exception as error:
                if not left or "timed out during startup" not in str(error):
                    raise
        raise AssertionError

    def kill_one(self, rng: random.Random) -> None:
        """Kill a node with all its processes; another takes its place."""
        node = self.others.pop(rng.randrange(len(self.others)))
        self._cluster.remove_node(node, allow_graceful=False)
        self.others.append(self._add())

    def close(self) -> None:
        """End it."""
        self._cluster.shutdown()


_STORE = {"object_store_memory": 150 * 1024 * 1024}


# --- what is killed --------------------------------------------------------------------------------------


def processes(title: str) -> list[psutil.Process]:
    """Processes that this one has started, through others, whose title begins so."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if " ".join(process.cmdline()).startswith(title):
                found.append(process)
    return found


def kill_process(title: str, rng: random.Random) -> bool:
    """Kill one process of Ray whose title begins so; says whether there was one."""
    found = processes(title)
    if not found:
        return False
    with suppress(psutil.NoSuchProcess):
        rng.choice(found).kill()
    return True


def fill(folder: Path, is_felt: Callable[[], bool], seconds: float) -> bool:
    """Leave no space on a disk until that is felt, and for a while after; says whether it was felt."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(b"\0" * (1 << 20))
            file.flush()
    deadline = time.monotonic() + _FELT_SECONDS
    while not (felt := is_felt()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(seconds)
    ballast.unlink()
    return felt


# --- the run ---------------------------------------------------------------------------------------------


class Endpoint:
    """What the server counts."""

    def __init__(self, url: str) -> None:
        self._url = url.removesuffix("/v1")
        self.samples: list[tuple[float, int]] = []
        """(seconds since the start, requests in flight)"""

    def total(self) -> dict[str, Any]:
        """Counts over all models."""
        with urllib.request.urlopen(f"{self._url}/stats") as reply:  # noqa: S310 - a loopback address
            total: dict[str, Any] = json.loads(reply.read())["total"]
        return total

    def watch(self, clock: Callable[[], float], over: threading.Event) -> None:
        """Sample what is in flight until it is over."""
        while not over.wait(_SAMPLE_SECONDS):
            with suppress(OSError):
                self.samples.append((clock(), int(self.total()["in_flight"])))

    def recovery(self, at: float) -> float | None:
        """Seconds from a moment until as much is in flight as in the two seconds before it."""
        before = [count for when, count in self.samples if at - 2 <= when < at]
        if not before:
            return None
        enough = _RECOVERED * sum(before) / len(before)
        after = [(when, count) for when, count in self.samples if when > at + 2 * _SAMPLE_SECONDS]
        for place in range(len(after) - 2):
            if all(count >= enough for _, count in after[place : place + 3]):
                return after[place][0] - at
        return None


class Chaos:
    """One run under fire."""

    def __init__(self, args: argparse.Namespace, url: str, disk: tuple[Path, bool], nodes: Nodes) -> None:
        self._args = args
        self._folder, self._can_fill = disk
        self._nodes = nodes
        self._rng = random.Random(args.seed)
        self._started = time.monotonic()
        self._log = args.log.open("ab")
        self._command = [
            sys.executable,
            str(Path(__file__).with_name("chaos_drive.py")),
            str(self._folder),
            *(f"--{name}={getattr(args, name.replace('-', '_'))}" for name in ("records", "slots", "replicas")),
            f"--buffer-size={args.buffer_size}",
            f"--url={url}",
        ]
        self.endpoint = Endpoint(url)
        self.outcome = Outcome(args.seed, args.records)
        self._driver = self._start()

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def _start(self) -> "subprocess.Popen[bytes]":
        self.outcome.drivers += 1
        environment = {**os.environ, "RAY_ADDRESS": self._nodes.address}
        return subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, env=environment, start_new_session=True
        )

    def run(self) -> None:
        """Kill something every few seconds until a driver ends well."""
        over = threading.Event()
        watching = threading.Thread(target=self.endpoint.watch, args=(self.now, over), daemon=True)
        watching.start()
        kinds = self._kinds()
        kind = next(kinds)
        deadline = time.monotonic() + self._args.limit
        next_at, asked_at_kill = time.monotonic() + self._args.every, 0
        while (status := self._driver.poll()) != 0:
            if status is not None:
                self._again(status)
            if time.monotonic() > deadline:
                self.outcome.problems.append(f"not done within {self._args.limit} s")
                break
            due = time.monotonic() >= next_at and len(self.outcome.kills) < self._args.kills
            # However slow the machine is: something was asked since the last kill.
            enough = asked_at_kill + self._args.slots
            if due and int(self.endpoint.total()["requests"]) > enough and self._kill(kind):
                kind = next(kinds)
                asked_at_kill = int(self.endpoint.total()["requests"])
                next_at = time.monotonic() + self._args.every
            time.sleep(0.05)
        self.outcome.seconds = self.now()
        over.set()
        watching.join()
        self._log.close()
        for kill in self.outcome.kills:
            kill.recovered = self.endpoint.recovery(kill.at)

    def _again(self, status: int) -> None:
        if status != -signal.SIGKILL:
            self.outcome.kills.append(Kill(f"driver ended by itself ({status})", self.now(), self._in_flight()))
        self._driver = self._start()

    def _kinds(self) -> Iterator[str]:
        kinds = ["replica", "worker", "node", "driver"]
        if self._can_fill:
            yield "disk"
        while True:
            self._rng.shuffle(kinds)
            yield from kinds

    def _in_flight(self) -> int:
        return int(self.endpoint.total()["in_flight"])

    def _kill(self, kind: str) -> bool:
        """Says whether there was something to kill."""
        kill = Kill(kind, self.now(), self._in_flight())
        match kind:
            case "replica":
                done = kill_process("ray::ReplicaActor", self._rng)
            case "worker":
                done = kill_process("ray::_work", self._rng)
            case "disk":
                done = fill(self._folder, lambda: not self._in_flight(), self._args.disk_seconds)
                if not done:
                    self.outcome.problems.append("requests went on while the disk was full")
            case "node":
                self._nodes.kill_one(self._rng)
                done = True
            case _:
                os.killpg(self._driver.pid, signal.SIGKILL)
                self._driver.wait()
                done = True
        if done:
            self.outcome.kills.append(kill)
        return done


# --- what must hold --------------------------------------------------------------------------------------


def undisturbed(args: argparse.Namespace, url: str, folder: Path) -> Path:
    """The same dataset, made in one process that nobody touches."""
    told = [str(folder), f"--url={url}", "--executor=inline", f"--records={args.records}", f"--slots={args.slots}"]
    return chaos_drive.make(chaos_drive.parser().parse_args([*told, f"--buffer-size={args.buffer_size}"]))


def problems_of(dataset: Path, calm: Path) -> Iterator[str]:
    """What is wrong with a dataset, compared with the undisturbed one."""
    verdict = StoredDataset.at(dataset).verify()
    yield from verdict.problems
    if verdict.missing or verdict.rejected:
        yield f"{verdict.missing} records are missing, {verdict.rejected} were rejected"
    frame, expected = load(Store.at(dataset).contents()), load(Store.at(calm).contents())
    if not frame.equals(expected):
        differing = [name for name in expected if name not in frame or not frame[name].equals(expected[name])]
        yield f"{len(frame)} rows differ from the undisturbed run's {len(expected)}, in {differing}"
    names = {path.relative_to(dataset).parts[0] for path in dataset.rglob("*")}
    if strange := names - {"accounts", "builder_config.json", "metadata.json", "parquet-files", "receipts"}:
        yield f"left behind in the dataset: {sorted(strange)}"
    if hidden := [str(path) for path in dataset.rglob(".*")]:
        yield f"temporary files left behind: {hidden}"


def slots_of(kill: Kill, slots: int) -> int:
    """Requests that a kill may cost: what the killed processes can have in flight, of one model or of both."""
    return {"disk": 0, "worker": 0, "replica": slots}.get(kill.kind, 2 * slots)


def left_in_ray(nodes: Nodes) -> Iterator[str]:
    """What a run that has ended has left in the cluster."""
    import ray

    until = time.monotonic() + 60
    while processes("ray::ReplicaActor") + processes("ray::_work") and time.monotonic() < until:
        time.sleep(0.1)
    if left := processes("ray::ReplicaActor") + processes("ray::_work"):
        yield f"processes left behind: {[process.pid for process in left]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(address=nodes.address, logging_level="ERROR", log_to_driver=False)
    there, free = (read().get("object_store_memory", 0) for read in (ray.cluster_resources, ray.available_resources))
    ray.shutdown()
    if free < there:
        yield f"object store memory left behind: {there - free:.0f} bytes"


def survive(args: argparse.Namespace) -> Outcome:
    """Run, kill, check."""
    with ExitStack() as exits:
        plain = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="calm-")))
        folder, can_fill = exits.enter_context(small_disk(args.disk_megabytes))
        if not can_fill:
            print("nothing can be mounted here: no disk is filled")
        with SimulatedServerProcess(SimulatedModel()) as fast:
            calm = undisturbed(args, fast, plain)
            cells = int(Endpoint(fast).total()["requests"])
        url = exits.enter_context(SimulatedServerProcess(SimulatedModel(latency=args.latency, jitter=0.5)))
        nodes = Nodes()
        exits.callback(nodes.close)
        chaos = Chaos(args, url, (folder, can_fill), nodes)
        chaos.run()
        outcome = chaos.outcome
        outcome.cells, outcome.requests = cells, int(chaos.endpoint.total()["requests"])
        outcome.allowed = cells + sum(slots_of(kill, args.slots) for kill in outcome.kills)
        if outcome.requests > outcome.allowed:
            outcome.problems.append(f"{outcome.requests} requests, where {outcome.allowed} are allowed")
        if not outcome.problems:
            outcome.problems.extend(problems_of(folder / chaos_drive.NAME, calm))
            outcome.problems.extend(left_in_ray(nodes))
    return outcome


def say(outcome: Outcome) -> None:
    """Print what came of it."""
    print(f"records={outcome.records} seed={outcome.seed} drivers={outcome.drivers} seconds={outcome.seconds:.1f}")
    print(f"requests={outcome.requests} cells={outcome.cells} allowed={outcome.allowed}")
    for kind in sorted({kill.kind for kill in outcome.kills}):
        kills = [kill for kill in outcome.kills if kill.kind == kind]
        times = sorted(kill.recovered for kill in kills if kill.recovered is not None)
        shown = f"{times[len(times) // 2]:.1f} s (most {times[-1]:.1f})" if times else "-"
        print(f"killed {kind}: {len(kills)} times, recovered after {shown}")
    for problem in outcome.problems:
        print(f"PROBLEM: {problem}")
    print("everything holds" if not outcome.problems else f"{len(outcome.problems)} problems")


def main() -> None:
    """Run as the command line says; exit code 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--buffer-size", type=int, default=500)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--replicas", type=int, default=3, help="replicas a model")
    parser.add_argument("--latency", type=float, default=0.25)
    parser.add_argument("--every", type=float, default=6.0, help="seconds between kills")
    parser.add_argument("--kills", type=int, default=1000, help="how often at the most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which it is given up")
    parser.add_argument("--disk-megabytes", type=int, default=256)
    parser.add_argument("--disk-seconds", type=float, default=3.0, help="how long the disk is full once it is felt")
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / "chaos.log", help="of the drivers")
    parser.add_argument("--json", type=Path, help="where the outcome is written")
    args = parser.parse_args()
    args.log.unlink(missing_ok=True)
    if not own_network():
        print("no network namespace can be made here: this runs on the machine's own network", file=sys.stderr)
    outcome = survive(args)
    say(outcome)
    if args.json is not None:
        args.json.write_text(json.dumps(asdict(outcome), indent=2))
    sys.exit(bool(outcome.problems))


if __name__ == "__main__":
    main()
