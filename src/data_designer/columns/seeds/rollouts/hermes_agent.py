"""Sessions of Hermes Agent: logs of its command line as JSON, transcripts of its gateway as JSON lines."""

from pathlib import Path

from data_designer.columns.seeds.rollouts.messages import (
    Entry,
    MalformedError,
    Message,
    NotHandledError,
    call,
    json_lines,
    json_object,
    member,
    message,
    row,
    span,
)

KIND = "hermes_agent"

_TIMES = frozenset({"created_at", "updated_at", "session_id"})


def read(_root: Path, path: Path) -> dict[str, object] | None:
    """The row of a file; None where it is not to be one. Raises MalformedError where it is no session."""
    if path.suffix == ".jsonl":
        return _transcript(path)
    if path.suffix != ".json":
        raise NotHandledError("it is neither .json nor .jsonl")
    return _log(path) if path.name.startswith("session_") else None


def _log(path: Path) -> dict[str, object]:
    session = json_object(path)
    said = session.get("messages")
    if not isinstance(said, list):
        raise MalformedError("it has no list of messages")
    system = session.get("system_prompt")
    entries = [member(one, "a message") for one in said]
    tools = session.get("tools") if isinstance(session.get("tools"), list) else []
    names = [name for tool in tools or () if isinstance(tool, dict) if (name := _name(tool))]
    first = [message("system", system)] if system else []
    return row(
        KIND,
        path,
        [*first, *map(_message, entries)],
        trace_id=session.get("session_id") or path.stem.removeprefix("session_"),
        times=(_text(session.get("session_start")), _text(session.get("last_updated"))),
        meta={
            "record_count": len(entries),
            "session_format": "cli_session_log",
            "available_tool_count": len(tools or ()),
            "available_tool_names": names,
            "finish_reasons": _finish_reasons(entries),
            **{name: session.get(name) for name in ("model", "base_url", "platform")},
            "has_system_prompt": True if system else None,
            "system_prompt_chars": len(str(system)) if system else None,
        },
    )


def _transcript(path: Path) -> dict[str, object] | None:
    entries = json_lines(path)
    if not entries:
        return None
    known = _indexed(path)
    messages = [_message(entry) for entry in entries]
    calls = [one["function"]["name"] for said in messages for one in said.get("tool_calls", ())]
    begun, ended = span(entry.get("timestamp") for entry in entries)
    return row(
        KIND,
        path,
        messages,
        trace_id=path.stem,
        times=(_text(known.get("created_at")) or begun, _text(known.get("updated_at")) or ended),
        meta={
            "record_count": len(entries),
            "session_format": "gateway_transcript",
            "finish_reasons": _finish_reasons(entries),
            "tool_names_used": sorted(set(calls)),
            **{name: value for name, value in known.items() if name not in _TIMES},
        },
    )


def _indexed(path: Path) -> Entry:
    """What the index beside the transcripts says of one."""
    try:
        index = json_object(path.with_name("sessions.json"))
    except (OSError, MalformedError):
        return {}
    for key, entry in index.items():
        if entry == path.stem:
            return {"session_key": key}
        if isinstance(entry, dict) and entry.get("session_id") == path.stem:
            return {"session_key": key, **entry}
    return {}


def _message(entry: Entry) -> Message:
    given = entry.get("tool_calls") if isinstance(entry.get("tool_calls"), list) else []
    calls = []
    for one in given or ():
        inner = member(one, "a call")
        function = inner.get("function") if isinstance(inner.get("function"), dict) else {}
        arguments = (function or {}).get("arguments", inner.get("arguments"))
        calls.append(call(inner.get("id") or inner.get("call_id"), _name(inner), arguments))
    reasoning = entry.get("reasoning_content") or entry.get("reasoning")
    return message(
        entry.get("role"),
        entry.get("content"),
        reasoning=None if reasoning is None else str(reasoning),
        calls=calls,
        call_id=entry.get("tool_call_id"),
    )


def _name(tool: Entry) -> object:
    function = tool.get("function")
    return (function.get("name") if isinstance(function, dict) else None) or tool.get("name")


def _finish_reasons(entries: list[Entry]) -> list[str]:
    return sorted({str(entry["finish_reason"]) for entry in entries if entry.get("finish_reason")})


def _text(value: object) -> str | None:
    return None if value is None else str(value)
