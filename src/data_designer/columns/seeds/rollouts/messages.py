"""What the sessions of all formats come to: messages in one form, and a row of the seed dataset."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
"""An object of a session's file."""
Message = dict[str, Any]

_ROLES = frozenset({"system", "user", "assistant", "tool"})


class MalformedError(Exception):
    """A file is no session of its format; the message says why."""


class NotHandledError(MalformedError):
    """A file is none that the format reads."""


def message(
    role: object,
    content: object,
    *,
    reasoning: str | None = None,
    calls: Sequence[Message] = (),
    call_id: object = None,
) -> Message:
    """A message; what is not there is left out. Raises MalformedError where nobody has that role."""
    role = "system" if role == "developer" else role
    if role not in _ROLES:
        raise MalformedError(f"the role {role!r} of a message is none of {', '.join(sorted(_ROLES))}")
    further = {
        "reasoning_content": reasoning or None,
        "tool_calls": list(calls) or None,
        "tool_call_id": None if call_id is None else str(call_id),
    }
    return {"role": role, "content": blocks(content)} | {k: v for k, v in further.items() if v is not None}


def blocks(content: object) -> list[Any]:
    """Content as a list of blocks: text is one of them, nothing is none."""
    match content:
        case None:
            return []
        case str():
            return [{"type": "text", "text": content}]
        case list():
            return [block if isinstance(block, dict) else {"type": "text", "text": str(block)} for block in content]
        case _:
            return [content if isinstance(content, dict) else {"type": "text", "text": json.dumps(content)}]


def call(call_id: object, name: object, arguments: object) -> Message:
    """A call of a tool. Raises MalformedError where it names none."""
    if not name:
        raise MalformedError("a call names no tool")
    function = {"name": str(name), "arguments": as_text(arguments)}
    return {"id": str(call_id or ""), "type": "function", "function": function}


def as_text(arguments: object) -> str:
    """Arguments of a call as JSON text; what is text stays as it is."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps({} if arguments is None else arguments, sort_keys=True, ensure_ascii=False)


def json_object(path: Path) -> Entry:
    """The object of a file. Raises MalformedError where it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MalformedError(f"it is no JSON: {error}") from error
    return member(found, "the file")


def json_lines(path: Path) -> list[Entry]:
    """The objects of a file, one a line. Raises MalformedError where a line is none."""
    found = []
    try:
        text = path.read_text(encoding="utf-8")
    except ValueError as error:
        raise MalformedError(f"it is no UTF-8: {error}") from error
    # Not splitlines, which also splits at characters that JSON allows within texts.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise MalformedError(f"line {number} is no JSON: {error}") from error
            found.append(member(entry, f"line {number}"))
    return found


def member(value: object, what: str) -> Entry:
    """What has to be an object. Raises MalformedError where it is none."""
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is no JSON object")
    return value


def first(entries: Iterable[Mapping[str, Any]], name: str) -> Any:
    """The first value of a member that is not null."""
    return next((entry[name] for entry in entries if entry.get(name) is not None), None)


def span(stamps: Iterable[object]) -> tuple[str | None, str | None]:
    """The earliest and the latest of some timestamps, as they are written; one without a zone is in UTC."""
    known = sorted((moment, str(stamp)) for stamp in stamps if (moment := _moment(stamp)) is not None)
    return (known[0][1], known[-1][1]) if known else (None, None)


def _moment(stamp: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(stamp))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def row(  # noqa: PLR0913 - one parameter a column
    kind: str,
    path: Path,
    messages: Sequence[Message],
    *,
    trace_id: object,
    session_id: object = None,
    agent_id: object = None,
    is_sidechain: bool = False,
    cwd: object = None,
    project_path: object = None,
    git_branch: object = None,
    times: tuple[str | None, str | None] = (None, None),
    meta: Mapping[str, object],
) -> dict[str, object]:
    """The row of a session; members of `meta` that are None are left out."""
    said = [one for one in messages if one["role"] == "assistant" and _text(one)]
    return {
        "trace_id": str(trace_id),
        "source_kind": kind,
        "source_path": str(path),
        "root_session_id": str(trace_id if session_id is None else session_id),
        "agent_id": agent_id,
        "is_sidechain": is_sidechain,
        "cwd": cwd,
        "project_path": project_path,
        "git_branch": git_branch,
        "started_at": times[0],
        "ended_at": times[1],
        "messages": list(messages),
        "source_meta": {name: value for name, value in meta.items() if value is not None},
        "message_count": len(messages),
        "tool_call_count": sum(len(one.get("tool_calls", ())) for one in messages),
        "final_assistant_message": _text(said[-1]) if said else None,
    }


def _text(one: Message) -> str:
    return "\n\n".join(block["text"] for block in one["content"] if _is_text(block))


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and block.get("type", "text") == "text" and bool(block.get("text"))
