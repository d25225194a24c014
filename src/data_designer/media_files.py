"""Files that cells name: they are read below folders that are known beforehand, and nowhere else."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from data_designer.object_storage import Location, ObjectPath, Objects

MOST_BYTES = 64 * 2**20
"""Of a file that a model is shown; no endpoint takes more."""
_LONGEST_NAME = 4096


def content_below(folders: Iterable[Location], name: str) -> bytes | str:
    """The content of a file in the first of some folders that has it, or why that is not to be had. Blocks.

    A name is relative to a folder, or begins with it. Neither `..` nor a symbolic link leads out of it.

    Raises:
        OSError: the file is there and cannot be read, or object storage does not answer.
    """
    if not _is_sound(name):
        return "it leads out of the folders whose files are read"
    looked = []
    for folder in folders:
        found = _of_object(folder, name) if isinstance(folder, ObjectPath) else _of_file(folder, name)
        if found is not None:
            return found if len(found) <= MOST_BYTES else f"it has more than {MOST_BYTES >> 20} MiB"
        looked.append(str(folder))
    return f"there is no such file below {' or '.join(looked)}" if looked else "there is no folder that may hold it"


def _is_sound(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and "\0" not in name and ".." not in PurePosixPath(name).parts


def _of_file(folder: Path, name: str) -> bytes | None:
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError):  # Among them are names that are too long, and links in a circle.
        return None
    if not path.is_relative_to(root) or not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _of_object(folder: ObjectPath, name: str) -> bytes | None:
    inside = name.removeprefix(f"{folder}/")
    if inside.startswith("/") or "//" in inside:
        return None
    try:
        return Objects(folder).read(inside)
    except FileNotFoundError:
        return None
