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
    model: str | None = None
    """Alias of the model that it is about."""
    place: str = ""
    """The file and line, where that is known."""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        where = f"column '{self.column}': " if self.column else ""
        return f"{place}{where}{self.message} [{self.type}]"
