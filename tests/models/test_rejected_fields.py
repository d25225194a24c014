"""Which field of a request is refused, in the forms in which servers say that."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
from tests.models.fakes import says, served

from data_designer import errors
from data_designer.models.rejected_fields import fields_of
from data_designer.models.transport import Transport


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "odd"}]}, " (field: messages[0].content)"),
        ({"detail": [{"loc": ["body", "n"]}, {"loc": ["body", "top_k"]}]}, " (fields: n, top_k)"),
        ({"detail": [{"loc": ["body"], "msg": "Field required"}]}, " (field: body)"),
        ({"detail": [{"loc": ["body", "n"]}, {"loc": ["body", "n"]}]}, " (field: n)"),
        ({"error": {"message": "no", "param": "max_tokens", "code": None}}, " (field: max_tokens)"),
        ({"object": "error", "message": "no", "param": "max_tokens"}, " (field: max_tokens)"),
        ({"error": {"details": [{"fieldViolations": [{"field": "contents[0]"}]}]}}, " (field: contents[0])"),
        ([{"error": {"details": [{"fieldViolations": [{"field": "contents"}]}]}}], " (field: contents)"),
        ({"errors": [{"detail": "no", "source": {"pointer": "/data/n"}}]}, " (field: /data/n)"),
        ({"errors": [{"path": ["body", "a", 1]}]}, " (field: a[1])"),
        ({"error": {"message": "no", "param": None}}, ""),
        ({"error": "no"}, ""),
        ({"message": {"loc": "no place for it"}}, ""),
        ({"detail": [{"loc": {"a": 1}}, {"loc": 7}, 3, None, "x"]}, ""),
        ([[[[]]]], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_a_field_is_named_wherever_it_stands(body: Any, said: str) -> None:
    """Of FastAPI, pydantic, OpenAI, vLLM, Google; what names none adds nothing."""
    assert fields_of(orjson.dumps(body)) == said


def test_what_is_no_json_or_too_much_of_it_adds_little() -> None:
    """Bodies come from outside."""
    assert fields_of(b"<html>") == ""
    assert fields_of(b"") == ""
    assert fields_of(b"[" * 100_000) == ""
    deep = {"error": {"error": {"error": {"error": {"error": {"error": {"param": "x"}}}}}}}
    assert fields_of(orjson.dumps(deep)) == ""
    many = {"detail": [{"loc": [f"field{number}" * 1000]} for number in range(1000)]}
    assert len(fields_of(orjson.dumps(many))) < 1000


@pytest.mark.usefixtures("sockets")
def test_a_422_names_its_field_beside_the_server_s_words() -> None:
    """So that the user finds the parameter that is not taken."""
    body = {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]}

    async def scenario() -> None:
        async with served(says(body, 422)) as server, aiohttp.ClientSession() as session:
            await Transport(server.url, {}, "model 'm'", session, 5.0).post(b"{}")

    with pytest.raises(errors.ModelUnprocessableEntityError) as caught:
        asyncio.run(scenario())
    assert "HTTP 422: Extra inputs are not permitted (field: top_k)" in str(caught.value)
