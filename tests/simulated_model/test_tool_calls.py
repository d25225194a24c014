"""Calls of tools that the simulated model makes, in either form."""

from typing import Any

import pytest

from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.replies import Reply, prompt_of, reply_to
from data_designer.simulated_model.settings import SimulatedModel
from data_designer.simulated_model.tool_calls import in_anthropic_form, in_openai_form

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OPENAI = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("a", "b")]
ANTHROPIC = [{"name": name, "input_schema": SCHEMA} for name in ("a", "b")]


def reply(tools: list[dict[str, Any]], *turns: dict[str, Any], **model: Any) -> Reply:
    """What is said to a prompt, after some turns."""
    choice = {"tool_choice": model.pop("tool_choice")} if "tool_choice" in model else {}
    body = {"messages": [{"role": "user", "content": "P"}, *turns], "tools": tools, **choice}
    behaviour, prompt = SimulatedModel(**model), prompt_of(body)
    return reply_to(body, prompt, behaviour, RequestFaults(behaviour, prompt.digest("m"), 0))


def test_tools_are_called_in_turn_and_then_it_answers() -> None:
    """As many turns as it is told; the same in both forms; the answer repeats what the last tool said."""
    first = reply(OPENAI, tool_turns=2)
    assert [(one.name, [*one.arguments]) for one in first.calls] == [("a", ["n"])]
    assert first == reply(ANTHROPIC, tool_turns=2)
    said = {"role": "assistant", "content": None, "tool_calls": in_openai_form(first.calls)}
    told = {"role": "tool", "content": "it is 7", "tool_call_id": "x"}
    second = reply(OPENAI, said, told, tool_turns=2)
    assert [one.name for one in second.calls] == ["b"]
    there = {"role": "assistant", "content": in_anthropic_form(first.calls)}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "it is 7"}]}
    assert reply(ANTHROPIC, there, result, tool_turns=2) == second
    last = reply(OPENAI, said, told, tool_turns=1)
    assert not last.calls
    assert last.text.endswith("A tool says: it is 7")
    assert last == reply(ANTHROPIC, there, result, tool_turns=1)


def test_several_are_called_at_once() -> None:
    """Each has an id of its own."""
    calls = reply(OPENAI, tool_calls=3).calls
    assert [one.name for one in calls] == ["a", "b", "a"]
    assert len({one.id for one in calls}) == 3


@pytest.mark.parametrize("choice", ["none", {"type": "none"}])
def test_it_heeds_that_it_may_not(choice: object) -> None:
    """A choice of none is one."""
    assert reply(OPENAI, tool_choice=choice).calls == ()


def test_without_tools_it_calls_nothing() -> None:
    """Whatever it is set to."""
    assert reply([], tool_turns=5).calls == ()
