"""File formats of media that can be shown to a model."""

from enum import StrEnum


class ImageFormat(StrEnum):
    """Image formats."""

    PNG = "png"
    JPG = "jpg"
    JPEG = "jpeg"
    GIF = "gif"
    WEBP = "webp"


class AudioFormat(StrEnum):
    """Audio formats."""

    MP3 = "mp3"
    WAV = "wav"


class VideoFormat(StrEnum):
    """Video formats."""

    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"
