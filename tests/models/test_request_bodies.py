"""The JSON of a chat request: text as strings, parts where there are media, and the name of the longest reply."""

from typing import Any

import pytest
from tests.models.fakes import pool, request

from data_designer.models.anthropic_wire import AnthropicWire
from data_designer.models.openai_wire import OpenAIWire
from data_designer.models.wire import Common
from data_designer.models.wires import wire_to
from data_designer.values import ChatRequest

HI = {"type": "text", "text": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def body(*content: Any, role: str = "user") -> Any:
    """What a message of such a content becomes."""
    one = ChatRequest([{"role": role, "content": list(content)}])
    return OpenAIWire(Common("m")).body(one)["messages"]


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_text_alone_is_a_string(role: str) -> None:
    """Many servers and chat templates take nothing else."""
    assert body(HI, role=role) == [{"role": role, "content": "hi"}]
    assert body(HI, {"type": "text", "text": "ho"}, role=role) == [{"role": role, "content": "hi\nho"}]


def test_media_are_parts_beside_their_text() -> None:
    """Only then is there no other way."""
    assert body(HI, IMAGE) == [{"role": "user", "content": [HI, IMAGE]}]
    assert body(IMAGE) == [{"role": "user", "content": [IMAGE]}]


def test_other_fields_of_a_message_stay_and_the_request_is_not_changed() -> None:
    """A conversation is sent again with each correction."""
    one = ChatRequest([{"role": "assistant", "content": [HI], "name": "a"}, {"role": "user", "content": "as it is"}])
    assert OpenAIWire(Common("m")).body(one)["messages"] == [
        {"role": "assistant", "content": "hi", "name": "a"},
        {"role": "user", "content": "as it is"},
    ]
    assert one.messages[0]["content"] == [HI]


def test_media_of_the_other_api_are_parts_too() -> None:
    """Text alone is a string there as well."""
    one = ChatRequest([{"role": "user", "content": [HI, IMAGE]}, {"role": "assistant", "content": [HI]}])
    assert AnthropicWire(Common("m")).body(one)["messages"] == [
        {"role": "user", "content": [HI, IMAGE]},
        {"role": "assistant", "content": "hi"},
    ]


def posted(url: str, params: dict[str, Any] | None = None, **provider: Any) -> dict[str, Any]:
    """The limits in the body of a request to an endpoint, with a longest reply of 9."""
    body = wire_to(pool(url, provider=provider, max_tokens=9)).body(request("hi", **(params or {})))
    return {name: value for name, value in body.items() if name.startswith("max_")}


def test_the_longest_reply_has_the_name_that_the_backend_knows() -> None:
    """OpenAI's newer models refuse the older name; most other servers know only that."""
    assert posted("https://api.openai.com/v1") == {"max_completion_tokens": 9}
    assert posted("https://gate/v1", backend="openai") == {"max_completion_tokens": 9}
    assert posted("http://localhost:8000/v1", backend="vllm") == {"max_tokens": 9}
    assert posted("https://gate/v1") == {"max_tokens": 9}


def test_a_request_s_own_limit_goes_by_the_same_name() -> None:
    """Two names in one request are refused."""
    assert posted("https://api.openai.com/v1", {"max_tokens": 7}) == {"max_completion_tokens": 7}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://gate/v1"])
def test_what_the_user_wrote_in_extra_body_is_the_only_name(name: str, url: str) -> None:
    """Whatever the backend is called."""
    assert posted(url, {"max_tokens": 7}, extra_body={name: 5}) == {name: 5}
