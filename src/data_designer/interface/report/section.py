"""A part of the report: what a module of `sections` makes of the facts, and a template draws."""

from dataclasses import dataclass

NOTHING = "\N{EN DASH}"
"""Stands where a figure is not known."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    key: str
    """Its anchor; `KEY.html` draws it."""
    title: str
    data: object
    """What its template knows as `data`."""

    @property
    def template(self) -> str:
        """The file that draws it."""
        return f"{self.key}.html"
