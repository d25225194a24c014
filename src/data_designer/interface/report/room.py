"""How much of a page there is room for, so that no dataset makes one of more than a few megabytes."""

from dataclasses import replace

from markupsafe import escape

from data_designer.interface.report.texts import Text, clipped
from data_designer.terminal import visible

_LARGEST_CHARACTER = 6
"""Bytes of a character on the page: quotes and what steers a terminal are written out."""
_LEFT_OUT = Text("left out: the report would be too large", "", "none")


class Room:
    """Bytes of a page that a part of it may fill."""

    def __init__(self, size: int) -> None:
        self.left = size

    def fit(self, text: Text) -> Text:
        """The text as far as there is room for it, which it then takes."""
        if self.left <= 0:
            return _LEFT_OUT
        needed = _size(text.whole) + _size(text.preview)
        if needed > self.left:
            text = replace(text, whole=clipped(text.whole, self.left // _LARGEST_CHARACTER))
            needed = _size(text.whole) + _size(text.preview)
        self.left -= needed
        return text


def _size(text: str) -> int:
    return len(escape(visible(text)).encode())
