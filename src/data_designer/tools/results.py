"""What a call of a tool came to, as the content of a message."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

_IMAGE: Final = "data:image/"
_DATA: Final = ("data", "b64_json")
"""Fields that hold an image in base64."""
_TYPES: Final = ("mimeType", "mime_type", "media_type")
_DEFAULT_TYPE: Final = "image/png"


def content_of(items: Iterable[object]) -> list[dict[str, object]]:
    """The blocks of a message: the texts in one of them, or everything in its order where there is an image.

    Args:
        items: of the result, as JSON data. Text stands for itself, an image for itself, everything else for its JSON.
    """
    blocks = [_block(item) for item in items]
    if any(block["type"] != "text" for block in blocks):
        return blocks
    return [{"type": "text", "text": "\n".join(str(block["text"]) for block in blocks)}]


def _block(item: object) -> dict[str, object]:
    if isinstance(item, Mapping):
        if isinstance(text := item.get("text"), str) and item.get("type", "text") == "text":
            return {"type": "text", "text": text}
        if (url := _image_of(item)) is not None:
            return {"type": "image_url", "image_url": {"url": url}}
    elif isinstance(item, str):
        return {"type": "text", "text": item}
    return {"type": "text", "text": json.dumps(item, ensure_ascii=False, default=str)}


def _image_of(item: Mapping[object, object]) -> str | None:
    """The data URI of an item that is an image."""
    if isinstance(uri := item.get("uri") or item.get("url"), str) and uri.startswith(_IMAGE):
        return uri
    data = next((item[name] for name in _DATA if isinstance(item.get(name), str)), None)
    kind = next((item[name] for name in _TYPES if isinstance(item.get(name), str)), None)
    is_image = item.get("type") == "image" or (isinstance(kind, str) and kind.startswith("image/"))
    if data is None or not is_image:
        return None
    text = str(data)
    return text if text.startswith(_IMAGE) else f"data:{kind or _DEFAULT_TYPE};base64,{text}"
