"""What a cell of media comes to: the blocks that a model is shown, or what is wrong with it."""

import base64
import binascii
import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from data_designer.errors import MediaError

MediaBlock = dict[str, object]
"""`{"type": "image" | "audio" | "video", "source": ...}`; the source is `{"type": "url", "url": ...}` or
`{"type": "base64", "media_type": ..., "data": ...}`. Each wire writes it as its API has it."""

Looking = Generator[str, bytes | str, list[MediaBlock]]
"""Yields the name of a file, is sent what it holds, or in words why that is not to be had; returns the blocks."""

MEDIA_TYPES: Mapping[str, Mapping[str, str]] = {
    "image": {
        "png": "image/png",
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "gif": "image/gif",
        "webp": "image/webp",
    },
    "audio": {"mp3": "audio/mpeg", "wav": "audio/wav"},
    "video": {"mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm"},
}
"""Modality to its formats, which are also how its files end, each with its media type."""
_SYNONYMS: Mapping[str, str] = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
}
"""Other names of media types, which some data URIs have."""

_SIGNATURES = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("audio/wav", re.compile(rb"RIFF....WAVE", re.DOTALL)),
    ("audio/mpeg", re.compile(rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa\xfb]")),
    ("video/quicktime", re.compile(rb"....ftypqt", re.DOTALL)),
    ("video/mp4", re.compile(rb"....ftyp", re.DOTALL)),
    ("video/webm", re.compile(rb"\x1a\x45\xdf\xa3")),
)
"""How files of each type begin."""
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[^;,]*)*),", re.IGNORECASE)
_WEB = ("http://", "https://")
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=_-]")
_LOOKED_AT = 200
"""Characters of base64 that are looked at where its format is declared; the whole of it may be megabytes."""
_SHOWN = 60
"""Characters of a value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a column is said to hold."""

    column: str
    modality: str
    """One of `MEDIA_TYPES`."""
    data_type: str | None = None
    """`url` or `base64`; None for whatever its values are."""
    format: str | None = None
    """One of those of its modality; None for what the values begin with."""


def media_type_of(content: bytes) -> str | None:
    """The media type that the first bytes of a file show; None for others than are known here."""
    return next((media_type for media_type, begins in _SIGNATURES if begins.match(content)), None)


def file_block(wanted: Wanted, name: str, content: bytes) -> MediaBlock:
    """The block of a file. Raises MediaError where it is of no type that is wanted."""
    return _recognised_block(wanted, name, content, "a file that")


def _recognised_block(wanted: Wanted, value: object, content: bytes, what: str) -> MediaBlock:
    media_type = _recognised(wanted, content)
    if media_type is None:
        raise _wrong(wanted, value, f"{what} is no {wanted.modality} (it begins with {content[:8]!r})")
    return _of_base64(wanted.modality, media_type, base64.b64encode(content).decode())


def looking(wanted: Wanted, value: object) -> Looking:
    """Turn a cell into blocks, one for each of its values.

    Raises:
        MediaError: it holds what is no medium of this kind; the message says what, and what is allowed.
    """
    blocks = []
    for item in _values(value):
        if isinstance(item, bytes) and item and wanted.data_type != "url":
            blocks.append(_recognised_block(wanted, item, item, "what"))
            continue
        if not isinstance(item, str) or not item.strip():
            raise _wrong(
                wanted,
                item,
                "nothing" if item is None or isinstance(item, str) else f"a value of type {type(item).__name__}",
            )
        text = item.strip()
        if wanted.data_type is None and wanted.modality == "image" and _names_file(wanted, text):
            content = yield text
            if isinstance(content, str):
                raise _wrong(wanted, text, f"the name of a file, but {content}")
            blocks.append(file_block(wanted, text, content))
        else:
            blocks.append(_block(wanted, text))
    return blocks


def _recognised(wanted: Wanted, content: bytes) -> str | None:
    found = media_type_of(content)
    return found if found in MEDIA_TYPES[wanted.modality].values() else None


