"""One thing that is wrong with a declaration."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ERROR", "WARNING"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a declaration."""

    type: str
    column: str | None
    message: str
    level: Level = "ERROR"

    def __str__(self) -> str:
        where = f"column '{self.column}': " if self.column else ""
        return f"{self.level} {where}{self.message} [{self.type}]"
