"""Vectors that the simulated model gives texts: texts that share words are near each other."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

DIMENSIONS = 256
"""Of a vector, where nobody says."""
MOST_DIMENSIONS = 8192

_WORD = re.compile(r"\w+")


def vectors_of(texts: Sequence[str], dimensions: int = DIMENSIONS) -> list[list[float]]:
    """A vector of length 1 for each text, the same for the same text."""
    return [_vector(text, dimensions) for text in texts]


def _vector(text: str, dimensions: int) -> list[float]:
    words = _WORD.findall(text.lower()) or [text]
    total = np.zeros(dimensions)
    for word in words:
        total += _of_word(word, dimensions)
    length = float(np.linalg.norm(total)) or 1.0
    return [round(float(number), 6) for number in total / length]


@lru_cache(maxsize=4096)
def _of_word(word: str, dimensions: int) -> npt.NDArray[np.int8]:
    return np.frombuffer(hashlib.shake_256(word.encode("utf-8", "replace")).digest(dimensions), dtype=np.int8)
