"""Ctrl-C and SIGTERM: the first asks for an end, the second for one at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_BOTH = (signal.SIGINT, signal.SIGTERM)


LEFT = "left before what was under way had come to its end"
"""What a KeyboardInterrupt says that was the second."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM is taken as Ctrl-C, where this is the thread that signals come to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt("terminated")

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Neither counts, where this is the thread that signals come to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Not SIG_IGN, which processes that are started meanwhile would inherit.
    before = {number: signal.signal(number, lambda *_: None) for number in _BOTH}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
