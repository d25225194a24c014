"""Media in columns that a model is shown beside the prompt."""

import os
from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator

from data_designer.config.media_blocks import Looking, MediaBlock, Wanted, looking
from data_designer.config.utils.media_helpers import AudioFormat, ImageFormat, VideoFormat


class Modality(StrEnum):
    """Kinds of media."""

    IMAGE = "image"
    """A picture."""
    AUDIO = "audio"
    """A recording."""
    VIDEO = "video"
    """A film."""


class ModalityDataType(StrEnum):
    """How a column holds its media."""

    URL = "url"
    """An address, passed on to the endpoint as it is."""
    BASE64 = "base64"
    """The bytes in base64, with or without the prefix of a data URI; the format has to be declared."""


class ModalityContext(BaseModel):
    """Base of media contexts; unlike elsewhere, keys that there are not are ignored.

    A cell may hold one value or a list of them. What is none of what its context takes rejects the record before the
    model is asked, as `MediaError`.
    """

    model_config = ConfigDict(defer_build=True)

    modality: Modality
    """Which kind of media this is; each class has its own. In a file it has to be given, unless it is `image`."""
    column_name: str
    """Name of the column that holds the media."""
    data_type: ModalityDataType | None = None
    """How it holds them; unset, that is seen from each value: a URL, base64, or (images only) the name of a file
    below the dataset's or the seed's folder."""

    @model_validator(mode="after")
    def _format_is_known(self) -> "ModalityContext":
        if self.data_type == ModalityDataType.BASE64 and self._format() is None:
            raise ValueError(f"{self.modality.value}_format is needed when data_type is base64")
        return self

    def get_contexts(
        self, record: Mapping[str, object], *, base_path: str | os.PathLike[str] | None = None
    ) -> list[MediaBlock]:
        """The blocks of a record's media, one for each value of its cell; they are the same for every provider.

        Args:
            record: Column to value.
            base_path: The folder below which files are read that cells of images name; None to read none.

        Raises:
            MediaError: The cell holds something else; it is a ValueError.
            KeyError: The record lacks the column.
            OSError: A file is there and cannot be read.
        """
        from data_designer.media_files import content_below
        from data_designer.object_storage import location

        folders = [] if base_path is None else [location(base_path)]
        look = self.looking(record)
        try:
            name = next(look)
            while True:
                name = look.send(content_below(folders, name))
        except StopIteration as stop:
            blocks: list[MediaBlock] = stop.value
            return blocks

    def looking(self, record: Mapping[str, object]) -> Looking:
        """The same for whoever reads the files: yields the name of each, and returns the blocks."""
        found = self._format()
        data_type = None if self.data_type is None else self.data_type.value
        wanted = Wanted(self.column_name, self.modality.value, data_type, None if found is None else found.value)
        return looking(wanted, record[self.column_name])

    def _format(self) -> ImageFormat | AudioFormat | VideoFormat | None:
        return None


class ImageContext(ModalityContext):
    """Shows a model the images of a column. PNG, JPEG, GIF and WebP are known by their first bytes."""

    modality: Literal[Modality.IMAGE] = Modality.IMAGE
    image_format: ImageFormat | None = None
    """Their format; needed where `data_type` is `base64`."""

    def _format(self) -> ImageFormat | None:
        return self.image_format


class AudioContext(ModalityContext):
    """Lets a model hear the recordings of a column. Refused for providers of type `anthropic`."""

    modality: Literal[Modality.AUDIO] = Modality.AUDIO
    audio_format: AudioFormat | None = None
    """Their format; needed where `data_type` is `base64`."""

    def _format(self) -> AudioFormat | None:
        return self.audio_format


class VideoContext(ModalityContext):
    """Shows a model the films of a column. Refused for providers of type `anthropic`."""

    modality: Literal[Modality.VIDEO] = Modality.VIDEO
    video_format: VideoFormat | None = None
    """Their format; needed where `data_type` is `base64`."""

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
