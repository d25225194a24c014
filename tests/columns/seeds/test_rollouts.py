"""Recorded sessions of agents as seeds: the five formats, and files that are none."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from data_designer.columns.seeds.arrow_types import values_of
from data_designer.columns.seeds.program import read_seed
from data_designer.config.seed import SeedConfig
from data_designer.config.seed_source import AgentRolloutSeedSource
from data_designer.errors import SeedReaderError


def rows_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The rows of the sessions in a folder."""
    table = read_seed(SeedConfig(source=AgentRolloutSeedSource(format=kind, path=str(folder))))
    columns = {field.name: values_of(table.column(field.name), field) for field in table.schema}
    return [{name: values[place] for name, values in columns.items()} for place in range(table.num_rows)]


def write(path: Path, *entries: dict[str, Any], lines: bool = True) -> None:
    """Write entries, one a line, or the one entry as a file of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, entries)) + "\n" if lines else json.dumps(entries[0]))


def said(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message."""
    return [(one["role"], "".join(block.get("text", "") for block in one["content"])) for one in row["messages"]]


def text(text: str) -> list[dict[str, str]]:
    """A text as blocks."""
    return [{"type": "text", "text": text}]


def test_sessions_of_claude_code(tmp_path: Path) -> None:
    """Thoughts, calls and their results; what the index says; times by instant."""
    about = {"sessionId": "s1", "cwd": "/repo", "gitBranch": "main", "version": "2.0"}
    call = {"type": "tool_use", "id": "c1", "name": "Read", "input": {"b": 1, "a": 2}}
    thought = {"type": "thinking", "thinking": "hm"}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "found"}
    write(
        tmp_path / "project" / "s1.jsonl",
        {"type": "user", "timestamp": "2026-01-02T00:30:00+01:00", "message": {"content": "do it"}, **about},
        {"type": "assistant", "timestamp": "2026-01-02T00:00:00Z", "message": {"content": [thought, call]}, **about},
        {"type": "user", "message": {"content": [result]}, **about},
        {"type": "assistant", "message": {"content": text("done")}, **about},
        {"type": "summary", "summary": "not a message"},
    )
    index = {"entries": [{"sessionId": "s1", "projectPath": "/project", "firstPrompt": "do it"}]}
    write(tmp_path / "project" / "sessions-index.json", index, lines=False)
    write(tmp_path / "history.jsonl", {"type": "user"})
    write(tmp_path / "project" / "tool-results" / "x.jsonl", {"type": "user"})
    [row] = rows_of(tmp_path, "claude_code")
    assert said(row) == [("user", "do it"), ("assistant", ""), ("tool", "found"), ("assistant", "done")]
    asked = row["messages"][1]
    assert asked["reasoning_content"] == "hm"
    assert asked["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "Read", "arguments": '{"a": 2, "b": 1}'}}
    ]
    assert row["messages"][2]["tool_call_id"] == "c1"
    assert (row["trace_id"], row["root_session_id"], row["is_sidechain"]) == ("s1", "s1", False)
    assert (row["project_path"], row["cwd"], row["git_branch"]) == ("/project", "/repo", "main")
    assert (row["started_at"], row["ended_at"]) == ("2026-01-02T00:30:00+01:00", "2026-01-02T00:00:00Z")
    assert (row["message_count"], row["tool_call_count"], row["final_assistant_message"]) == (4, 1, "done")
    assert row["source_meta"]["first_prompt"] == "do it"
    assert row["source_meta"]["record_types"] == ["assistant", "summary", "user"]


def test_sidechains_of_claude_code_have_traces_of_their_own(tmp_path: Path) -> None:
    """Named by session and agent."""
    entry = {"type": "user", "sessionId": "s", "agentId": "a", "isSidechain": True, "message": {"content": "x"}}
    write(tmp_path / "agent.jsonl", entry)
    [row] = rows_of(tmp_path, "claude_code")
    assert (row["trace_id"], row["root_session_id"], row["agent_id"]) == ("s:a", "s", "a")
    assert row["is_sidechain"] is True
    assert row["final_assistant_message"] is None


def test_sessions_of_codex(tmp_path: Path) -> None:
    """Reasoning waits for what the assistant says or calls next."""
    items = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "think"}]},
        {"type": "function_call", "call_id": "c", "name": "shell", "arguments": '{"x": 1}'},
        {"type": "function_call_output", "call_id": "c", "output": "ok"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
        {"type": "reasoning", "summary": [{"text": "left"}]},
    ]
    meta = {"id": "t", "cwd": "/w", "git": {"branch": "b"}, "timestamp": "2026-01-01T00:00:00Z", "originator": "cli"}
    write(
        tmp_path / "rollout-1.jsonl",
        {"type": "session_meta", "timestamp": "2026-01-01T00:00:05Z", "payload": meta},
        *({"type": "response_item", "payload": item} for item in items),
    )
    write(tmp_path / "other.jsonl", {"type": "session_meta", "payload": {}})
    [row] = rows_of(tmp_path, "codex")
    assert said(row) == [("system", "rules"), ("assistant", ""), ("tool", "ok"), ("assistant", "done")]
    assert row["messages"][1]["reasoning_content"] == "think"
    assert row["messages"][1]["tool_calls"][0]["function"] == {"name": "shell", "arguments": '{"x": 1}'}
    assert (row["trace_id"], row["git_branch"], row["started_at"]) == ("t", "b", "2026-01-01T00:00:00Z")
    assert row["source_meta"]["unattached_reasoning"] == ["left"]
    assert row["source_meta"]["originator"] == "cli"


