"""Pictures that the simulated model makes: small PNGs in colours of their description.

Source: W3C, Portable Network Graphics (PNG) Specification (Second Edition).
"""

import base64
import hashlib
import re
import struct
import zlib

SIDE = 64
"""Pixels, where nobody says."""
MOST_PIXELS = 1 << 22

_SIZE = re.compile(r"(\d+)x(\d+)")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 2
"""Colour type: three bytes a pixel."""
_PADDING = b"paDd"
"""A private chunk that whoever reads pictures leaves alone."""


def size_of(text: object) -> tuple[int, int]:
    """Width and height that a request says. Raises ValueError where they are too large."""
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    width, height = map(int, found.groups()) if found else (SIDE, SIDE)
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError(f"size: {text} is no size of at most {MOST_PIXELS:,} pixels")
    return width, height


def picture(description: str, size: tuple[int, int] = (SIDE, SIDE), padding: int = 0) -> str:
    """A PNG in base64, the same for the same description.

    Args:
        description: what it stands for.
        size: width and height, in pixels.
        padding: bytes by which it is larger than it need be.
    """
    digest = hashlib.blake2b(description.encode("utf-8", "replace"), digest_size=6).digest()
    png = _SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, _RGB, 0, 0, 0))
    if padding:
        png += _chunk(_PADDING, hashlib.shake_128(digest).digest(padding))
    png += _chunk(b"IDAT", zlib.compress(_pixels(digest, *size), 1)) + _chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


def _pixels(digest: bytes, width: int, height: int) -> bytes:
    """Rows from one colour to another, each after a byte that says that it is not filtered."""
    top, bottom = digest[:3], digest[3:]
    rows = []
    for y in range(height):
        colour = bytes((a * (height - y) + b * y) // height for a, b in zip(top, bottom, strict=True))
        rows.append(b"\0" + colour * width)
    return b"".join(rows)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
