"""Random numbers that depend only on their seed, so that whoever asks again gets the same."""

import hashlib
import struct
from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")

_NUMBERS = struct.Struct(">16I")
"""How a digest is read."""

# fmt: off
_WORDS = (
    "amber", "basin", "cedar", "delta", "ember", "field", "grove", "harbor", "island",
    "juniper", "kettle", "lantern", "meadow", "north", "orchard", "prairie", "quartz", "river",
    "summit", "timber", "upland", "valley", "willow", "yonder", "zephyr", "bright", "calm",
    "steady", "quick", "gentle", "bold", "clear", "warm",
)
# fmt: on


class SeededRng:
    """An endless stream of bytes that depends only on its seed."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0
        self._drawn: list[int] = []
        """Numbers of 32 bits, the next one last."""

    def below(self, limit: int) -> int:
        """An integer of [0, limit)."""
        if not self._drawn:
            self._counter += 1
            digest = hashlib.blake2b(self._seed, salt=self._counter.to_bytes(8)).digest()
            self._drawn = [*_NUMBERS.unpack(digest)][::-1]
        return self._drawn.pop() % max(1, limit)

    def choice(self, options: Sequence[Value]) -> Value:
        """One of some values."""
        return options[self.below(len(options))]

    def words(self, count: int) -> str:
        """Some words."""
        return " ".join(self.choice(_WORDS) for _ in range(count))