def test_sessions_of_hermes_agent(tmp_path: Path) -> None:
    """Logs of the command line, and transcripts of the gateway with their index."""
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "reasoning": "r", "tool_calls": [{"call_id": "1", "name": "f"}]},
        {"role": "tool", "content": "out", "tool_call_id": "1"},
        {"role": "assistant", "content": "bye", "finish_reason": "stop"},
    ]
    log = {"session_id": "s", "system_prompt": "be kind", "messages": messages, "tools": [{"function": {"name": "f"}}]}
    write(tmp_path / "session_s.json", log, lines=False)
    write(tmp_path / "g.jsonl", *messages)
    write(tmp_path / "sessions.json", {"key": {"session_id": "g", "platform": "x", "created_at": "t0"}}, lines=False)
    gateway, cli = rows_of(tmp_path, "hermes_agent")
    assert said(cli)[0] == ("system", "be kind")
    assert cli["messages"][2]["tool_calls"][0] == {
        "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"},
    }  # fmt: skip
    assert cli["source_meta"]["available_tool_names"] == ["f"]
    assert cli["source_meta"]["system_prompt_chars"] == len("be kind")
    assert (gateway["trace_id"], gateway["started_at"]) == ("g", "t0")
    assert gateway["source_meta"]["platform"] == "x"
    assert gateway["source_meta"]["tool_names_used"] == ["f"]
    assert gateway["source_meta"]["session_key"] == "key"


def test_sessions_of_pi_take_the_branch_of_the_last_entry(tmp_path: Path) -> None:
    """Commands that were run are calls of bash; those that are kept from the model are left out."""

    def entry(number: int, parent: int | None, **message: Any) -> dict[str, Any]:
        return {"type": "message", "id": str(number), "parentId": parent and str(parent), "message": message}

    write(
        tmp_path / "p.jsonl",
        {"type": "session", "id": "s", "cwd": "/w", "version": 3, "timestamp": "2026-01-01T00:00:00Z"},
        entry(1, None, role="user", content="go"),
        entry(2, 1, role="assistant", content=text("given up")),
        entry(3, 1, role="bashExecution", command="ls", output="a", exitCode=1),
        entry(4, 3, role="bashExecution", command="pw", output="b", excludeFromContext=True),
        {"type": "compaction", "id": "5", "parentId": "4", "summary": "so far"},
        entry(6, 5, role="assistant", content=[*text("one"), *text("two")], stopReason="stop"),
    )
    [row] = rows_of(tmp_path, "pi_coding_agent")
    assert said(row) == [
        *(("user", "go"), ("assistant", ""), ("tool", "a\n[exit code: 1]")),
        *(("system", "so far"), ("assistant", "one\n\ntwo")),
    ]
    assert row["messages"][1]["tool_calls"][0]["id"] == "bash_3"
    assert row["source_meta"]["has_branches"] is True
    assert row["source_meta"]["bash_execution_count"] == 2
    assert row["cwd"] == "/w"


def test_trajectories_of_atif(tmp_path: Path) -> None:
    """Steps in order; what tools came to belongs to the calls of its step."""
    step = {
        "step_id": 2, "source": "agent", "message": "m",
        "tool_calls": [{"tool_call_id": "c", "function_name": "f", "arguments": {"x": 1}}],
        "observation": {"results": [{"source_call_id": "c", "content": "seen"}]},
    }  # fmt: skip
    whole = {
        "schema_version": "1", "session_id": "s", "agent": {"name": "a", "extra": {"cwd": "/w"}},
        "steps": [{"step_id": 1, "source": "user", "message": "go"}, step],
    }  # fmt: skip
    write(tmp_path / "good.json", whole, lines=False)
    write(tmp_path / "gap.json", {**whole, "steps": [{**step, "step_id": 7}]}, lines=False)
    [row] = rows_of(tmp_path, "atif")
    assert said(row) == [("user", "go"), ("assistant", "m"), ("tool", "seen")]
    assert (row["trace_id"], row["cwd"]) == ("s", "/w")
    assert row["source_meta"] == {"schema_version": "1", "step_count": 2, "agent_name": "a"} | {
        name: None for name in row["source_meta"] if name not in ("schema_version", "step_count", "agent_name")
    }


def test_files_that_are_no_sessions_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing else is there, that is an error."""
    write(tmp_path / "good.jsonl", {"type": "user", "message": {"content": "x"}})
    (tmp_path / "bad.jsonl").write_text("{")
    (tmp_path / "empty.jsonl").write_text("\n")
    write(tmp_path / "odd.jsonl", {"type": "user", "message": {"role": "nobody", "content": "x"}})
    with caplog.at_level(logging.WARNING):
        assert len(rows_of(tmp_path, "claude_code")) == 1
    assert "bad.jsonl is left out: line 1 is no JSON" in caplog.text
    assert "odd.jsonl is left out: the role 'nobody'" in caplog.text
    (tmp_path / "good.jsonl").unlink()
    with pytest.raises(SeedReaderError, match="is a session in the format claude_code"):
        rows_of(tmp_path, "claude_code")
