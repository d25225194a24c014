"""URLs of endpoints: where requests go, whichever way users write them, and what is shown of them."""

import pytest

from data_designer.models.addresses import base_of, joined, secrets_of, shown
from data_designer.models.anthropic_wire import AnthropicWire
from data_designer.models.openai_wire import OpenAIWire

AZURE = "https://r.openai.azure.com/openai/deployments/gpt"


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        (" https://h/v1 ", "https://h/v1/chat/completions"),
        ("https://h", "https://h/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/v1/chat/completions/", "https://h/v1/chat/completions"),
        ("https://h/v1/chat/completions#top", "https://h/v1/chat/completions"),
        ("https://h/v1/completions", "https://h/v1/chat/completions"),
        ("https://h/v1/responses", "https://h/v1/chat/completions"),
        ("https://h/v1/embeddings?k=v", "https://h/v1/chat/completions?k=v"),
        ("https://h/v1/images/generations", "https://h/v1/chat/completions"),
        ("https://h/v1/messages", "https://h/v1/chat/completions"),
        ("https://h/v1?a=b&c=d%2Fe", "https://h/v1/chat/completions?a=b&c=d%2Fe"),
        ("https://h/v1/?a=b", "https://h/v1/chat/completions?a=b"),
        (f"{AZURE}?api-version=2024-10-21", f"{AZURE}/chat/completions?api-version=2024-10-21"),
        (f"{AZURE}/chat/completions?api-version=1", f"{AZURE}/chat/completions?api-version=1"),
        ("http://user:pass@h:1/v1", "http://user:pass@h:1/v1/chat/completions"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
    ],
)
def test_requests_go_to_the_route_however_the_endpoint_is_written(endpoint: str, asked: str) -> None:
    """Slashes, queries, and the URL of a route instead of the endpoint."""
    assert OpenAIWire.url(endpoint) == asked


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [
        ("https://h?beta=true", "https://h/v1/messages?beta=true"),
        ("https://h/v1/messages", "https://h/v1/messages"),
        ("https://h/v1/messages/", "https://h/v1/messages"),
        ("https://gate/claude/messages?k=v", "https://gate/claude/messages?k=v"),
        ("https://h/v1/chat/completions", "https://h/v1/messages"),
    ],
)
def test_the_other_api_s_route_is_found_as_well(endpoint: str, asked: str) -> None:
    """Its version is added where the endpoint neither ends in it nor is the route itself."""
    assert AnthropicWire.url(endpoint) == asked


def test_an_endpoint_is_told_from_the_url_of_its_route() -> None:
    """What is left is what users are to write."""
    assert base_of("https://h/v1/chat/completions?a=b") == "https://h/v1?a=b"
    assert joined(base_of("https://h/v1/chat/completions?a=b"), "/embeddings") == "https://h/v1/embeddings?a=b"


def test_what_is_shown_of_a_url_holds_no_secret() -> None:
    """Neither user nor password nor query."""
    assert shown("https://user:pass@h:1/v1?key=abc") == "https://h:1/v1"
    assert shown("user:pass@h/v1?key=abc") == "h/v1"


def test_passwords_and_keys_of_a_url_are_known_as_secrets() -> None:
    """In both spellings; what is no secret is not blanked in messages."""
    found = set(secrets_of("https://u:hunt%65r@h/v1?api-version=2024-10-21&sig=a%2Fb&X-Api-Key=abcd&empty_key="))
    assert found == {"hunt%65r", "hunter", "a%2Fb", "a/b", "abcd", ""}