def _values(value: object) -> list[object]:
    """The media of a cell: it may be one, a list or an array of them, or the JSON text of either."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str) and value.lstrip().startswith(("[", '"')):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    return [*value] if isinstance(value, list | tuple) else [value]


def _names_file(wanted: Wanted, text: str) -> bool:
    return text.lower().endswith(_endings(wanted)) and not text.startswith(_WEB)


def _endings(wanted: Wanted) -> tuple[str, ...]:
    return tuple(f".{ending}" for ending in MEDIA_TYPES[wanted.modality])


def _block(wanted: Wanted, text: str) -> MediaBlock:
    match wanted.data_type:
        case "url":
            return _as_url(wanted, text)
        case "base64":
            return _as_base64(wanted, text)
        case _:
            return _as_it_seems(wanted, text)


def _as_url(wanted: Wanted, text: str) -> MediaBlock:
    if wanted.modality == "image" or text.startswith(_WEB) or text.lower().endswith(_endings(wanted)):
        return _of_url(wanted.modality, text)
    raise _wrong(wanted, text, "no URL")


def _as_it_seems(wanted: Wanted, text: str) -> MediaBlock:
    if text.startswith(_WEB):
        if wanted.modality != "image" or any(ending in text.lower() for ending in _endings(wanted)):
            return _of_url(wanted.modality, text)
        raise _wrong(wanted, text, "a URL that names no image (data_type='url' takes any)")
    if wanted.modality != "image" and text.lower().endswith(_endings(wanted)):
        raise _wrong(
            wanted,
            text,
            f"the name of a file (Local {wanted.modality} paths are not supported; data_type='url' passes it on to the "
            "endpoint)",
        )
    return _as_base64(wanted, text)


def _as_base64(wanted: Wanted, text: str) -> MediaBlock:
    if text[:5].lower() == "data:":
        return _as_data_uri(wanted, text)
    data = "".join(text.splitlines())  # Some tools break it into lines.
    if _NO_BASE64.search(data[:_LOOKED_AT]):
        raise _wrong(wanted, text, "no base64")
    if wanted.format is not None:
        return _of_base64(wanted.modality, MEDIA_TYPES[wanted.modality][wanted.format], data)
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(wanted, text, "no base64") from None
    media_type = _recognised(wanted, content)
    if media_type is None:
        what = f"base64 of what is no {wanted.modality} (it begins with {content[:8]!r})"
        raise _wrong(wanted, text, what)
    return _of_base64(wanted.modality, media_type, data)


def _as_data_uri(wanted: Wanted, text: str) -> MediaBlock:
    found = _DATA_URI.match(text)
    if found is None or "base64" not in found[2].lower().split(";"):
        raise _wrong(wanted, text, "a data URI that is not in base64")
    given = found[1].lower()
    known = MEDIA_TYPES[wanted.modality]
    media_type = _SYNONYMS.get(given, given)
    if media_type not in known.values():
        raise _wrong(wanted, text, f"a data URI of {given}")
    if wanted.format is not None and known[wanted.format] != media_type:
        raise _wrong(wanted, text, f"a data URI of {given}, but the context says {wanted.format}")
    # Endpoints know no image/jpg; a recording keeps the name that it has.
    kept = media_type if wanted.modality == "image" else given
    return _of_base64(wanted.modality, kept, text[found.end() :])


def _of_url(modality: str, url: str) -> MediaBlock:
    return {"type": modality, "source": {"type": "url", "url": url}}


def _of_base64(modality: str, media_type: str, data: str) -> MediaBlock:
    return {"type": modality, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _wrong(wanted: Wanted, value: object, what: str) -> MediaError:
    shown = ascii(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}... ({len(shown)} characters)"
    return MediaError(f"column '{wanted.column}' holds {what}: {shown}; allowed {_allowed(wanted)}")


def _allowed(wanted: Wanted) -> str:
    formats = wanted.format or ", ".join(MEDIA_TYPES[wanted.modality])
    match wanted.data_type, wanted.modality:
        case "url", "image":
            return "are URLs"
        case "url", _:
            return f"are http and https URLs, and paths that end in {formats}"
        case "base64", _:
            return f"are base64 and data URIs of {formats}"
        case _, "image":
            return f"are files below the dataset's or the seed's folder, URLs, base64 and data URIs ({formats})"
        case _:
            return f"are http and https URLs, base64 and data URIs ({formats})"
