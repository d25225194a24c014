"""Media at the wire: each API has a form of its own for the same blocks."""

from typing import Any

import pytest

from data_designer.errors import ModelUnsupportedCapabilityError
from data_designer.models.anthropic_wire import AnthropicWire
from data_designer.models.openai_images import OpenAIImageChatWire
from data_designer.models.openai_wire import OpenAIWire
from data_designer.models.wire import Common
from data_designer.values import ChatRequest, ImageRequest

TEXT = {"type": "text", "text": "P"}


def at(kind: str, url: str = "http://x/a") -> dict[str, Any]:
    """A block that has an address."""
    return {"type": kind, "source": {"type": "url", "url": url}}


def held(media_type: str) -> dict[str, Any]:
    """A block that is there."""
    source = {"type": "base64", "media_type": media_type, "data": "AAAA"}
    return {"type": media_type.partition("/")[0], "source": source}


def asked(*blocks: dict[str, Any]) -> ChatRequest:
    """A message of media and text."""
    return ChatRequest([{"role": "user", "content": [*blocks, TEXT]}])


@pytest.mark.parametrize(
    ("block", "posted"),
    [
        (at("image"), {"type": "image_url", "image_url": {"url": "http://x/a"}}),
        (held("image/jpeg"), {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}),
        (at("audio"), {"type": "audio_url", "audio_url": {"url": "http://x/a"}}),
        (held("audio/mpeg"), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}),
        (held("audio/mp3"), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}),
        (held("audio/x-wav"), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        (at("video"), {"type": "video_url", "video_url": {"url": "http://x/a"}}),
        (held("video/webm"), {"type": "video_url", "video_url": {"url": "data:video/webm;base64,AAAA"}}),
    ],
)
def test_openai_has_a_block_for_each_kind(block: dict[str, Any], posted: dict[str, Any]) -> None:
    """The order is kept; chats and requests for images are written alike."""
    chat = OpenAIWire(Common("m")).body(asked(block, block))
    assert chat["messages"] == [{"role": "user", "content": [posted, posted, TEXT]}]
    picture = OpenAIImageChatWire(Common("m")).body(ImageRequest("P", [block]))
    assert picture["messages"] == [{"role": "user", "content": [posted, TEXT]}]


def test_anthropic_takes_images_as_they_are() -> None:
    """In base64 and by address; empty text, which it refuses, is left out."""
    wire = AnthropicWire(Common("m"))
    blocks = [held("image/png"), at("image")]
    assert wire.body(asked(*blocks))["messages"] == [{"role": "user", "content": [*blocks, TEXT]}]
    silent = ChatRequest([{"role": "user", "content": [*blocks, {"type": "text", "text": ""}]}])
    assert wire.body(silent)["messages"] == [{"role": "user", "content": blocks}]


@pytest.mark.parametrize("block", [at("audio"), held("audio/wav"), at("video")])
def test_anthropic_has_no_form_for_sound_and_film(block: dict[str, Any]) -> None:
    """So nothing is sent."""
    with pytest.raises(ModelUnsupportedCapabilityError, match="takes images and no (audio|video)"):
        AnthropicWire(Common("m")).body(asked(block))


def test_media_have_an_estimate_of_tokens() -> None:
    """Whatever their bytes are, an image is a few thousand; a recording has more the longer it is."""
    plain, picture = ChatRequest([{"role": "user", "content": [TEXT]}]).most_tokens, asked(held("image/png"))
    assert picture.most_tokens - plain == asked(at("image")).most_tokens - plain == 2000
    long = {"type": "audio", "source": {"type": "base64", "media_type": "audio/wav", "data": "A" * 100_000}}
    assert asked(long).most_tokens - plain == 3000
    assert ImageRequest("P", [at("image")]).most_tokens - ImageRequest("P").most_tokens == 2000
