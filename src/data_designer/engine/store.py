"""The dataset directory: what is already there, and how a batch becomes visible."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from data_designer.engine.receipts import Receipt
from data_designer.engine.sink import DROPPED, PARQUET, PROCESSED, REJECTS
from data_designer.errors import ArtifactStorageError

RECEIPTS = "receipts"
_METADATA = "metadata.json"
_BUILDER_CONFIG = "builder_config.json"
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_RESERVED = frozenset({PARQUET, DROPPED, PROCESSED, REJECTS, RECEIPTS, "images", "journal"})


@dataclass(frozen=True, slots=True)
class Store:
    """One dataset directory."""

    path: Path

    # --- making ------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, artifact_path: Path, dataset_name: str, now: Callable[[], datetime]) -> "Store":
        """Make a directory for a new dataset; a sibling with a time stamp where the name is taken.

        Raises:
            ArtifactStorageError: the name cannot be a folder's, or the folder cannot be made or written.
        """
        check_name(dataset_name)
        path = artifact_path / dataset_name
        try:
            if path.exists() and not _is_free(path):
                path = _free_sibling(path, now())
            (path / RECEIPTS).mkdir(parents=True, exist_ok=True)
            probe = path / f".{os.getpid()}.probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise ArtifactStorageError(
                f"the dataset folder {path} cannot be written: {error.strerror or error}; "
                "choose another artifact_path or free it"
            ) from error
        return cls(path)

    # --- writing -----------------------------------------------------------------------------------------

    def publish(self, receipt: Receipt) -> None:
        """Make a written batch visible. Raises OSError where the disk refuses."""
        content = orjson.dumps(receipt, default=str, option=orjson.OPT_SORT_KEYS)
        self._put(f"{RECEIPTS}/batch_{receipt.batch:05d}.json", content)

    def write_builder_config(self, config: dict[str, Any]) -> None:
        """Keep what the user declared beside the data."""
        self._put(_BUILDER_CONFIG, _readable(config))

    def write_metadata(self, metadata: dict[str, Any]) -> None:
        """Replace the dataset's metadata."""
        self._put(_METADATA, _readable(metadata))

    def _put(self, name: str, content: bytes) -> None:
        target = self.path / name
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    # --- reading -----------------------------------------------------------------------------------------

    def receipts(self) -> Iterator[Receipt]:
        """Receipts of all committed batches, in order.

        Raises:
            ArtifactStorageError: a receipt cannot be read.
        """
        for path in sorted((self.path / RECEIPTS).glob("batch_*.json")):
            try:
                yield Receipt.from_dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise ArtifactStorageError(f"the receipt {path} cannot be read: {error}") from error

    def files(self, folder: str = PARQUET) -> list[Path]:
        """Files of committed batches in one of the dataset's folders, in order of batch."""
        prefix = f"{folder}/"
        return [
            self.path / file.path
            for receipt in self.receipts()
            for file in receipt.files
            if file.path.startswith(prefix)
        ]

    def read_metadata(self) -> dict[str, Any]:
        """The dataset's metadata.

        Raises:
            ArtifactStorageError: there is none, or it cannot be read.
        """
        try:
            content: dict[str, Any] = json.loads((self.path / _METADATA).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactStorageError(f"{self.path / _METADATA} cannot be read: {error}") from error
        return content


def _readable(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, default=str).encode("utf-8")


def check_name(dataset_name: str) -> None:
    """Refuse a dataset name that cannot be a folder's.

    Raises:
        ArtifactStorageError: the name is empty, reserved or holds a character that no folder may have.
    """
    if not dataset_name.strip() or dataset_name in (".", ".."):
        raise ArtifactStorageError("the dataset name is empty; give the folder a name")
    if _FORBIDDEN.search(dataset_name):
        raise ArtifactStorageError(f'the dataset name {dataset_name!r} holds one of < > : " / \\ | ? *; leave it out')
    if dataset_name in _RESERVED:
        raise ArtifactStorageError(f"the dataset name {dataset_name!r} is reserved; choose another")


def _is_free(path: Path) -> bool:
    """Whether a folder is empty, or holds nothing but what a run left that never committed a batch."""
    names = {entry.name for entry in path.iterdir()}
    leftovers = {_METADATA, _BUILDER_CONFIG, RECEIPTS}
    return names <= leftovers and not any((path / RECEIPTS).glob("*"))


def _free_sibling(path: Path, now: datetime) -> Path:
    stamped = path.with_name(f"{path.name}_{now:%m-%d-%Y_%H%M%S}")
    candidate, number = stamped, 1
    while candidate.exists() and any(candidate.iterdir()):
        number += 1
        candidate = stamped.with_name(f"{stamped.name}_{number}")
    return candidate
