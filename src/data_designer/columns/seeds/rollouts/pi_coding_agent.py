"""Sessions of the Pi coding agent: JSON lines that form a tree, of which the branch with the last line counts."""

from collections.abc import Iterator
from pathlib import Path

from data_designer.columns.seeds.rollouts.messages import (
    Entry,
    MalformedError,
    Message,
    call,
    json_lines,
    member,
    message,
    row,
    span,
)

KIND = "pi_coding_agent"


def read(_root: Path, path: Path) -> dict[str, object] | None:
    """The row of a file; None where it holds nothing. Raises MalformedError where it is no session."""
    entries = json_lines(path)
    if not entries:
        return None
    head, *rest = entries
    if head.get("type") != "session":
        raise MalformedError("its first line is no session")
    branch = _branch(rest)
    said = [one for one in (entry.get("message") for entry in branch) if isinstance(one, dict)]
    commands = sum(one.get("role") == "bashExecution" for one in said)
    models = {str(model) for entry in branch for model in _models(entry)}
    return row(
        KIND,
        path,
        [one for entry in branch for one in _messages(entry)],
        trace_id=head.get("id") or path.stem,
        cwd=head.get("cwd"),
        project_path=head.get("cwd"),
        times=span(entry.get("timestamp") for entry in entries),
        meta={
            "record_count": len(entries),
            "entry_types": sorted({str(entry.get("type")) for entry in entries}),
            "stop_reasons": sorted({str(one["stopReason"]) for one in said if one.get("stopReason")}),
            "session_version": head.get("version"),
            "models_used": sorted(models) or None,
            "has_branches": True if len(branch) < len(rest) else None,
            "bash_execution_count": commands or None,
            "parent_session": head.get("parentSession"),
        },
    )


def _branch(entries: list[Entry]) -> list[Entry]:
    """From the root to the last entry."""
    by_id = {entry["id"]: entry for entry in entries if entry.get("id")}
    path: list[Entry] = []
    here = entries[-1] if entries else None
    while here is not None:
        if any(here is seen for seen in path):
            raise MalformedError("its entries are each other's parents")
        path.append(here)
        here = by_id.get(here.get("parentId"))
    return path[::-1]


def _models(entry: Entry) -> Iterator[object]:
    said = entry.get("message")
    for place in (entry, said if isinstance(said, dict) else {}):
        if place.get("modelId") or place.get("model"):
            yield place.get("modelId") or place["model"]


def _messages(entry: Entry) -> Iterator[Message]:
    match entry.get("type"):
        case "message":
            yield from _said(str(entry.get("id")), member(entry.get("message"), "the message of an entry"))
        case "compaction" | "branch_summary":
            yield message("system", entry.get("summary"))
        case "custom_message" if entry.get("display"):
            yield message("system", entry.get("content"))


def _said(entry_id: str, said: Entry) -> Iterator[Message]:
    match said.get("role"):
        case "assistant":
            yield _assistant(said)
        case "toolResult":
            yield message("tool", said.get("content"), call_id=said.get("toolCallId"))
        case "bashExecution":
            if not said.get("excludeFromContext"):
                made = call(f"bash_{entry_id}", "bash", {"command": said.get("command")})
                yield message("assistant", "", calls=[made])
                yield message("tool", _output(said), call_id=f"bash_{entry_id}")
        case "custom":
            if said.get("display"):
                yield message("system", said.get("content"))
        case "compactionSummary" | "branchSummary":
            yield message("system", said.get("summary"))
        case role:
            yield message(role, said.get("content"))


def _assistant(said: Entry) -> Message:
    content = said.get("content")
    if not isinstance(content, list):
        return message("assistant", content)
    parts = [member(block, "a block of content") for block in content]
    texts = [str(part.get("text")) for part in parts if part.get("type") == "text"]
    thoughts = [str(part.get("thinking")) for part in parts if part.get("type") == "thinking"]
    calls = [
        call(part.get("id"), part.get("name"), part.get("arguments"))
        for part in parts
        if part.get("type") == "toolCall"
    ]
    text = "\n\n".join(texts)
    return message("assistant", text, reasoning="\n\n".join(thoughts), calls=calls)


def _output(said: Entry) -> str:
    output = str(said.get("output") or "")
    code = said.get("exitCode")
    return output if code is None else f"{output}\n[exit code: {code}]".lstrip("\n")
