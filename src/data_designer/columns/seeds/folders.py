"""Folders of files as seeds: a row a file, with or without its text; a row a recorded session of an agent."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from data_designer.columns.seeds.rollouts import atif, claude_code, codex, hermes_agent, pi_coding_agent
from data_designer.columns.seeds.rollouts.messages import MalformedError
from data_designer.config.seed_source import AgentRolloutSeedSource, DirectorySeedSource, FileContentsSeedSource
from data_designer.errors import SeedReaderConfigError, SeedReaderError

logger = logging.getLogger(__name__)

FolderSource = DirectorySeedSource | FileContentsSeedSource | AgentRolloutSeedSource
Row = dict[str, object]

_FORMATS: dict[str, Callable[[Path, Path], Row | None]] = {
    module.KIND: module.read for module in (atif, claude_code, codex, hermes_agent, pi_coding_agent)
}


def folder_rows(source: FolderSource, chosen: Callable[[int], range]) -> list[Row]:
    """The rows of a folder.

    Args:
        source: the folder.
        chosen: the number of its files to the places of those that are wanted.

    Raises:
        SeedReaderConfigError: there is no such folder.
        SeedReaderError: no file of it matches, or one cannot be read; the message names it.
    """
    root, names = Path(source.runtime_path), files_of(source)
    wanted = [names[place] for place in chosen(len(names))]
    if isinstance(source, AgentRolloutSeedSource):
        return _sessions(root, wanted, str(source.format))
    if isinstance(source, FileContentsSeedSource):
        return [
            {**file_row("file_contents", root, name), "content": text_of(root / name, source.encoding)}
            for name in wanted
        ]
    return [file_row("directory_file", root, name) for name in wanted]


def files_of(source: FolderSource) -> list[str]:
    """The files of a folder whose base name matches, as paths from it, sorted.

    Raises:
        SeedReaderConfigError: there is no such folder.
        SeedReaderError: there is no such file.
    """
    root = Path(source.runtime_path)
    pattern = source.resolved_file_pattern if isinstance(source, AgentRolloutSeedSource) else source.file_pattern
    if not root.is_dir():
        raise SeedReaderConfigError(
            f"the seed folder {root} is a file; name its folder, and the file in file_pattern"
            if root.is_file()
            else f"the seed folder {root} does not exist"
        )
    found = sorted(matching(_files(root, recursive=source.recursive), pattern))
    if not found:
        raise SeedReaderError(f"no file of the seed folder {root} matches '{pattern}'")
    return found


def matching(names: Sequence[str] | Iterator[str], pattern: str) -> Iterator[str]:
    """Those whose base name matches a pattern; capitals count."""
    return (name for name in names if fnmatchcase(name.rpartition("/")[2], pattern))


def file_row(kind: str, root: Path, name: str) -> Row:
    """What a row says of a file."""
    return {
        "source_kind": kind,
        "source_path": str(root / name),
        "relative_path": name,
        "file_name": name.rpartition("/")[2],
    }


def text_of(path: Path, encoding: str) -> str:
    """The text of a file. Raises SeedReaderError where it cannot be read."""
    try:
        return path.read_bytes().decode(encoding)
    except OSError as error:
        raise SeedReaderError(f"the seed file {path} cannot be read: {error.strerror or error}") from error
    except (UnicodeError, LookupError) as error:
        raise SeedReaderError(f"the seed file {path} is not in the encoding {encoding}: {error}") from error


def session_row(root: Path, name: str, kind: str) -> Row | None:
    """The row of a recorded session; None, which the log says, where a file is none of the format.

    Raises:
        SeedReaderError: it cannot be read.
    """
    path = root / name
    try:
        return _FORMATS[kind](root, path)
    except MalformedError as error:
        logger.warning("seed file %s is left out: %s", path, error)
        return None
    except OSError as error:
        raise SeedReaderError(f"the seed file {path} cannot be read: {error.strerror or error}") from error


def _sessions(root: Path, names: Sequence[str], kind: str) -> list[Row]:
    rows = [row for name in names if (row := session_row(root, name, kind)) is not None]
    if not rows:
        raise SeedReaderError(f"no file of the seed folder {root} is a session in the format {kind}")
    return rows


def _files(root: Path, *, recursive: bool) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        if not recursive:
            folders.clear()
        place = Path(folder).relative_to(root)
        yield from ((place / name).as_posix() for name in names)
