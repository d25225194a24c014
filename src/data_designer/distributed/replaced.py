"""Names of Ray that stand for something else while Ray is called."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def replaced(of: object, name: str, other: object) -> Iterator[None]:
    """Inside, a name of a module or class stands for another thing."""
    before = getattr(of, name)
    setattr(of, name, other)
    try:
        yield
    finally:
        setattr(of, name, before)
