"""Reads the answer out of a model's reply: plain text, the last code block, or the last JSON block."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import json_repair

from data_designer.errors import ParserException

_LIST_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$)[ \t]*")
_FENCE = re.compile(r"(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_CODE_INDENT = 4
"""Columns from which a line is an indented code block and no longer a fence (CommonMark)."""

_MAX_ITEMS = 16
"""Lists inside lists that are followed; a line of nothing but dashes is no reason to work for long."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code found in a reply."""

    tag: str
    """First word of the fence's info string; empty for an untagged fence or an indented block."""
    text: str
    fenced: bool
    closed: bool = True
    """Whether it ends before the reply does."""


@dataclass(frozen=True, slots=True)
class _Fence:
    """A fence that is open."""

    mark: str
    tag: str
    indent: int
    limit: int
    """A closing fence is indented by less than this."""

    def closed_by(self, line: str, indent: int) -> bool:
        """Tell whether a line is its closing fence."""
        text = line.strip()
        return indent < self.limit and text.startswith(self.mark) and not text.strip(self.mark[0])


class _Scanner:
    """Walks over the lines of a reply once and gathers its code blocks.

    It knows of Markdown only what decides where code begins and ends: fences, indentation, list items. Unlike
    CommonMark it lets nothing but a closing fence end a fenced block, and sees fences directly under an HTML
    tag, since models write both.
    """

    def __init__(self) -> None:
        self.blocks: list[CodeBlock] = []
        self._fence: _Fence | None = None
        self._lines: list[str] = []
        self._items: list[int] = []
        self._in_paragraph = False
        self._in_indented = False

    def scan(self, lines: Iterable[str]) -> list[CodeBlock]:
        """Read all lines; a block that is open at the end counts."""
        for line in lines:
            text = line.lstrip(" \t")
            indent = _columns(line[: len(line) - len(text)])
            if self._fence is not None:
                self._inside(self._fence, line, indent)
            elif text:
                self._outside(line, text, indent)
            else:
                self._blank()
        self._finish(closed=False)
        return self.blocks

    def _inside(self, fence: _Fence, line: str, indent: int) -> None:
        if fence.closed_by(line, indent):
            self._finish()
        else:
            self._lines.append(_without_indent(line, fence.indent))

    def _blank(self) -> None:
        self._in_paragraph = False
        if self._in_indented:
            self._lines.append("")

    def _outside(self, line: str, text: str, indent: int) -> None:
        while self._items and indent < self._items[-1]:
            self._items.pop()
        base = self._items[-1] if self._items else 0
        if indent >= base + _CODE_INDENT and not self._in_paragraph:
            self._in_indented = True
            self._lines.append(_without_indent(line, base + _CODE_INDENT))
            return
        self._finish()
        indented = indent >= base + _CODE_INDENT
        while not indented and len(self._items) < _MAX_ITEMS and (marker := _LIST_MARKER.match(text)):
            indent += _columns(marker.group())
            text = text[marker.end() :]
            self._items.append(indent)
        if not indented and (opening := _FENCE.match(text)):
            base = self._items[-1] if self._items else 0
            words = opening["info"].split(maxsplit=1)
            self._fence = _Fence(opening["fence"], words[0] if words else "", indent, base + _CODE_INDENT)
        self._in_paragraph = bool(text) and self._fence is None and not _HEADING.match(text)

    def _finish(self, *, closed: bool = True) -> None:
        """End the block that is open, if one is."""
        if self._fence is not None:
            self.blocks.append(CodeBlock(self._fence.tag, "\n".join(self._lines), fenced=True, closed=closed))
            self._in_paragraph = False
        elif self._in_indented:
            self.blocks.append(CodeBlock("", "\n".join(self._lines), fenced=False, closed=closed))
        self._fence, self._in_indented, self._lines = None, False, []


def code_blocks(reply: str) -> list[CodeBlock]:
    """Find all code blocks of a reply, fenced or indented, in their order."""
    return _Scanner().scan(reply.replace("\r\n", "\n").split("\n"))


def parse_text(reply: str) -> str:
    """Take the whole reply.

    Raises:
        ParserException: there is nothing in it.
    """
    text = reply.strip()
    if not text:
        raise ParserException("Empty reply: there was no text in the answer. Please answer again.")
    return text


def parse_code(reply: str, language: str) -> str:
    """Take the last code block of a reply; its tag, when it has one, must be the language.

    Raises:
        ParserException: there is no code block, or the last one is of another language.
    """
    blocks = code_blocks(reply)
    if not blocks:
        raise ParserException(
            "No parsable code was found in the answer. Give the whole code in a single Markdown code fence "
            f"that begins with ```{language} and ends with ```."
        )
    last = blocks[-1]
    if last.tag not in ("", language):
        raise ParserException(
            f"The last code fence is tagged `{last.tag}`, but the code has to be in `{language}`. "
            f"Give the whole code in a single Markdown code fence that begins with ```{language}."
        )
    return last.text.strip()


def parse_json(reply: str) -> Any:
    """Take the last fenced block tagged `json`, repairing what models commonly break.

    Raises:
        ParserException: there is no such block, or it is empty.
    """
    found = None
    if "```" in reply or "~~~" in reply:
        found = next((b for b in reversed(code_blocks(reply)) if b.fenced and b.tag == "json"), None)
    if found is None:
        raise ParserException(
            "No parsable JSON structure was found in the answer. Give the JSON in a Markdown code fence that "
            "begins with ```json on a line of its own and ends with ```."
        )
    return loads(found.text)


def parse_bare_json(reply: str) -> Any:
    """Take a reply that is JSON itself; one in a fence will do too.

    Raises:
        ParserException: it is neither.
    """
    return loads(reply) if reply[:1] in ("{", "[") else parse_json(reply)


def is_whole(reply: str) -> bool:
    """Whether the last block of a reply, or the JSON that it is, was written to its end before the reply was cut off.

    What is cut off can often be mended into something that fits a schema, and is wrong all the same.
    """
    if reply[:1] not in ("{", "["):
        blocks = code_blocks(reply)
        return not blocks or blocks[-1].closed
    try:
        json.loads(reply, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def loads(text: str) -> Any:
    """Decode JSON, strictly if possible and leniently if not.

    Raises:
        ParserException: nothing in the text can be read as JSON.
    """
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        repaired = _repaired(text)
    if repaired == "":
        raise ParserException(
            "The ```json fence is empty or holds no JSON, so it doesn't match requested <response_schema>. "
            "Give the complete JSON inside the fence."
        )
    return repaired


def _repaired(text: str) -> Any:
    try:
        return json_repair.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParserException(
            f"The JSON doesn't match requested <response_schema>: it cannot be read ({error}). Give simpler JSON."
        ) from error


def _columns(prefix: str) -> int:
    return len(prefix.expandtabs(_CODE_INDENT))


def _without_indent(line: str, columns: int) -> str:
    """Remove up to so many columns of leading white space."""
    if "\t" in line:
        body = line.lstrip(" \t")
        line = line[: len(line) - len(body)].expandtabs(_CODE_INDENT) + body
    blank = len(line) - len(line.lstrip(" "))
    return line[min(blank, columns) :]
