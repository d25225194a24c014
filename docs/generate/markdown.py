"""Markdown that reads well at eighty columns, in a terminal as on a page."""

import re
import textwrap

WIDTH = 80
LONGEST_CODE = 60
"""Characters of code that stands on one line."""


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """A paragraph in lines; neither words nor short pieces of code are broken.

    A line that would begin as an item of a list does stays with the one before.
    """
    safe = re.sub(r" (?=[-+*#>|] |\d+[.)] )", "\0", " ".join(text.split()))
    safe = re.sub(r"`[^`]*`", _whole, safe)
    lines = textwrap.fill(
        safe,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace("\0", " ")


def _whole(code: re.Match[str]) -> str:
    return code[0].replace(" ", "\0") if len(code[0]) <= LONGEST_CODE else code[0]


def item(text: str) -> str:
    """One item of a list; paragraphs after the first, and lists, stand below it."""
    head, *more = blocks(text)
    return "\n\n".join([wrapped(head, "- ", "  "), *(textwrap.indent(flow(block), "  ") for block in more)])


def blocks(text: str) -> list[str]:
    """The paragraphs of a text."""
    return [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]


def flow(text: str) -> str:
    """Paragraphs in lines. A block whose lines begin with a dash is a list, one that is indented is left as it is."""
    return "\n\n".join(_block(block) for block in blocks(text))


def _block(block: str) -> str:
    if block.startswith("    "):
        return f"```text\n{textwrap.dedent(block)}\n```"
    if block.startswith("- "):
        return "\n".join(item(one) for one in re.split(r"(?m)^- ", block)[1:])
    return wrapped(block)


def code(text: object) -> str:
    """Text as code."""
    return f"`{text}`"


def slug(heading: str) -> str:
    """The anchor that GitHub, and others after it, give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
