"""What a call came to, as the content of a message."""

import pytest

from data_designer.tools.results import content_of


def text(said: str) -> dict[str, object]:
    """A block of text."""
    return {"type": "text", "text": said}


def image(url: str) -> dict[str, object]:
    """A block that is an image."""
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("items", "blocks"),
    [
        ([], [text("")]),
        ([text("a"), text("b")], [text("a\nb")]),
        (["a", {"k": "ü"}, 7], [text('a\n{"k": "ü"}\n7')]),
        ([{"type": "resource", "text": "t"}], [text('{"type": "resource", "text": "t"}')]),
        (
            [text("see"), {"type": "image", "data": "aGk=", "mimeType": "image/jpeg"}],
            [text("see"), image("data:image/jpeg;base64,aGk=")],
        ),
        ([{"b64_json": "aGk=", "media_type": "image/webp"}], [image("data:image/webp;base64,aGk=")]),
        ([{"type": "image", "data": "aGk="}], [image("data:image/png;base64,aGk=")]),
        ([{"uri": "data:image/gif;base64,aGk="}], [image("data:image/gif;base64,aGk=")]),
        ([{"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}],
         [text('{"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}')]),
    ],
)  # fmt: skip
def test_texts_are_joined_and_images_stay_images(items: list[object], blocks: list[dict[str, object]]) -> None:
    """Everything else is its JSON; nothing is an empty text."""
    assert content_of(items) == blocks
