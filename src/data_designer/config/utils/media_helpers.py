"""File formats of media that can be shown to a model."""

from enum import StrEnum


class ImageFormat(StrEnum):
    """Formats of images that can be shown to a model; `jpg` and `jpeg` are the same."""

    PNG = "png"
    JPG = "jpg"
    JPEG = "jpeg"
    GIF = "gif"
    WEBP = "webp"


class AudioFormat(StrEnum):
    """Formats of recordings that can be shown to a model."""

    MP3 = "mp3"
    WAV = "wav"


class VideoFormat(StrEnum):
    """Formats of films that can be shown to a model."""

    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"
