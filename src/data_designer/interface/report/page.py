"""Draws the sections as one page that fetches nothing: styles and scripts are inside, and nothing else may run."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from data_designer.config.version import get_library_version
from data_designer.interface.figures import moment
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.section import Section
from data_designer.interface.report.sections import (
    advice,
    configuration,
    cost,
    fates,
    profiles,
    records,
    requests,
    slot_time,
    summary,
    timeline,
)
from data_designer.interface.report.texts import name
from data_designer.terminal import visible

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS: Sequence[Callable[[Facts], Section | None]] = (
    summary.section,
    advice.section,
    fates.section,
    records.section,
    profiles.section,
    timeline.section,
    slot_time.section,
    requests.section,
    cost.section,
    configuration.section,
)
"""In the order of the page. A further one is a function here and a template of its key."""


def page(facts: Facts) -> str:
    """The whole page."""
    from markupsafe import Markup

    style, script = _text("page.css"), _text("page.js")
    sections = [one for make in SECTIONS if (one := make(facts)) is not None]
    return (
        _environment()
        .get_template("page.html")
        .render(
            name=facts.name,
            state=facts.state,
            not_recorded=facts.not_recorded,
            sections=sections,
            style=Markup(style),  # noqa: S704 - ours
            script=Markup(script),  # noqa: S704 - ours
            policy=_policy(style, script),
            version=get_library_version(),
            made=None if facts.extras.made is None else moment(facts.extras.made.timestamp()),
        )
    )


def _policy(style: str, script: str) -> str:
    """What the page may do: apply its one style sheet, run its one script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["name"] = name
    return made


def _seen(value: object) -> object:
    """What stands in the page for a value: of texts, what would steer a reader's eyes is shown instead."""
    return visible(value) if type(value) is str else value
