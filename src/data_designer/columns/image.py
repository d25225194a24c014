"""Columns of images that a model makes: each cell is a list of files, by their places below the dataset directory.

A file is named by column, record and number, so that the same seed gives the same data, and templates see what is
stored.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from data_designer.columns.media import contexts_of, media_blocks
from data_designer.columns.prompts import prompt_violations
from data_designer.columns.templating.templates import compile_template
from data_designer.config.column_configs import ImageColumnConfig
from data_designer.config.folder_names import unusable
from data_designer.config.media_blocks import media_type_of
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.errors import ImageGenerationError, MediaError, PromptTemplateRenderError
from data_designer.plan.columns import producers
from data_designer.plan.kinds import ColumnKind
from data_designer.plan.model import Plan, Step
from data_designer.values import Drop, Exchange, ImageRequest, ImageResponse, MediaFile, Ok, Reason, Record

if TYPE_CHECKING:
    from PIL import Image

FOLDER: Final = "images"
"""Where the folders of columns are, below the dataset directory."""
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
"""In Pillow's words. What is of another is no image to us."""
EXTENSIONS: Final[Mapping[str, str]] = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "GIF": "gif", "WEBP": "webp"}
"""How files end; a JPEG that holds several pictures is called MPO."""
_SHOWN: Final = 40
"""Characters of what is no image that a message repeats."""


class ImageProgram:
    """Computes a cell: asks for images until there is one that can be read, as often as conversations start anew."""

    def __init__(
        self,
        config: ImageColumnConfig,
        folder: str,
        restarts: int,
        engine: JinjaRenderingEngine,
        known: Collection[str],
    ) -> None:
        """Prepare everything that is the same for all cells.

        Args:
            config: the column.
            folder: where its files are to be, below the dataset directory.
            restarts: how often it is asked again where no image can be read.
            engine: how templates are rendered.
            known: columns that templates may name.
        """
        import PIL.Image  # noqa: F401 - it takes a while, which no event loop is to wait for

        self._prompt = compile_template(config.prompt, engine, known)
        self._contexts = tuple(config.multi_modal_context or ())
        self._folder = folder
        self._tries = 1 + restarts

    def exchange(self, record: Record, index: int) -> Exchange:
        """Ask for a record's images."""
        try:
            prompt = self._prompt.render(record)
            media = yield from media_blocks(self._contexts, record)
        except (PromptTemplateRenderError, MediaError) as error:
            return Drop(Reason(type(error).__name__, str(error)))
        problem = ""
        for _ in range(self._tries):
            response = yield ImageRequest(prompt, media)
            assert isinstance(response, ImageResponse)
            try:
                files = self._files(response, index)
            except ImageGenerationError as error:
                problem = str(error)
            else:
                return Ok(([file.path for file in files],), files)
        return Drop(
            Reason(ImageGenerationError.__name__, f"no image after {self._tries} requests; the last: {problem}")
        )

    def _files(self, response: ImageResponse, index: int) -> tuple[MediaFile, ...]:
        """The images of a reply that can be read. Raises ImageGenerationError where none can."""
        files: list[MediaFile] = []
        problem = "the reply holds no image"
        for number, image in enumerate(response.images):
            try:
                content = _decoded(image)
                extension = extension_of(content)
            except ImageGenerationError as error:
                problem = str(error)
                continue
            path = f"{self._folder}/{index}-{len(files)}.{extension}"
            kept = response.files[number] if response.files else None
            if kept is not None and kept.at:
                files.append(MediaFile(path, kept.size, kept.sha256, kept.at))
            else:
                files.append(MediaFile(path, len(content), hashlib.sha256(content).hexdigest(), content=content))
        if not files:
            raise ImageGenerationError(problem)
        return tuple(files)


def _decoded(image: str) -> bytes:
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageGenerationError(f"what is to be an image is no base64: {image[:_SHOWN]!a} ({error})") from None


def extension_of(content: bytes) -> str:
    """How files of an image end, which is read as far as it takes to see that it is whole.

    Raises ImageGenerationError where it is no image, or damaged.
    """
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            _check(image)
            return EXTENSIONS[str(image.format)]
    except UnidentifiedImageError:
        if (media_type_of(content) or "").startswith("image/"):
            raise ImageGenerationError("the image is damaged: its header cannot be read") from None
        known = ", ".join(dict.fromkeys(EXTENSIONS.values()))
        raise ImageGenerationError(
            f"what is to be an image begins with {content[:8]!r}: it is none of {known}"
        ) from None
    except Exception as error:  # noqa: BLE001
        # What is in it is the model's, and Pillow raises anything.
        raise ImageGenerationError(f"the image is damaged: {type(error).__name__}: {error}") from None


def _check(image: "Image.Image") -> None:
    """Raise where the image is not whole. A PNG says so by its own checksums, others only where they are decoded."""
    if image.format == "PNG":
        image.verify()
    else:
        image.draft("L", (1, 1))
        image.load()


def folder_of(column: str, columns: Sequence[ImageColumnConfig]) -> str:
    """Where the files of one of some columns of images are: below a folder of its name, as far as that can be one."""
    name = _as_folder(column)
    taken = any(one.name != column and _as_folder(one.name).lower() == name.lower() for one in columns)
    if unusable(name) or name.startswith(".") or taken:
        digest = hashlib.blake2b(column.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        name = f"{''.join(letter if letter.isalnum() else '_' for letter in name)[:_SHOWN]}-{digest}"
    return f"{FOLDER}/{name}"


def _as_folder(column: str) -> str:
    return column.replace("..", "_").replace("/", "_").replace("\\", "_")


def _build(step: Step, plan: Plan, _: "pa.Table | None") -> ImageProgram:
    [column] = step.of(ImageColumnConfig)
    columns = [one for one in plan.config.columns if isinstance(one, ImageColumnConfig)]
    return ImageProgram(
        column,
        folder_of(column.name, columns),
        plan.run.max_conversation_restarts,
        JinjaRenderingEngine(plan.run.jinja_rendering_engine),
        producers(plan.config.columns),
    )


def _paths(_: ImageColumnConfig) -> pa.DataType:
    return pa.list_(pa.string())


IMAGE = ColumnKind(
    config=ImageColumnConfig,
    build=_build,
    generation_type="image",
    media=contexts_of,
    templates=("prompt",),
    lint=prompt_violations,
    has_files=True,
    arrow_type=_paths,
    group="media",
)
