"""How endpoints of tests answer: each prompt otherwise, not for long, not at once, or not everybody."""

import re
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.counting import Reply

LIMIT = 60.0
"""Seconds after which something that never comes is given up."""
MANY = 1_000_000


def answer(prompt: str) -> Reply:
    """A reply that tells every prompt from every other."""
    return Reply(f"<{prompt}>")


def row_of(prompt: str) -> int:
    """The seed row that a prompt is about, directly or by what was made of it."""
    found = re.search(r"row (\d+)", prompt, re.IGNORECASE)
    assert found is not None
    return int(found.group(1))


def asked_twice(prompts: list[str]) -> dict[str, int]:
    """Prompts that came more than once, and how often."""
    return {prompt: count for prompt, count in Counter(prompts).items() if count > 1}


@dataclass
class Failing:
    """Answers a number of requests, then refuses every other one."""

    answers: int
    status: int = 503
    only: str = ""
    """It counts and refuses only prompts that begin so."""
    given: list[str] = field(default_factory=list)
    """Prompts that were answered."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, prompt: str) -> Reply:
        """Answer or refuse."""
        with self.lock:
            counted = sum(one.startswith(self.only) for one in self.given)
            if prompt.startswith(self.only) and counted >= self.answers:
                return Reply("out of order", self.status)
            self.given.append(prompt)
        return answer(prompt)


@dataclass
class Holding:
    """Answers a number of requests, then keeps those that come waiting until it is told to go on."""

    answers: int
    came: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, prompt: str) -> Reply:
        """Answer, sooner or later."""
        with self.lock:
            self.came += 1
            waits = self.came > self.answers
        if waits:
            self.held.set()
            self.go_on.wait(LIMIT)
        return answer(prompt)


@dataclass
class Gathering:
    """Lets nobody go before so many requests of a kind, as their prompts begin, have been there at the same time.

    Others, such as a greeting, are answered at once.
    """

    slots: int
    replies: dict[str, str]
    """Beginning of a prompt to what is answered."""
    here: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    """Of each kind, how many there were at once."""
    lock: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, prompt: str) -> Reply:
        """Answer, once all slots are taken or have been."""
        kind = next((beginning for beginning in self.replies if prompt.startswith(beginning)), None)
        if kind is None:
            return answer(prompt)
        with self.lock:
            self.here[kind] += 1
            self.most[kind] = max(self.most[kind], self.here[kind])
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.most[kind] >= self.slots, LIMIT)
            self.here[kind] -= 1
        return Reply(self.replies[kind])


@dataclass
class Refusing:
    """Refuses prompts about some rows with HTTP 400."""

    rows: set[int]
    words: str = "not this one"

    def __call__(self, prompt: str) -> Reply:
        """Answer or refuse."""
        return Reply(self.words, 400) if row_of(prompt) in self.rows else answer(prompt)
