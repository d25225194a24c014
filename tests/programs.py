"""Programs that tests start and kill: functions in processes forked from one that has imported the library already."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.fakes", "data_designer.interface.data_designer"])


def started(function: Callable[..., object], *arguments: Any) -> ForkServerProcess:
    """Call a function of a module in a process of its own, with this one's environment and working directory."""
    program = _FORKING.Process(target=_called, args=(dict(os.environ), Path.cwd(), function, arguments), daemon=True)
    program.start()
    return program


def _called(
    environment: dict[str, str], folder: Path, function: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    function(*arguments)
