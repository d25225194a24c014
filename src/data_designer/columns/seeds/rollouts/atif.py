"""Trajectories in the Agent Trajectory Interchange Format (ATIF): one JSON object a file."""

from collections.abc import Iterator
from pathlib import Path

from data_designer.columns.seeds.rollouts.messages import (
    Entry,
    MalformedError,
    Message,
    call,
    json_object,
    member,
    message,
    row,
    span,
)

KIND = "atif"

_ROLES = {"agent": "assistant", "system": "system", "user": "user"}
_OF_AGENTS = ("reasoning_content", "tool_calls", "observation")


def read(_root: Path, path: Path) -> dict[str, object] | None:
    """The row of a file. Raises MalformedError where it is no trajectory."""
    whole = json_object(path)
    agent = member(whole.get("agent"), "the agent")
    for name, value in (("schema_version", whole), ("session_id", whole), ("name", agent)):
        if not isinstance(value.get(name), str):
            raise MalformedError(f"it has no {name}")
    steps = _steps(whole.get("steps"))
    extra = agent.get("extra") if isinstance(agent.get("extra"), dict) else {}
    about = extra or {}
    copied = [step["step_id"] for step in steps if step.get("is_copied_context")]
    refs = [ref for step in steps for result in _results(step) for ref in result.get("subagent_trajectory_ref") or ()]
    return row(
        KIND,
        path,
        [one for step in steps for one in _messages(step)],
        trace_id=whole["session_id"],
        agent_id=agent["name"],
        cwd=about.get("cwd"),
        project_path=about.get("project_path") or about.get("cwd"),
        git_branch=about.get("git_branch"),
        times=span(step.get("timestamp") for step in steps),
        meta={
            "schema_version": whole["schema_version"],
            "step_count": len(steps),
            "agent_name": agent["name"],
            "version": agent.get("version"),
            "model_name": agent.get("model_name"),
            "copied_context_step_ids": copied or None,
            "subagent_trajectory_refs": refs or None,
            **{name: whole.get(name) for name in ("notes", "continued_trajectory_ref", "final_metrics", "extra")},
        },
    )


def _steps(steps: object) -> list[Entry]:
    if not isinstance(steps, list) or not steps:
        raise MalformedError("it has no steps")
    found = [member(step, "a step") for step in steps]
    for number, step in enumerate(found, 1):
        if step.get("step_id") != number:
            raise MalformedError(f"step {number} is called {step.get('step_id')!r}")
        if step.get("source") not in _ROLES or "message" not in step:
            raise MalformedError(f"step {number} lacks a source or a message")
        if step["source"] != "agent" and any(step.get(name) for name in _OF_AGENTS):
            raise MalformedError(f"step {number} has what only steps of agents have")
    return found


def _results(step: Entry) -> list[Entry]:
    observation = step.get("observation")
    if observation is None:
        return []
    results = member(observation, "an observation").get("results")
    return [member(result, "a result") for result in results] if isinstance(results, list) else []


def _messages(step: Entry) -> Iterator[Message]:
    given = step.get("tool_calls") or ()
    calls = []
    for one in given if isinstance(given, list) else ():
        made = member(one, "a call")
        calls.append(call(made.get("tool_call_id"), made.get("function_name"), made.get("arguments")))
    reasoning = step.get("reasoning_content")
    yield message(_ROLES[step["source"]], step["message"], reasoning=reasoning, calls=calls)
    known = {one["id"] for one in calls}
    for result in _results(step):
        if result.get("content") is not None:
            if result.get("source_call_id") not in known:
                raise MalformedError(f"a result of step {step['step_id']} is of none of its calls")
            yield message("tool", result["content"], call_id=result["source_call_id"])
