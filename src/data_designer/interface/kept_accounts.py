"""Keeps the accounts of a run beside its dataset while it goes on: an observer that never makes the run wait."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.run_accounts import write_accounts
from data_designer.engine.execution.observation import Observation
from data_designer.engine.observe.slot_accounts import SlotAccounts
from data_designer.engine.protocol.receipt import Receipt
from data_designer.engine.protocol.slot_time import RunAccounts
from data_designer.engine.scheduling import events as ev
from data_designer.object_storage import Location, ObjectPath

logger = logging.getLogger(__name__)

_FIRST_SECONDS = 1.0
_SECONDS = 5.0
_SECONDS_OF_OBJECTS = 15.0
"""Between two times that they are written, at least: a put into object storage costs money."""


class KeptAccounts:
    """Writes accounts at commits and ticks, in a thread, and at the end. Use it as a context manager around the run.

    They are statistics: where they cannot be written the run goes on without a complaint.
    """

    def __init__(
        self, accounts: SlotAccounts, files: Files, path: Location, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._accounts = accounts
        self._files = files
        self._seconds = _SECONDS_OF_OBJECTS if isinstance(path, ObjectPath) else _SECONDS
        self._clock = clock
        self._due = clock() + _FIRST_SECONDS
        self._writing: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            self._writing.join()
        self._write(self._accounts.read())

    def __call__(self, observation: Observation) -> None:
        """Take one observation in, after the accounts have."""
        if not isinstance(observation, ev.Tick | Receipt) or self._clock() < self._due:
            return
        if self._writing is None or not self._writing.is_alive():
            self._due = self._clock() + self._seconds
            self._writing = threading.Thread(
                target=self._write, args=(self._accounts.read(),), name="data-designer-accounts", daemon=True
            )
            self._writing.start()

    def _write(self, accounts: RunAccounts) -> None:
        try:
            write_accounts(self._files, accounts)
        except OSError as error:
            logger.debug("the accounts of the run could not be written: %s", error)
