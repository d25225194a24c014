"""Names that become names of folders."""

import re

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_LONGEST = 200
"""Bytes: file systems take 255, and names of temporary files and of siblings are longer."""


def unusable(name: str) -> str | None:
    """Why a name can be no folder's; None where it can."""
    if not name.strip() or name in (".", ".."):
        return "is empty; give the folder a name"
    if _FORBIDDEN.search(name):
        return 'holds one of < > : " / \\ | ? *; leave it out'
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "holds half a character, which no file system takes; leave it out"
    return f"is {size} bytes long; at most {_LONGEST} can be used" if size > _LONGEST else None
