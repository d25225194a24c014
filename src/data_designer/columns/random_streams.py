"""Random numbers that depend only on what they are for: (seed, column, purpose, record index, draw number).

Counter-based, so any rows can be computed anywhere, in any order, and come out the same.
"""

import hashlib

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = 6
"""Feistel rounds; four suffice for a pseudo-random permutation (Luby and Rackoff 1988)."""


def key(seed: int, *purpose: str) -> int:
    """A 64-bit key of a stream."""
    text = "\0".join([str(seed), *purpose])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _mixed(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014; constants of Stafford's variant 13)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def words(stream: int, rows: Indices, draw: int = 0) -> Words:
    """64 random bits a row, shape [n]; `draw` tells several draws of a record apart."""
    offset = (int(_GOLDEN) * (2 * draw + 1)) & 0xFFFFFFFFFFFFFFFF
    keyed = _mixed(rows.astype(np.uint64) * _GOLDEN + np.uint64(stream))
    return _mixed(keyed ^ np.uint64(offset))


def uniforms(stream: int, rows: Indices, draw: int = 0) -> Floats:
    """A number of (0, 1) a row, shape [n]; neither end ever comes out, so every quantile is finite where it can be."""
    # 52 bits, for with 53 the largest sum would round up to 1.
    return ((words(stream, rows, draw) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def permuted(stream: int, places: Indices, size: int) -> Indices:
    """Where a keyed permutation of [0, size) sends each place, shape [n].

    A balanced Feistel network over the next power of four, walked until the place is inside again (Black and
    Rogaway 2002), so nothing of the size of the range is held.
    """
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    result = places.astype(np.uint64)
    outside = np.ones(len(places), dtype=np.bool_)
    while outside.any():
        result[outside] = _feistel(stream, result[outside], half, mask)
        outside = result >= np.uint64(size)
    return result.astype(np.int64)


def _feistel(stream: int, values: Words, half: int, mask: np.uint64) -> Words:
    shift = np.uint64(half)
    left, right = values >> shift, values & mask
    for number in range(_ROUNDS):
        salt = np.uint64((stream + number * int(_GOLDEN)) & 0xFFFFFFFFFFFFFFFF)
        left, right = right, left ^ (_mixed(right * _GOLDEN + salt) & mask)
    return (left << shift) | right
