"""How often Python looks for garbage while cells are made."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS_BEFORE_COLLECTION = 10_000
_YOUNGER_BEFORE_OLDER = 20
_changing = threading.Lock()
_before: list[tuple[int, int, int]] = []
"""What was set when each of the runs that are under way began; the first is the user's own."""


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Spare this process most searches for cycles: a cell leaves few of them, and searching took a fifth of its CPU.

    What was set before is set again when the last of the runs in this process ends. Where the user has it searched more
    rarely, or never, that stays.
    """
    with _changing:
        _before.append(gc.get_threshold())
        if 0 < _before[0][0] < ALLOCATIONS_BEFORE_COLLECTION:
            gc.set_threshold(ALLOCATIONS_BEFORE_COLLECTION, _YOUNGER_BEFORE_OLDER, _YOUNGER_BEFORE_OLDER)
    try:
        yield
    finally:
        with _changing:
            own = _before[0]
            _before.pop()
            if not _before:
                gc.set_threshold(*own)
