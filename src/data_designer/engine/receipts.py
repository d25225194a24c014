"""The receipt of a committed batch: what a reader, a resume and a report need to know of it."""

from dataclasses import dataclass, field
from typing import Any

from data_designer.values import Usage


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One file of a batch."""

    path: str
    """Relative to the dataset directory, with forward slashes."""
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """One committed batch. Without it, the batch's files do not exist for any reader."""

    batch: int
    complete: bool
    """False where a stop left rows of the batch unfinished."""
    requested: int
    """Records of the batch by its geometry."""
    generated: int
    rejected: int
    files: tuple[BatchFile, ...]
    usage: dict[str, Usage] = field(default_factory=dict)
    """Model alias to what was asked since the previous commit of the run."""
    reasons: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Kind of rejection to its count, and one example of column, record and message."""
    profile: dict[str, Any] = field(default_factory=dict)
    """Mergeable statistics of the batch's columns."""
    seconds: float = 0.0
    """Time it took to write."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Receipt":
        """Read the JSON form. Raises KeyError or TypeError where it is none."""
        files = tuple(BatchFile(**file) for file in data["files"])
        usage = {alias: Usage(**numbers) for alias, numbers in data.get("usage", {}).items()}
        return cls(**{**data, "files": files, "usage": usage})
