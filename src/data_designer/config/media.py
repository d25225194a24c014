"""Media in columns that a model is shown beside the prompt."""

from collections.abc import Hashable
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

from data_designer.config.utils.media_helpers import AudioFormat, ImageFormat, VideoFormat


class Modality(StrEnum):
    """Kinds of media."""

    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


class ModalityDataType(StrEnum):
    """How a column holds its media."""

    URL = "url"
    BASE64 = "base64"


class ModalityContext(BaseModel):
    """Base of media contexts; unknown keys are ignored."""

    model_config = ConfigDict(defer_build=True)

    modality: Modality
    column_name: str
    data_type: ModalityDataType | None = None

    @model_validator(mode="after")
    def _format_is_known(self) -> "ModalityContext":
        if self.data_type == ModalityDataType.BASE64 and self._format() is None:
            raise ValueError(f"{self.modality.value}_format is needed when data_type is base64")
        return self

    def _format(self) -> ImageFormat | AudioFormat | VideoFormat | None:
        return None


class ImageContext(ModalityContext):
    """An image."""

    modality: Literal[Modality.IMAGE] = Modality.IMAGE
    image_format: ImageFormat | None = None

    def _format(self) -> ImageFormat | None:
        return self.image_format


class AudioContext(ModalityContext):
    """A recording."""

    modality: Literal[Modality.AUDIO] = Modality.AUDIO
    audio_format: AudioFormat | None = None

    def _format(self) -> AudioFormat | None:
        return self.audio_format


class VideoContext(ModalityContext):
    """A film."""

    modality: Literal[Modality.VIDEO] = Modality.VIDEO
    video_format: VideoFormat | None = None

    def _format(self) -> VideoFormat | None:
        return self.video_format


def _modality_kind(value: object) -> Hashable:
    kind: Hashable = value.get("modality", "image") if isinstance(value, dict) else getattr(value, "modality", None)
    return kind


AnyContext = Annotated[
    Annotated[ImageContext, Tag("image")]
    | Annotated[AudioContext, Tag("audio")]
    | Annotated[VideoContext, Tag("video")],
    Discriminator(_modality_kind),
]
