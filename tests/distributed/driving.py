"""A run that the process of a test drives, while something happens to it."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.distributed.head import until


class Driven:
    """A run, as those see it who do something to it."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something, which comes before the run is over."""
        until(lambda: self._over.is_set() or holds(), what)
        assert not self._over.is_set(), f"the run was over before {what}"

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        if not self._over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    def ended(self) -> None:
        """It is over."""
        self._over.set()


@contextmanager
def meanwhile(act: Callable[[Driven], None]) -> Iterator[None]:
    """Do something in a thread while a run is driven inside; what is wrong with it is raised."""
    run = Driven()
    with ThreadPoolExecutor(1) as threads:
        acting = threads.submit(act, run)
        try:
            yield
        finally:
            run.ended()
    acting.result()


def batches(dataset: Path) -> int:
    """How many are committed."""
    return len(list((dataset / "receipts").glob("*.json")))


class _Joins(logging.Handler):
    """Listens for runs that say something."""

    def __init__(self, runs: int, words: str) -> None:
        super().__init__()
        self.all = threading.Event()
        self._left = runs
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        """Listen."""
        if record.getMessage().startswith(self._words):
            self._left -= 1
            if not self._left:
                self.all.set()


@contextmanager
def joined(runs: int = 1, *, words: str = "Ray has joined") -> Iterator[threading.Event]:
    """Set once Ray has joined so many runs of this process, or `does CPU work` for them."""
    handler, logger = _Joins(runs, words), logging.getLogger("data_designer.engine.execution.joining")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        yield handler.all
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
