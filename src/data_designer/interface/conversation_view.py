"""Conversations on a terminal."""

from typing import TYPE_CHECKING

from data_designer.engine.protocol.conversation import BEFORE, Conversation, Role, pieces
from data_designer.terminal import as_it_is

if TYPE_CHECKING:
    from rich.text import Text

_STYLES: dict[Role, str] = {
    "title": "bold",
    "fact": "dim",
    "turn": "bold cyan",
    "part": "cyan",
    "problem": "bold red",
}


def view(said: Conversation) -> "Text":
    """What `print` shows, with its headings set off."""
    from rich.text import Text

    text = Text()
    for role, piece in pieces(said):
        text.append_text(as_it_is(f"{BEFORE.get(role, '')}{piece}\n", _STYLES.get(role, "")))
    text.rstrip()
    return text
