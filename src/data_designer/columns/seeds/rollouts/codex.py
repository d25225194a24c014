"""Sessions of Codex: JSON lines of type, timestamp and payload."""

from pathlib import Path

from data_designer.columns.seeds.rollouts.messages import (
    Entry,
    Message,
    NotHandledError,
    call,
    first,
    json_lines,
    member,
    message,
    row,
    span,
)

KIND = "codex"

_CALLS = frozenset({"function_call", "custom_tool_call", "apply_patch_call"})


def read(_root: Path, path: Path) -> dict[str, object] | None:
    """The row of a file; None where it holds nothing. Raises MalformedError where it is no session."""
    if not path.name.startswith("rollout-"):
        raise NotHandledError("its name does not begin with 'rollout-'")
    entries = json_lines(path)
    if not entries:
        return None
    session = _Session()
    for entry in entries:
        session.take(str(entry.get("type")), member(entry.get("payload", {}), "the payload of a record"))
    metas = session.metas
    git = [git for meta in metas if isinstance(git := meta.get("git"), dict)]
    begun, ended = span(entry.get("timestamp") for entry in entries)
    trace = first(metas, "id") or path.stem
    cwd = first(metas, "cwd")
    return row(
        KIND,
        path,
        session.messages,
        trace_id=trace,
        cwd=cwd,
        project_path=cwd,
        git_branch=first(metas, "git_branch") or first(git, "branch"),
        times=(first(metas, "timestamp") or begun, ended),
        meta={
            "record_count": len(entries),
            "record_types": sorted({str(entry.get("type")) for entry in entries}),
            "response_item_types": sorted(session.items),
            **{name: first(metas, name) for name in ("originator", "cli_version", "model_provider", "source")},
            "unattached_reasoning": session.thoughts or None,
        },
    )


class _Session:
    """What the records of a session come to, one after another."""

    def __init__(self) -> None:
        self.metas: list[Entry] = []
        self.messages: list[Message] = []
        self.items: set[str] = set()
        self.thoughts: list[str] = []
        """Those that wait for what the assistant says next."""

    def take(self, kind: str, payload: Entry) -> None:
        """Take a record."""
        if kind == "session_meta":
            self.metas.append(payload)
        elif kind == "event_msg" and payload.get("type") == "agent_reasoning" and payload.get("text"):
            self.thoughts.append(str(payload["text"]))
        elif kind == "response_item":
            self.items.add(str(payload.get("type")))
            self._item(str(payload.get("type")), payload)

    def _item(self, kind: str, item: Entry) -> None:
        if kind == "reasoning":
            parts = item.get("summary") if isinstance(item.get("summary"), list) else []
            self.thoughts += [str(part["text"]) for part in parts or () if isinstance(part, dict) and part.get("text")]
        elif kind == "message":
            reasoning = self._reasoning() if item.get("role") == "assistant" else None
            self.messages.append(message(item.get("role"), _plain(item.get("content")), reasoning=reasoning))
        elif kind in _CALLS:
            given = item["arguments"] if item.get("arguments") is not None else item.get("input")
            one = call(item.get("call_id"), item.get("name") or kind.removesuffix("_call"), given)
            self.messages.append(message("assistant", "", reasoning=self._reasoning(), calls=[one]))
        elif kind.removesuffix("_output") in _CALLS:
            self.messages.append(message("tool", item.get("output"), call_id=item.get("call_id")))

    def _reasoning(self) -> str | None:
        said, self.thoughts = "\n\n".join(self.thoughts), []
        return said or None


def _plain(content: object) -> object:
    """Blocks of text under their plain name."""
    if not isinstance(content, list):
        return content
    texts = ("input_text", "output_text")
    return [
        {"type": "text", "text": block.get("text")} if isinstance(block, dict) and block.get("type") in texts else block
        for block in content
    ]
