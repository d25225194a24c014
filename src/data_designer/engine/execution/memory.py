"""How much memory this process may use: that of the machine, or of the container or job that it is in."""

import os
from collections.abc import Iterator
from pathlib import Path

_USUAL = 4 << 30
"""Bytes that are assumed where the system does not say."""


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may use.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. The limits of all groups that
    hold this process count; "max", or a number beyond the machine's memory, is none.

    Args:
        root: of the file system.
    """
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no such thing.
        machine = _USUAL
    return min([machine, *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    for file in _limit_files(root):
        try:
            text = file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdecimal() and int(text):
            yield int(text)


def _limit_files(root: Path) -> Iterator[Path]:
    """Files that may hold a limit. In a container the process's own group is the root of what it sees."""
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in groups:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path("/", path)
        for part in (group, *group.parents):
            yield top / part.relative_to("/") / name
