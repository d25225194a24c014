"""Media in requests to the simulated model: it sees them, and takes none but those that endpoints take."""

from typing import Any

import pytest

from data_designer.simulated_model.media import check_anthropic, check_openai
from data_designer.simulated_model.replies import prompt_of

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
HELD = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def says(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    """A turn of media and text."""
    return [{"role": "user", "content": [*blocks, {"type": "text", "text": "What is it?"}]}]


def test_what_is_shown_tells_prompts_apart() -> None:
    """Another picture is another prompt, and pictures cost tokens."""
    plain, one, other = (
        prompt_of({"messages": says(*blocks)})
        for blocks in ((), (IMAGE,), ({**IMAGE, "image_url": {"url": "http://x"}},))
    )
    assert len({plain.digest("m"), one.digest("m"), other.digest("m")}) == 3
    assert one.tokens == other.tokens == plain.tokens + 1000
    assert one == prompt_of({"messages": says(IMAGE)})


@pytest.mark.parametrize(
    "block",
    [
        HELD,
        {"type": "image_url", "image_url": "http://x"},
        {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "ogg"}},
        {"type": "video_url", "audio_url": {"url": "http://x"}},
    ],
)
def test_blocks_of_another_form_are_refused_by_openais(block: dict[str, Any]) -> None:
    """As endpoints do, which know no `image/jpg`."""
    with pytest.raises(ValueError, match="^content: "):
        check_openai(says(block))


@pytest.mark.parametrize("block", [IMAGE, SOUND, {**HELD, "source": {**HELD["source"], "media_type": "image/jpg"}}])  # type: ignore[dict-item]
def test_blocks_of_another_form_are_refused_by_anthropics(block: dict[str, Any]) -> None:
    """It takes images, in a form of its own."""
    with pytest.raises(ValueError, match="^content: "):
        check_anthropic(says(block))


def test_good_blocks_are_taken() -> None:
    """Media of every kind there is."""
    check_openai(
        says(IMAGE, SOUND, *({"type": kind, kind: {"url": "http://x"}} for kind in ("audio_url", "video_url")))
    )
    check_anthropic(says(HELD, {"type": "image", "source": {"type": "url", "url": "http://x"}}))
