"""Media as OpenAI-compatible endpoints take them."""

from collections.abc import Mapping

from data_designer.values import Message

_SOUNDS: Mapping[str, str] = {"audio/mpeg": "mp3", "audio/mp3": "mp3"}
"""Media type to what the API calls it; every other one that gets here is a name of WAV."""


def with_media(message: Message) -> Message:
    """A message with its media, if any, as these endpoints have them."""
    content = message["content"]
    if not isinstance(content, list) or all(block.get("type") == "text" for block in content):
        return message
    return {**message, "content": [as_posted(block) for block in content]}


def as_posted(block: Mapping[str, object]) -> Mapping[str, object]:
    """A block of an image, a recording or a film as it is posted; any other as it is."""
    match block:
        case {"type": "image" | "video" as kind, "source": {"type": "url", "url": url}}:
            return _at(f"{kind}_url", url)
        case {"type": "image" | "video" as kind, "source": {"media_type": media_type, "data": data}}:
            return _at(f"{kind}_url", f"data:{media_type};base64,{data}")
        case {"type": "audio", "source": {"type": "url", "url": url}}:
            return _at("audio_url", url)
        case {"type": "audio", "source": {"media_type": str(media_type), "data": data}}:
            return {"type": "input_audio", "input_audio": {"data": data, "format": _SOUNDS.get(media_type, "wav")}}
        case _:
            return block


def _at(kind: str, url: object) -> Mapping[str, object]:
    return {"type": kind, kind: {"url": url}}
