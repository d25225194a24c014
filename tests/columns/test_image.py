"""Columns of images: what counts as one, what its file is called, and what is asked again."""

import base64
import io
import re
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

import data_designer.config as dd
from data_designer.columns.image import ImageProgram, extension_of, folder_of
from data_designer.config.column_configs import ImageColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import ImageGenerationError
from data_designer.values import Drop, FileRequest, FileResponse, ImageRequest, ImageResponse, MediaFile, Ok, Outcome

RESTARTS = 2


def drawn(kind: str = "PNG", size: int = 40) -> bytes:
    """An image of a format."""
    out = io.BytesIO()
    Image.effect_noise((size, size), 90).save(out, kind)
    return out.getvalue()


def text(content: bytes) -> str:
    """An image as a reply holds it."""
    return base64.b64encode(content).decode()


def program(prompt: str = "draw {{ what }}", **more: Any) -> ImageProgram:
    """A column `photo` about a column `what`."""
    config = ImageColumnConfig(name="photo", prompt=prompt, model_alias="m", **more)
    return ImageProgram(config, "images/photo", RESTARTS, JinjaRenderingEngine.SECURE, ["what", "seen"])


def cell(replies: Sequence[ImageResponse], what: str = "a fox") -> tuple[Outcome, list[ImageRequest]]:
    """What record 7 comes to, and what was asked."""
    exchange = program().exchange({"what": what}, 7)
    asked: list[ImageRequest] = []
    left = iter(replies)
    try:
        request = next(exchange)
        while True:
            assert isinstance(request, ImageRequest)
            asked.append(request)
            request = exchange.send(next(left))
    except StopIteration as stop:
        return stop.value, asked


@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("WEBP", "webp")])
def test_files_end_as_their_bytes_say(kind: str, ending: str) -> None:
    """Whatever a model says that it made."""
    outcome, _ = cell([ImageResponse((text(drawn(kind)),))])
    assert isinstance(outcome, Ok)
    assert outcome.values == ([f"images/photo/7-0.{ending}"],)
    [file] = outcome.files
    assert (file.path, file.size, file.content) == (
        f"images/photo/7-0.{ending}",
        len(file.content or b""),
        file.content,
    )


def test_what_is_kept_in_a_file_already_stays_there() -> None:
    """The cell's file is the one that holds the reply's image."""
    image = drawn()
    kept = MediaFile("", len(image), "digest", "journal/x.media")
    outcome, _ = cell([ImageResponse((text(image),), files=(kept,))])
    assert isinstance(outcome, Ok)
    assert outcome.files == (MediaFile("images/photo/7-0.png", len(image), "digest", "journal/x.media"),)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("no base64!", "is no base64: 'no base64!'"),
        (text(drawn()) + "\n", "is no base64"),
        (text(b"<html>not found</html>"), r"begins with b'<html>no': it is none of png, jpg, gif, webp"),
        (text(drawn("BMP")), "begins with b'BM"),
        (text(drawn()[:-20]), "the image is damaged"),
        (text(drawn("JPEG")[:-200]), "the image is damaged"),
        (text(drawn("GIF")[:200]), "the image is damaged"),
        (text(drawn("WEBP")[:-200]), "the image is damaged"),
        (text(drawn().replace(b"IDAT", b"IDAX")), "the image is damaged"),
        ("", "begins with b''"),
    ],
)
def test_what_is_no_image_is_asked_for_again_and_then_rejects_the_row(image: str, why: str) -> None:
    """As often as conversations start anew, by the same request each time."""
    outcome, asked = cell([ImageResponse((image,))] * 3)
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ImageGenerationError"
    assert "no image after 3 requests" in outcome.reason.message
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(outcome.reason.message)
    assert asked == [ImageRequest("draw a fox")] * 3


def test_a_good_image_after_bad_ones_is_taken() -> None:
    """Replies without an image, and one that is none, are asked again."""
    outcome, asked = cell([ImageResponse(()), ImageResponse(("!",)), ImageResponse((text(drawn()),))])
    assert isinstance(outcome, Ok)
    assert len(asked) == 3


def test_several_images_are_numbered_without_those_that_are_none() -> None:
    """A reply with one good image is good."""
    images = tuple(map(text, (drawn(), b"none", drawn("GIF"))))
    outcome, asked = cell([ImageResponse(images)])
    assert isinstance(outcome, Ok)
    assert outcome.values == (["images/photo/7-0.png", "images/photo/7-1.gif"],)
    assert len(asked) == 1


def test_an_empty_prompt_rejects_the_row_before_anything_is_asked() -> None:
    """With media as well."""
    made = program("{{ what }}", multi_modal_context=[dd.ImageContext(column_name="seen")])
    with pytest.raises(StopIteration) as stop:
        next(made.exchange({"what": "  ", "seen": ["images/seen/7-0.png"]}, 7))
    assert isinstance(stop.value.value, Drop)
    assert stop.value.value.reason.kind == "PromptTemplateRenderError"


def test_images_are_made_after_images() -> None:
    """A context's file is asked for first, and is shown beside the prompt; what it lacks rejects the row."""
    made = program("{{ what }}", multi_modal_context=[dd.ImageContext(column_name="seen")])
    record = {"what": "the same in blue", "seen": ["images/seen/7-0.png"]}
    exchange = made.exchange(record, 7)
    assert next(exchange) == FileRequest("images/seen/7-0.png")
    request = exchange.send(FileResponse(drawn()))
    assert isinstance(request, ImageRequest)
    assert request.prompt == "the same in blue"
    [block] = request.media
    assert block["type"] == "image"
    exchange = made.exchange(record, 7)
    next(exchange)
    with pytest.raises(StopIteration) as stop:
        exchange.send(FileResponse("it is gone"))
    assert isinstance(stop.value.value, Drop)
    assert "it is gone" in stop.value.value.reason.message


def test_an_image_that_is_too_large_to_decode_is_none() -> None:
    """A header that promises more pixels than memory holds."""
    png = bytearray(drawn())
    png[16:24] = (1 << 20).to_bytes(4, "big") * 2
    with pytest.raises(ImageGenerationError, match="the image is damaged"):
        extension_of(bytes(png))


def folders(*names: str) -> list[str]:
    """The folders of columns of images with these names."""
    columns = [ImageColumnConfig(name=name, prompt="x", model_alias="m") for name in names]
    return [folder_of(name, columns).removeprefix("images/") for name in names]


def test_columns_have_folders_of_their_own() -> None:
    """Called as they are, as far as a folder can be; no two share one, and none is outside."""
    assert folders("photo", "my photo") == ["photo", "my photo"]
    assert folders("a/b", "..\\c", "e..f") == ["a_b", "__c", "e_f"]
    for same in (("a/b", "a_b"), ("A", "a"), ("a/b", "a\\b")):
        one, two = folders(*same)
        assert one.lower() != two.lower()
    odd = folders(".", "..", ".hidden", "x" * 300, "a:b", "con?")
    assert len(set(odd)) == len(odd)
    assert all(re.fullmatch(r"\w[\w-]*", name) for name in odd)
