"""Images of replies are files before their slot is free; a replay finds them, as far as they are whole."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.layout import journal_folder
from data_designer.engine.dataset.lock import lock_name
from data_designer.engine.execution.recording import Dataset, Recording
from data_designer.engine.execution.replica import rough_bytes
from data_designer.engine.protocol.parcels import MEDIA
from data_designer.plan.model import Geometry
from data_designer.values import Block, ImageRequest, ImageResponse, MediaFile, Usage

Result = TypeVar("Result")
GEOMETRY = Geometry(8, 4)
KEY, ASKED = ("f", 5, 0), ImageRequest("draw")
IMAGE = b"an image" * 100


def replied(*images: bytes) -> ImageResponse:
    """A reply that holds images."""
    return ImageResponse(
        tuple(base64.b64encode(image).decode() for image in images), usage=Usage(1, images=len(images))
    )


def with_recording(path: Path | None, act: Callable[[Recording], Awaitable[Result]], *, reached: bool = True) -> Result:
    """What comes of using a replica's recording, of the dataset at a path or of none."""
    dataset = None if path is None else Dataset(LocalFiles(path), 1)
    if dataset is not None and reached:
        dataset.files.write(lock_name(1), b"")

    async def use() -> Result:
        recording = Recording(dataset, GEOMETRY, "r000-001")
        try:
            return await act(recording)
        finally:
            await recording.close()

    return asyncio.run(use())


async def keep(recording: Recording) -> tuple[MediaFile, ...]:
    """Keep a reply with two images."""
    return await recording.keep_images(KEY, ASKED, replied(IMAGE, b"other"))


async def replay(recording: Recording) -> ImageResponse | None:
    """What a later process has of that reply."""
    [known] = await recording.known(((1, 0),), np.array([5]))
    found = known.reply(KEY, ASKED)
    assert isinstance(found, ImageResponse)
    return await recording.with_images(found)


def test_images_are_files_and_the_journal_has_their_names(tmp_path: Path) -> None:
    """In the folder of the record's batch; a replay has the reply as it was."""
    one, two = with_recording(tmp_path, keep)
    assert (one.size, one.sha256, one.content) == (len(IMAGE), hashlib.sha256(IMAGE).hexdigest(), None)
    assert (tmp_path / one.at).read_bytes() == IMAGE
    assert (tmp_path / two.at).parent == tmp_path / journal_folder(1)
    [segment] = tmp_path.rglob("*.log")
    assert segment.stat().st_size < 500
    again = with_recording(tmp_path, replay)
    assert again == ImageResponse(replied(IMAGE, b"other").images, files=(one, two), usage=Usage(1, images=2))


@pytest.mark.parametrize("content", [None, b"", IMAGE[::-1]])
def test_a_reply_whose_image_is_not_whole_is_none(tmp_path: Path, content: bytes | None) -> None:
    """A machine that ended may have lost any part of it: it is asked for again."""
    one, _ = with_recording(tmp_path, keep)
    (tmp_path / one.at).unlink()
    if content is not None:
        (tmp_path / one.at).write_bytes(content)
    assert with_recording(tmp_path, replay) is None


@pytest.mark.parametrize("has_dataset", [False, True])
def test_without_a_dataset_within_reach_images_stay_in_memory(tmp_path: Path, has_dataset: bool) -> None:
    """In previews, and on a machine that has another folder of that name: they travel with the row, and count."""
    files = with_recording(tmp_path if has_dataset else None, keep, reached=False)
    assert [(file.at, file.content) for file in files] == [("", IMAGE), ("", b"other")]
    columns = {"photo": [["images/photo/5-0.png"]], MEDIA: [files]}
    assert rough_bytes(Block(np.array([5]), columns)) > len(IMAGE)
    assert not [*tmp_path.rglob("*.media")]


def test_what_is_no_base64_is_kept_as_it_came(tmp_path: Path) -> None:
    """So that a replay asks again what was asked again."""

    async def keep_it(recording: Recording) -> tuple[MediaFile, ...]:
        return await recording.keep_images(KEY, ASKED, ImageResponse(("no!",)))

    assert with_recording(tmp_path, keep_it) == ()
    assert with_recording(tmp_path, replay) == ImageResponse(("no!",))


def test_images_are_read_once_the_disk_allows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that does not answer for a moment rejects no row and has nothing asked again."""
    with_recording(tmp_path, keep)
    refusals = iter([OSError(5, "Input/output error")] * 2)
    read = LocalFiles.read

    def refuse(files: LocalFiles, name: str) -> bytes:
        if name.endswith(".media") and (error := next(refusals, None)) is not None:
            raise error
        return read(files, name)

    monkeypatch.setattr("data_designer.engine.execution.recording._PAUSE", 0.0)
    monkeypatch.setattr(LocalFiles, "read", refuse)
    assert with_recording(tmp_path, replay) is not None
    assert next(refusals, None) is None


def test_images_wait_for_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slot of their request is not free meanwhile."""
    refusals = iter([OSError(28, "No space left on device")] * 2)
    write = LocalFiles.write

    def refuse(files: LocalFiles, name: str, content: bytes) -> None:
        if name.endswith(".media") and (error := next(refusals, None)) is not None:
            raise error
        write(files, name, content)

    monkeypatch.setattr("data_designer.engine.execution.recording._PAUSE", 0.0)
    monkeypatch.setattr(LocalFiles, "write", refuse)
    one, _ = with_recording(tmp_path, keep)
    assert (tmp_path / one.at).read_bytes() == IMAGE
    assert next(refusals, None) is None
