"""Images on the wire: the route that a model's name stands for, and every form in which a reply holds an image."""

import base64
from typing import Any

import pytest
from tests.models.fakes import pool

from data_designer.models.error_mapping import UnreadableError
from data_designer.models.openai_images import OpenAIImageChatWire, OpenAIImagesWire
from data_designer.models.wires import greeting, wire_of, wire_to
from data_designer.values import ImageRequest, response_of

DATA = base64.b64encode(bytes(range(200))).decode()
BLOCK: dict[str, object] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}


def _alias(model: str, **params: Any) -> Any:
    return pool("http://h/v1", model=model, generation_type="image", **params)


@pytest.mark.parametrize("model", ["dall-e-3", "org/Stable-Diffusion-xl", "sd_turbo", "Imagen-4", "gpt-image-1"])
def test_models_of_their_own_route_are_known_by_name(model: str) -> None:
    """They are sent the description alone, and what the alias adds."""
    wire = wire_to(_alias(model, extra_body={"size": "64x64"}))
    assert wire.url("http://h/v1") == "http://h/v1/images/generations"
    assert wire.body(ImageRequest("a cat", [BLOCK])) == {"model": model, "prompt": "a cat", "size": "64x64"}


def test_other_models_are_asked_in_chat() -> None:
    """Media before the text, in one turn of the user."""
    wire = wire_to(_alias("gemini-flash-image", extra_body={"modalities": ["image"]}))
    assert wire.url("http://h/v1") == "http://h/v1/chat/completions"
    assert wire.body(ImageRequest("a cat", [BLOCK])) == {
        "model": "gemini-flash-image",
        "messages": [{"role": "user", "content": [BLOCK, {"type": "text", "text": "a cat"}]}],
        "modalities": ["image"],
    }
    assert wire.body(ImageRequest("a cat"))["messages"] == [{"role": "user", "content": "a cat"}]
    assert "thumbs-up" in str(wire.body(greeting(_alias("gemini-flash-image"))))


def test_the_simulated_model_is_asked_at_the_route_of_images() -> None:
    """Whatever the model that it stands for is called."""
    alias = pool("http://h/v1", model="x", generation_type="image", provider={"provider_type": "simulated"})
    assert wire_of(alias) is OpenAIImagesWire


@pytest.mark.parametrize(
    "item", [DATA, {"b64_json": DATA}, f"data:image/png;base64,{DATA}", BLOCK, {"image_url": DATA}, {"url": DATA}]
)
def test_every_form_of_an_image_is_read(item: object) -> None:
    """In the list of either route."""
    assert OpenAIImagesWire.parse({"data": [item, item]}).images == (DATA, DATA)
    reply = {"choices": [{"message": {"content": "", "images": [item]}}], "usage": {"prompt_tokens": 3}}
    response = OpenAIImageChatWire.parse(reply)
    assert response.images == (DATA,)
    assert (response.usage.images, response.usage.input_tokens) == (1, 3)


@pytest.mark.parametrize("text", [DATA, f"data:image/png;base64,{DATA}"])
def test_a_text_that_is_an_image_is_one(text: str) -> None:
    """Some servers answer a chat so."""
    assert OpenAIImageChatWire.parse({"choices": [{"message": {"content": text}}]}).images == (DATA,)


def test_addresses_are_told_apart_from_images() -> None:
    """They are still to be fetched."""
    response = OpenAIImagesWire.parse({"data": [{"url": "https://h/a.png?sig=1"}, {"b64_json": DATA}]})
    assert (response.images, response.links) == ((DATA,), ("https://h/a.png?sig=1",))
    text = {"choices": [{"message": {"content": "https://h/a.png"}}]}
    assert OpenAIImageChatWire.parse(text).links == ("https://h/a.png",)


@pytest.mark.parametrize("text", ["Sorry, I cannot draw.", "", "see https://h/a.png for it", "x" * 50, "word " * 40])
def test_words_are_no_image(text: str) -> None:
    """A reply without one says nothing."""
    response = OpenAIImageChatWire.parse({"choices": [{"message": {"content": text}}]})
    assert response.says_nothing
    assert response.usage.images == 0


@pytest.mark.parametrize("reply", [{}, [], {"choices": []}, {"choices": [{"message": None}]}])
def test_what_holds_no_message_is_no_reply(reply: object) -> None:
    """It is named, and asked for again."""
    with pytest.raises(UnreadableError):
        OpenAIImageChatWire.parse(reply)


def test_the_journal_keeps_images() -> None:
    """A reply that was paid for is read as it was."""
    response = OpenAIImagesWire.parse({"data": [{"b64_json": DATA}]})
    assert response_of(["image", [DATA]], response.usage) == response
