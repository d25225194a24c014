"""Several slow calls at the same time, and what they come to in order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def ahead(at_once: int, call: Callable[[Asked], Answer], things: Sequence[Asked]) -> Iterator[Answer]:
    """What a call comes to for each thing, in order; no more than a few are called before they are wanted.

    Args:
        at_once: how many calls at the same time; with one, each is made when it is wanted.
        call: what to call; raises what it likes.
        things: what for.
    """
    if at_once == 1:
        yield from map(call, things)
        return
    with ThreadPoolExecutor(min(at_once, max(1, len(things)))) as threads:
        for start in range(0, len(things), 4 * at_once):
            yield from threads.map(call, things[start : start + 4 * at_once])
