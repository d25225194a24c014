"""A model that is slow until it is told to hurry, so that a run does not end before something has happened to it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """What the endpoint does with one request."""

    text: str
    status: int = 200
    seconds: float = 0.0


class Pacing:
    """Answers each prompt with a reply of its own: at once, or after a while.

    Args:
        reply: what it answers.
        seconds: for a reply of it while it is slow.
    """

    def __init__(self, reply: Callable[[str], str] = "<{}>".format, seconds: float = 2.0) -> None:
        self._reply = reply
        self._seconds = seconds
        self._lock = threading.Lock()
        self._quick = 0
        self._hurry = threading.Event()
        self._hurry.set()

    def slow_after(self, prompts: int) -> None:
        """Answer so many at once, and those that follow slowly."""
        with self._lock:
            self._quick = prompts
        self._hurry.clear()

    def hurry(self) -> None:
        """Answer at once from now on, also those that wait."""
        self._hurry.set()

    def __call__(self, prompt: str) -> Reply:
        """Answer."""
        with self._lock:
            self._quick -= 1
            is_slow = self._quick < 0
        if is_slow:
            self._hurry.wait(self._seconds)
        return Reply(self._reply(prompt))
