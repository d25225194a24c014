"""The errors: when each is raised, and what to do."""

import inspect
import re

from docs.generate import names
from docs.generate.docstrings import docstring
from docs.generate.markdown import blocks, flow, wrapped

from data_designer import errors as module


def errors() -> str:
    """Every class of error, in the order of the source."""
    parts = ["## Root"]
    for line in inspect.getsource(module).splitlines():
        if section := re.match(r"# --- (.+?) -+$", line):
            parts.append(f"## {section[1].capitalize()}")
        elif defined := re.match(r"class (\w+)\(", line):
            parts.extend(_error(defined[1]))
    return "\n\n".join(parts)


def _error(name: str) -> list[str]:
    cls = names.errors()[name]
    assert isinstance(cls, type)
    when, *what_to_do = blocks(docstring(cls).text)
    bases = [base.__name__ for base in cls.__bases__ if base not in (Exception, module.DataDesignerError)]
    of = names.linked(f"A kind of {' and '.join(f'`{base}`' for base in bases)}. " if bases else "", names.ERRORS_PAGE)
    retried = "The request is sent again by itself before this is raised. " if getattr(cls, "retryable", False) else ""
    return [
        f"### `{name}`",
        wrapped(f"{names.linked(' '.join(when.split()), names.ERRORS_PAGE, name)} {of}{retried}"),
        *([flow(names.linked("\n\n".join(what_to_do), names.ERRORS_PAGE, name))] if what_to_do else []),
    ]
