"""The calls of tools that the simulated model makes, in either form in which a request offers tools."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson

from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.material import Material
from data_designer.simulated_model.seeded_rng import SeededRng


class Call(NamedTuple):
    """One call of a tool."""

    id: str
    name: str
    arguments: dict[str, object]


def calls_of(body: Mapping[str, object], turns: int, at_once: int, seed: bytes, material: Material) -> tuple[Call, ...]:
    """The calls with which a request is answered; none where it is time for an answer in words.

    Tools take turns; their arguments are drawn from their schemas, and are the same for the same seed.

    Args:
        body: the request.
        turns: how many of a conversation's replies call tools.
        at_once: calls of one reply.
        seed: tells conversations apart.
        material: what is asked, which arguments are taken from where they suit.

    Raises:
        ValueError: a tool's schema makes no sense.
    """
    offered = [*_offered(body)]
    before = _turns_before(body)
    if not offered or before >= turns or body.get("tool_choice") in ("none", {"type": "none"}):
        return ()
    made = []
    for place in range(at_once):
        name, schema = offered[(before * at_once + place) % len(offered)]
        drawn = Instances(schema).make(SeededRng(seed + f"{before} {place}".encode()), material)
        made.append(Call(f"call_{before}_{place}", name, drawn if isinstance(drawn, dict) else {}))
    return tuple(made)


def last_result(body: Mapping[str, object]) -> str:
    """What the last tool said; empty where none did."""
    messages = body.get("messages")
    found = ""
    for message in messages if isinstance(messages, list) else ():
        if message.get("role") == "tool":
            found = _text(message.get("content"))
        for block in _blocks(message):
            if block.get("type") == "tool_result":
                found = _text(block.get("content"))
    return found


def in_openai_form(calls: tuple[Call, ...]) -> list[dict[str, object]]:
    """As a message of OpenAI's API has them."""
    return [
        {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": _json(one.arguments)}}
        for one in calls
    ]


def in_anthropic_form(calls: tuple[Call, ...]) -> list[dict[str, object]]:
    """As blocks of Anthropic's API."""
    return [{"type": "tool_use", "id": one.id, "name": one.name, "input": one.arguments} for one in calls]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _offered(body: Mapping[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """Name and schema of each tool."""
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        match tool:
            case {"function": {"name": str(name), **rest}}:
                schema = rest.get("parameters")
            case {"name": str(name), **rest}:
                schema = rest.get("input_schema")
            case _:
                continue
        yield name, schema if isinstance(schema, dict) else {"type": "object"}


def _turns_before(body: Mapping[str, object]) -> int:
    messages = body.get("messages")
    return sum(
        bool(message.get("tool_calls")) or any(block.get("type") == "tool_use" for block in _blocks(message))
        for message in (messages if isinstance(messages, list) else ())
        if message.get("role") == "assistant"
    )


def _blocks(message: Mapping[str, object]) -> list[dict[str, object]]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return str(content or "")
