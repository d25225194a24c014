"""Starts a Ray of this machine: quietly, and reached from this machine only."""

import faulthandler
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import ray
from ray._private import ray_constants, services, worker

from data_designer.distributed import tokens
from data_designer.distributed.lean_node import lean
from data_designer.distributed.replaced import replaced

_started: "list[subprocess.Popen[bytes]]" = []
"""Processes of the Ray that was started here."""
_NEEDED = ("gcs_server", "raylet")
"""What a Ray cannot do without."""
_TRIES = 3
_MARK = "DATA_DESIGNER_RAY_OF"
"""Variable of the environment of all processes of the Ray that was started here."""
_OURS = uuid.uuid4().hex

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - it is where Ray keeps values
_SHARE = 0.3
"""Of the memory, which Ray takes where it may."""
_ENOUGH = 256 << 20
"""Bytes of shared memory with which a run gets on; where there are fewer, values are kept in files."""
_MOST_IN_FILES = 2 << 30

logger = logging.getLogger(__name__)

_QUIET = {
    # Nothing leaves the machine unless the user turned it on.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Workers run in the environment that the driver runs in.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Workers start when there is work for them, so that none compete with the replicas for the first seconds.
    "RAY_prestart_worker_first_driver": "0",
    # What was called when is kept for a dashboard, which is not there: up to 100,000 calls at 4 kB.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def start_local(cpus: int, wanted: Callable[[], bool]) -> None:
    """Start a Ray, and be connected to it.

    Ray gives itself half a minute to come up, which on a busy machine says nothing of it, so it is tried again.

    Args:
        cpus: how many it is told that there are.
        wanted: whether it is still waited for.
    """
    tokens.have_one()
    # One that the user has shut down has not cleared away what it started; its end is nothing to this one.
    kill_local()
    _started.clear()
    store = object_store()
    for left in reversed(range(_TRIES)):
        try:
            # A Ray that cannot do without what this one can comes up as it would by itself.
            with lean() if left == _TRIES - 1 else nullcontext():
                _start(cpus, store)
        except Exception as error:
            _clear_away()
            if not left or not wanted() or isinstance(error, ValueError):
                raise
            logger.warning("Ray has not come up and is started again: %s", str(error).partition("\n")[0])
        else:
            return


def _start(cpus: int, store: dict[str, object]) -> None:
    added = {name: value for name, value in _QUIET.items() if name not in os.environ}
    os.environ.update(added)
    try:
        with warnings.catch_warnings(), _grouped_apart(), quiet(), _on_the_loopback(), _marked():
            # Ray's own deprecations are no user's business.
            warnings.simplefilter("ignore")
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
                **store,
            )
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def quiet() -> Iterator[None]:
    """A connection to Ray that is made inside prints no word of workers that die, or of nodes: the run tells of them.

    It would on standard output, and there is no setting for it. Where there is no standard error, Ray has no place for
    the stack of a process that crashes, and would fail on that.
    """
    faults = nullcontext() if _has_standard_error() else replaced(faulthandler, "is_enabled", lambda: True)
    with faults, replaced(worker, "listen_error_messages", lambda *_: None):
        yield


def _has_standard_error() -> bool:
    try:
        return sys.stderr.fileno() >= 0
    except (AttributeError, OSError, ValueError):  # There is none, it is closed, or it stands in for a file.
        return False


@contextmanager
def _on_the_loopback() -> Iterator[None]:
    """A node that is started inside has the loopback's address, and listens there only, as Ray does on Windows.

    A loopback address that Ray is given it replaces by one that others reach.
    """
    with replaced(ray_constants, "ENABLE_RAY_CLUSTER", other=False):
        yield


@contextmanager
def _marked() -> Iterator[None]:
    """What is started inside, and all that comes of it, can be told from other processes."""
    before = os.environ.get(_MARK)
    os.environ[_MARK] = _OURS
    try:
        yield
    finally:
        os.environ.pop(_MARK)
        if before is not None:
            os.environ[_MARK] = before


@contextmanager
def _grouped_apart() -> Iterator[None]:
    """What Ray starts is no part of this process's group, and is kept in `_started`.

    A signal to the group, such as a scheduler's or that of `timeout`, is for this process, which ends Ray when it may.
    """
    popen = services.ConsolePopen
    # Elsewhere Ray itself makes a group, and ends what is in it when this process is gone.
    apart = {"process_group": 0} if sys.platform == "linux" else {}

    def start(*command: object, **settings: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = popen(*command, **settings, **apart)
        _started.append(process)
        return process

    with replaced(services, "ConsolePopen", start):
        yield


def object_store() -> dict[str, object]:
    """Where values are kept, and how many, where Ray's own choice does not fit: it asks for a third of the memory.

    In a container there is little shared memory, 64 MB unless it is given more. Values are kept in files then, since
    Ray would not say so. Elsewhere it is no more than a limit: a page is held when it is first used, and open batches
    fill no more than their budget, a quarter.
    """
    if sys.platform != "linux":
        return {}
    there = shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else 0
    if there >= _SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        return {}
    if there >= _ENOUGH:
        return {"object_store_memory": int(0.9 * there)}
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    logger.warning(
        "%s has %.0f MB to spare: Ray keeps values in files in %s instead, which is slower; give it more, a container "
        "by --shm-size=2g",
        _SHARED_MEMORY,
        there / 1e6,
        folder,
    )
    size = min(_MOST_IN_FILES, shutil.disk_usage(folder).free // 2)
    return {
        "object_store_memory": max(ray_constants.OBJECT_STORE_MINIMUM_MEMORY_BYTES, size),
        "_plasma_directory": folder,
    }


def dead_part() -> str | None:
    """What of the Ray that was started here has ended by itself, in words; None where nothing has."""
    for process in _started:
        code = process.poll()
        if code is not None and _name_of(process) in _NEEDED:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            return f"its {_name_of(process)} (process {process.pid}) {how}"
    return None


def _name_of(process: "subprocess.Popen[bytes]") -> str:
    command = process.args if isinstance(process.args, list | tuple) else [process.args]
    return Path(str(command[0])).name


def shut_down() -> None:
    """Disconnect from Ray, and end the one that was started here, if any.

    It is killed once this process has let go of it: nothing that is of value is in it, and Ray would take a second to
    end it gracefully.
    """
    node = worker._global_node if _started else None  # noqa: SLF001
    with nullcontext() if node is None else replaced(node, "kill_all_processes", lambda **_: kill_local()):
        ray.shutdown()
    _started.clear()


def _clear_away() -> None:
    """Let nothing be left of a Ray that has not come up."""
    with suppress(Exception):
        ray.shutdown()
    kill_local()
    _started.clear()


def kill_local() -> None:
    """Kill what is there of a Ray that was started here: for a process that ends without shutting it down."""
    import psutil  # Ray's own, where there is no other.

    bereft = dead_part() is not None
    for process in _started:
        if process.poll() is None:
            one = psutil.Process(process.pid)
            for part in [*one.children(recursive=True), one]:
                with suppress(psutil.NoSuchProcess):
                    part.kill()
            process.wait()
    if bereft:
        _kill_marked()


def _kill_marked() -> None:
    """Kill workers whose parent has died: those that were about to start would look for it for a minute."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(_MARK) == _OURS:
                process.kill()
