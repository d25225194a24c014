"""How often Python looks for garbage while cells are made."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = (10_000, 20, 20)
"""As `gc.set_threshold` takes it: allocations before young objects are searched, searches before older ones are."""
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
        if 0 < _before[0][0] < RARELY[0]:
            gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        with _changing:
            own = _before[0]
            _before.pop()
            if not _before:
                gc.set_threshold(*own)
