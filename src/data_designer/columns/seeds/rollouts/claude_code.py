"""Sessions of Claude Code: JSON lines, one file a session or sub-agent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_designer.columns.seeds.rollouts.messages import (
    Entry,
    MalformedError,
    Message,
    NotHandledError,
    call,
    first,
    json_lines,
    json_object,
    member,
    message,
    row,
    span,
)

KIND = "claude_code"


def read(root: Path, path: Path) -> dict[str, object] | None:
    """The row of a file; None where it holds nothing. Raises MalformedError where it is no session."""
    if path.name == "history.jsonl" or "tool-results" in path.relative_to(root).parts[:-1]:
        raise NotHandledError("it is no session")
    entries = json_lines(path)
    if not entries:
        return None
    session, agent = first(entries, "sessionId") or path.stem, first(entries, "agentId")
    known = _indexed(path.parent, session)
    cwd = first(entries, "cwd")
    versions = {str(entry["version"]) for entry in entries if entry.get("version")}
    return row(
        KIND,
        path,
        [one for entry in entries if entry.get("type") in ("assistant", "user") for one in _messages(entry)],
        trace_id=session if agent is None else f"{session}:{agent}",
        session_id=session,
        agent_id=agent,
        is_sidechain=any(bool(entry.get("isSidechain")) for entry in entries),
        cwd=cwd,
        project_path=known.get("projectPath") or cwd,
        git_branch=first(entries, "gitBranch"),
        times=span(entry.get("timestamp") for entry in entries),
        meta={
            "record_count": len(entries),
            "record_types": sorted({str(entry.get("type")) for entry in entries}),
            "claude_versions": sorted(versions) or None,
            "summary": known.get("summary"),
            "first_prompt": known.get("firstPrompt"),
        },
    )


def _indexed(folder: Path, session: object) -> Entry:
    """What the index of sessions beside them says of one."""
    try:
        entries = json_object(folder / "sessions-index.json").get("entries")
    except (OSError, MalformedError):
        return {}
    listed = entries if isinstance(entries, list) else []
    return next((one for one in listed if isinstance(one, dict) and one.get("sessionId") == session), {})


def _messages(entry: Entry) -> Iterator[Message]:
    said = member(entry.get("message"), "the message of a record")
    content, role = said.get("content"), said.get("role") or entry["type"]
    if not isinstance(content, list):
        yield message(role, content)
        return
    kept, thoughts, calls, results = _sorted(content)
    if kept or thoughts or calls or not results:
        yield message(role, kept, reasoning="\n\n".join(thoughts), calls=calls)
    yield from results


def _sorted(content: list[Any]) -> tuple[list[Any], list[str], list[Message], list[Message]]:
    """Blocks that stay, thoughts, calls of tools, and what these came to."""
    kept: list[Any] = []
    thoughts: list[str] = []
    calls: list[Message] = []
    results: list[Message] = []
    for block in content:
        match block:
            case {"type": "thinking", "thinking": str(text)}:
                thoughts.append(text)
            case {"type": "tool_use"}:
                calls.append(call(block.get("id"), block.get("name"), block.get("input")))
            case {"type": "tool_result"}:
                results.append(message("tool", block.get("content"), call_id=block.get("tool_use_id")))
            case _:
                kept.append(block)
    return kept, thoughts, calls, results
