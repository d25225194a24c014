"""Tools as Anthropic's Messages API has them: definitions, choices, calls and results."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from data_designer.lenient_json import loads
from data_designer.models.wire import texts_of
from data_designer.values import Message

_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}
_NO_ARGUMENTS: Final = {"type": "object", "properties": {}}


def translated_tools(params: Mapping[str, object]) -> dict[str, object]:
    """Fields of a request, with its tools and the choice among them as this API has them."""
    found = dict(params)
    if isinstance(tools := found.get("tools"), list):
        found["tools"] = [_definition(tool) for tool in tools]
    if (choice := found.get("tool_choice")) is not None:
        found["tool_choice"] = _choice(choice)
    return found


def _definition(tool: Mapping[str, object]) -> Mapping[str, object]:
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    about = {"description": function["description"]} if function.get("description") else {}
    return {"name": function.get("name"), **about, "input_schema": function.get("parameters") or _NO_ARGUMENTS}


def _choice(choice: object) -> object:
    match choice:
        case str() if choice in _CHOICES:
            return {"type": _CHOICES[choice]}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
        case _:
            return choice


def called(message: Message) -> list[dict[str, object]]:
    """The calls of a message of the model's, as blocks of its content."""
    calls = message.get("tool_calls")
    return [_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _call(call: Mapping[str, object]) -> dict[str, object]:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    return {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": _input(function)}


def _input(function: Mapping[str, object]) -> Mapping[str, object]:
    try:
        read = loads(str(function.get("arguments") or "{}"))
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def with_results(messages: Sequence[Message]) -> list[Message]:
    """The messages, with the results of tools that follow each other in one message of the user's."""
    found: list[Message] = []
    results: list[dict[str, object]] = []
    for message in messages:
        if message["role"] != "tool":
            results = []
            found.append(message)
            continue
        if not results:
            found.append({"role": "user", "content": results})
        results.append(_result(message))
    return found


def _result(message: Message) -> dict[str, object]:
    content = message["content"]
    if isinstance(content, list) and all(block.get("type") == "text" for block in content):
        content = "\n".join(texts_of(content, ("text",), "text"))
    elif isinstance(content, list):
        content = [_block(block) for block in content]
    return {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content}


def _block(block: Mapping[str, object]) -> Mapping[str, object]:
    """A block of a result; an image is there in base64."""
    match block:
        case {"type": "image_url", "image_url": {"url": str(url)}} if url.startswith("data:"):
            kind, _, data = url.removeprefix("data:").partition(";base64,")
            return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}
        case _:
            return block


def calls_of(blocks: Sequence[object]) -> tuple[dict[str, object], ...]:
    """The calls of a reply, in OpenAI's form."""
    uses = (block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_use")
    return tuple(
        {
            "id": str(use.get("id") or ""),
            "type": "function",
            "function": {
                "name": str(use.get("name") or ""),
                "arguments": orjson.dumps(use.get("input") or {}).decode(),
            },
        }
        for use in uses
    )
