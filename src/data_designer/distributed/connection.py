"""This process's connection to Ray: which one it is, and that it does not end under those who use it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private import auto_init_hook, worker

_LEAVE_SECONDS = 5.0
"""How long whoever uses a connection may take to let go of it once it is to be shut down."""
_left = threading.Condition()
_using = 0
"""How many use it."""
_ended: object = None
"""The one that is being shut down, or was last."""
_disconnect = worker.disconnect
_anew: bool = auto_init_hook.enable_auto_connect


def session() -> object:
    """What tells this process's connection to Ray from those before and after it; None where it is not connected."""
    there = worker._global_node if ray.is_initialized() else None  # noqa: SLF001
    return None if there is _ended else there


@contextmanager
def in_use() -> Iterator[None]:
    """What is inside asks things of Ray, in whatever threads, and looks at `session` for whether it still may.

    Where somebody calls `ray.shutdown()` meanwhile, that waits for it: asked later, Ray would start another Ray, or end
    the process.
    """
    global _using  # noqa: PLW0603 - a process has one connection to Ray
    with _left:
        _using += 1
        worker.disconnect, auto_init_hook.enable_auto_connect = _disconnect_once_left, False
    try:
        yield
    finally:
        with _left:
            _using -= 1
            if not _using:
                worker.disconnect, auto_init_hook.enable_auto_connect = _disconnect, _anew
            _left.notify_all()


def _disconnect_once_left(*arguments: object, **options: object) -> None:
    global _ended  # noqa: PLW0603 - see above
    _ended = worker._global_node  # noqa: SLF001
    with _left:
        _left.wait_for(lambda: not _using, timeout=_LEAVE_SECONDS)
    _disconnect(*arguments, **options)
