"""Reads the answer out of a model's reply: plain text, the last code block, or the last JSON block."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from data_designer import lenient_json
from data_designer.columns.structured.mending import UnmendableError, mended
from data_designer.columns.structured.schemas import mismatch
from data_designer.errors import ParserException

_LIST_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$)[ \t]*")
_FENCE = re.compile(r"(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_CODE_INDENT = 4
"""Columns from which a line is an indented code block and no longer a fence (CommonMark)."""

_LONGEST = 1_000_000
"""Characters of a reply that is searched for code; no model writes as many."""
_REASONING = re.compile(
    r"<(?P<tag>/)?(?:\w{1,20}:)?(?:think|thinking|thoughts?|reasoning|reflection|analysis|scratchpad)\b[^<>\n]*>"
    r"|\[(?P<mistral>/)?THINK\]|\u25c1(?P<kimi>/)?think\u25b7|<\|(?:START|(?P<cohere>END))_THINKING\|>"
    r"|<\|channel\|>(?:analysis|commentary|(?P<gpt_oss>final))",
    re.IGNORECASE,
)
"""Where models that think aloud begin and end to; a group has matched where they end."""
_LONGEST_MARK = 100
"""Characters of such a place."""
_SHOWN = 40
"""Characters of a tag that are shown."""
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

    @property
    def language(self) -> str:
        """The tag, in lower case."""
        return self.tag.lower()


@dataclass(frozen=True, slots=True)
class _Fence:
    """A fence that is open."""

    mark: str
    tag: str
    prefix: str
    """The white space before it."""
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
            prefix = line[: len(line) - len(text)]
            indent = _columns(prefix) if prefix else 0
            if self._fence is not None:
                self._inside(self._fence, line, indent)
            elif text and text != "\r":
                self._outside(line, text.removesuffix("\r"), prefix, indent)
            else:
                self._blank()
        self._finish(closed=False)
        return self.blocks

    def _inside(self, fence: _Fence, line: str, indent: int) -> None:
        if fence.closed_by(line, indent):
            self._finish()
        else:
            self._lines.append(_without_indent(line, fence.indent, fence.prefix) if fence.indent else line)

    def _blank(self) -> None:
        self._in_paragraph = False
        if self._in_indented:
            self._lines.append("")

    def _outside(self, line: str, text: str, prefix: str, indent: int) -> None:
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
            tag = words[0] if words else ""
            self._fence = _Fence(opening["fence"], tag, prefix, indent, base + _CODE_INDENT)
        self._in_paragraph = bool(text) and self._fence is None and not _HEADING.match(text)

    def _finish(self, *, closed: bool = True) -> None:
        """End the block that is open, if one is."""
        if self._fence is not None:
            text = "\n".join(self._lines)
            # A line's end belongs to the fence that closes the block.
            text = text.removesuffix("\r") if closed else text
            self.blocks.append(CodeBlock(self._fence.tag, text, fenced=True, closed=closed))
            self._in_paragraph = False
        elif self._in_indented:
            self.blocks.append(CodeBlock("", "\n".join(self._lines), fenced=False, closed=closed))
        self._fence, self._in_indented, self._lines = None, False, []


def unindented(reply: str) -> str:
    """A reply without white space around it; one that begins with an indented fence is indented as a whole."""
    text = reply.strip()
    if not text.startswith(("```", "~~~")):
        return text
    prefix = reply[: reply.index(text[0])].rpartition("\n")[2]
    return "\n".join(line.removeprefix(prefix) for line in text.split("\n")) if prefix else text


def code_blocks(reply: str) -> list[CodeBlock]:
    """Find all code blocks of a reply, fenced or indented, in their order. What is in a fence is kept as it is.

    Raises:
        ParserException: it is too long to be searched.
    """
    if len(reply) > _LONGEST:
        raise ParserException(f"The answer is longer than {_LONGEST:,} characters. Answer more briefly.")
    return _Scanner().scan(reply.split("\n"))


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
    blocks = code_blocks(_answer(reply))
    if not blocks:
        raise ParserException(
            "No parsable code was found in the answer. Give the whole code in a single Markdown code fence "
            f"that begins with ```{language} and ends with ```."
        )
    last = blocks[-1]
    if last.language not in ("", language.lower()):
        raise ParserException(
            f"The last code fence is tagged `{last.tag[:_SHOWN]}`, but the code has to be in `{language}`. "
            f"Give the whole code in a single Markdown code fence that begins with ```{language}."
        )
    if not last.text.strip():
        raise ParserException(f"The last code fence is empty. Give the whole code in `{language}` inside the fence.")
    return last.text if last.fenced else last.text.rstrip("\r\n")


def parse_json(reply: str) -> object:
    """Take the JSON that a reply is, or its last fenced block tagged `json`, mending what models commonly break.

    Raises:
        ParserException: there is none, or it cannot be read.
    """
    reply = _answer(reply)
    whole = reply.strip()
    if whole[:1] in ("{", "["):
        try:
            return lenient_json.loads(whole)
        except lenient_json.UnholdableError as error:
            raise _unreadable(error) from error
        except json.JSONDecodeError:
            pass  # Prose in brackets, or an answer that is mended only where it is marked as one.
    found = None
    if "```" in reply or "~~~" in reply:
        found = next((b for b in reversed(code_blocks(reply)) if b.fenced and b.language == "json"), None)
    return loads(found.text) if found else _scalar(whole)


def parse_bare_json(reply: str) -> object:
    """Take a reply that is JSON itself; one in a fence will do too.

    Raises:
        ParserException: it is neither.
    """
    whole = _answer(reply).strip()
    return loads(whole) if whole[:1] in ("{", "[") else parse_json(reply)


def is_whole(reply: str) -> bool:
    """Whether the last block of a reply, or the JSON that it is, was written to its end before the reply was cut off.

    What is cut off can often be mended into something that fits a schema, and is wrong all the same.
    """
    first = reply.lstrip()[:1]
    if first in ("{", "[") and _is_json(reply):
        return True
    if first == "{":
        return False
    blocks = code_blocks(reply)
    return not blocks or blocks[-1].closed


def is_thinking(reply: str) -> bool:
    """Whether a reply ends inside the reasoning of a model that thinks aloud."""
    marks = list(_REASONING.finditer(reply))
    return bool(marks) and not any(marks[-1].groups())


def _answer(reply: str) -> str:
    """A reply without the reasoning that it begins with: a draft in there is no answer.

    Raises:
        ParserException: it is nothing but reasoning.
    """
    start = _REASONING.match(reply.lstrip()[:_LONGEST_MARK])
    if start is None or any(start.groups()):
        return reply
    for mark in _REASONING.finditer(reply):
        if any(mark.groups()):
            return reply[mark.end() :]
    raise ParserException("The reply holds reasoning and no answer. Answer as asked, after less reasoning.")


def loads(text: str) -> object:
    """Decode JSON, strictly if possible and leniently if not.

    Raises:
        ParserException: nothing in the text can be read as JSON, or not as what it says.
    """
    try:
        return lenient_json.loads(text)
    except lenient_json.UnholdableError as error:
        raise _unreadable(error) from error
    except json.JSONDecodeError:
        found = _mended(text)
    if found == "":
        raise ParserException(
            "The ```json fence is empty or holds no JSON, so it doesn't match requested <response_schema>. "
            "Give the complete JSON inside the fence."
        )
    return found


def _scalar(reply: str) -> object:
    """A whole reply that is a text or a number in JSON."""
    try:
        return lenient_json.loads(reply)
    except ValueError:
        raise ParserException(
            "No parsable JSON structure was found in the answer. Give the JSON in a Markdown code fence that "
            "begins with ```json on a line of its own and ends with ```."
        ) from None


def _is_json(text: str) -> bool:
    try:
        lenient_json.loads(text)
    except ValueError:
        return False
    return True


def _mended(text: str) -> object:
    try:
        return mended(text)
    except UnmendableError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValueError) -> ParserException:
    return mismatch(f"it cannot be read ({error}). Give simpler JSON.")


def _columns(prefix: str) -> int:
    return len(prefix.expandtabs(_CODE_INDENT))


def _without_indent(line: str, columns: int, prefix: str = "") -> str:
    """Remove up to so many columns of leading white space; a tab that reaches beyond them is kept whole.

    Args:
        line: the line.
        columns: how many.
        prefix: the white space that makes so many, as it is written where it is known.
    """
    if prefix and line.startswith(prefix):
        return line[len(prefix) :]
    taken = reached = 0
    for character in line:
        step = {" ": 1, "\t": _CODE_INDENT - reached % _CODE_INDENT}.get(character, columns + 1)
        if reached + step > columns:
            break
        taken, reached = taken + 1, reached + step
    return line[taken:]
