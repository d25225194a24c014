"""Media in requests to the simulated model: whether they have the form of the API, and which they are."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

TOKENS = 1000
"""Of an image, a recording or a film."""
_MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What endpoints take; `image/jpg` is not among them."""
_SOUNDS = ("mp3", "wav")


def digests_of(messages: Iterable[Mapping[str, object]]) -> Sequence[bytes]:
    """Each medium of some messages, told apart by what it is."""
    return [hashlib.blake2b(orjson.dumps(block), digest_size=16).digest() for block in _media(messages)]


def check_openai(messages: Iterable[Mapping[str, object]]) -> None:
    """Raise ValueError for a block that OpenAI's chat does not know."""
    for block in _media(messages):
        match block:
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                if url.startswith("data:"):
                    _check_type(url.removeprefix("data:").partition(";")[0])
            case {"type": "input_audio", "input_audio": {"data": str(), "format": str(sound)}} if sound in _SOUNDS:
                pass
            case {"type": "audio_url" as kind} | {"type": "video_url" as kind} if _has_url(block, kind):
                pass
            case _:
                raise ValueError(f"content: {_kind(block)} is none of the blocks that are taken")


def check_anthropic(messages: Iterable[Mapping[str, object]]) -> None:
    """Raise ValueError for a block that Anthropic's messages do not know."""
    for block in _media(messages):
        match block:
            case {"type": "image", "source": {"type": "url", "url": str()}}:
                pass
            case {"type": "image", "source": {"type": "base64", "media_type": str(media_type), "data": str()}}:
                _check_type(media_type)
            case _:
                raise ValueError(f"content: {_kind(block)} is none of the blocks that are taken")


def _media(messages: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and message.get("role") == "user" and block.get("type") not in _OTHERS:
                yield block


_OTHERS = ("text", "tool_result")
"""Types of blocks that are no media."""


def _check_type(media_type: str) -> None:
    if media_type not in _MEDIA_TYPES:
        raise ValueError(f"content: {media_type!r} is none of {', '.join(_MEDIA_TYPES)}")


def _has_url(block: Mapping[str, object], kind: str) -> bool:
    match block.get(kind):
        case {"url": str()}:
            return True
        case _:
            return False


def _kind(block: Mapping[str, object]) -> str:
    return f"a block of type {block.get('type')!r}"
