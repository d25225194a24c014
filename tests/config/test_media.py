"""Media in cells: which values are blocks for a model, which are refused with a reason, and which files are read."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import data_designer.config as dd
from data_designer.errors import MediaError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
JPEG = b"\xff\xd8\xff\xe0" + bytes(8)
GIF = b"GIF89a" + bytes(8)
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
WAV = b"RIFF\x10\0\0\0WAVEfmt "
MP3 = b"ID3\x04" + bytes(8)
MP4 = b"\0\0\0\x18ftypisom" + bytes(8)
MOV = b"\0\0\0\x14ftypqt  " + bytes(8)
WEBM = b"\x1a\x45\xdf\xa3" + bytes(8)

IMAGE, AUDIO, VIDEO = dd.ImageContext, dd.AudioContext, dd.VideoContext


def in_base64(content: bytes) -> str:
    """The text of it."""
    return base64.b64encode(content).decode()


def sources(context: dd.ModalityContext, value: object, base_path: Path | None = None) -> list[Any]:
    """What the blocks of a cell hold; each is of the context's modality."""
    blocks: list[Any] = context.get_contexts({"c": value}, base_path=base_path)
    assert {block["type"] for block in blocks} <= {context.modality}
    return [block["source"] for block in blocks]


def url(address: str) -> dict[str, str]:
    """A source that is fetched by whoever is asked."""
    return {"type": "url", "url": address}


def held(media_type: str, content: bytes) -> dict[str, str]:
    """A source that is there."""
    return {"type": "base64", "media_type": media_type, "data": in_base64(content)}


def refusal(context: dd.ModalityContext, value: object, base_path: Path | None = None) -> str:
    """Why a cell is refused."""
    with pytest.raises(ValueError, match="^column 'c' holds ") as raised:
        context.get_contexts({"c": value}, base_path=base_path)
    assert isinstance(raised.value, MediaError)
    return str(raised.value)


@pytest.mark.parametrize(
    ("context", "content", "media_type"),
    [
        (IMAGE, PNG, "image/png"),
        (IMAGE, JPEG, "image/jpeg"),
        (IMAGE, GIF, "image/gif"),
        (IMAGE, WEBP, "image/webp"),
        (AUDIO, WAV, "audio/wav"),
        (AUDIO, MP3, "audio/mpeg"),
        (VIDEO, MP4, "video/mp4"),
        (VIDEO, MOV, "video/quicktime"),
        (VIDEO, WEBM, "video/webm"),
    ],
)
def test_bare_base64_is_what_it_begins_with(context: Any, content: bytes, media_type: str) -> None:
    """Nothing but the bytes says what a file is; a JPEG is `image/jpeg`."""
    assert sources(context(column_name="c"), in_base64(content)) == [held(media_type, content)]


@pytest.mark.parametrize(
    ("context", "value", "source"),
    [
        (IMAGE(column_name="c"), "https://x.org/a.PNG?size=1", url("https://x.org/a.PNG?size=1")),
        (IMAGE(column_name="c", data_type="url"), "https://x.org/a", url("https://x.org/a")),
        (AUDIO(column_name="c"), "https://x.org/a", url("https://x.org/a")),
        (AUDIO(column_name="c", data_type="url"), "sounds/a.mp3", url("sounds/a.mp3")),
        (VIDEO(column_name="c", data_type="url"), "http://x.org/a", url("http://x.org/a")),
        (IMAGE(column_name="c"), f"data:image/jpg;base64,{in_base64(JPEG)}", held("image/jpeg", JPEG)),
        (IMAGE(column_name="c"), f"data:image/webp;x=y;base64,{in_base64(PNG)}", held("image/webp", PNG)),
        (AUDIO(column_name="c"), f"data:audio/x-wav;base64,{in_base64(WAV)}", held("audio/x-wav", WAV)),
        (
            IMAGE(column_name="c", data_type="base64", image_format="jpg"),
            f"data:image/jpeg;base64,{in_base64(JPEG)}",
            held("image/jpeg", JPEG),
        ),
        (IMAGE(column_name="c", data_type="base64", image_format="jpg"), in_base64(b"any"), held("image/jpeg", b"any")),
        (AUDIO(column_name="c", data_type="base64", audio_format="mp3"), in_base64(b"any"), held("audio/mpeg", b"any")),
        (VIDEO(column_name="c", video_format="mov"), in_base64(b"any"), held("video/quicktime", b"any")),
    ],
)
def test_what_is_said_of_a_value_counts(context: dd.ModalityContext, value: str, source: dict[str, str]) -> None:
    """URLs are passed on; a data URI says what it is, and a declared format does, of which nothing is checked."""
    assert sources(context, value) == [source]


@pytest.mark.parametrize(
    "value",
    [
        [in_base64(PNG), "http://x.org/a.gif"],
        (in_base64(PNG), "http://x.org/a.gif"),
        np.array([in_base64(PNG), "http://x.org/a.gif"]),
        json.dumps([in_base64(PNG), "http://x.org/a.gif"]),
    ],
)
def test_a_cell_may_hold_several(value: object) -> None:
    """A list, an array, or the JSON text of a list: a block for each, in order."""
    assert sources(IMAGE(column_name="c"), value) == [held("image/png", PNG), url("http://x.org/a.gif")]


def test_a_value_may_be_bytes() -> None:
    """What they are shows in the first of them, whatever the context says."""
    assert sources(IMAGE(column_name="c"), [PNG, JPEG]) == [held("image/png", PNG), held("image/jpeg", JPEG)]
    assert sources(AUDIO(column_name="c"), WAV) == [held("audio/wav", WAV)]
    assert sources(IMAGE(column_name="c", data_type="base64", image_format="png"), PNG) == [held("image/png", PNG)]


def test_the_json_text_of_one_is_one() -> None:
    """As a column holds it that was written as JSON."""
    assert sources(IMAGE(column_name="c"), ' "http://x.org/a.gif"') == [url("http://x.org/a.gif")]


def test_base64_may_come_in_lines() -> None:
    """As some tools write it; it is sent in one."""
    lines = base64.encodebytes(PNG * 9).decode()
    assert lines.count("\n") > 1
    assert sources(IMAGE(column_name="c"), lines) == [held("image/png", PNG * 9)]


def test_an_empty_list_is_nothing_to_show() -> None:
    """It gives no block, and is no error."""
    assert sources(IMAGE(column_name="c"), []) == sources(IMAGE(column_name="c"), "[]") == []


@pytest.mark.parametrize(
    ("context", "value", "said"),
    [
        (IMAGE(column_name="c"), None, "holds nothing"),
        (IMAGE(column_name="c"), " ", "holds nothing"),
        (IMAGE(column_name="c"), 7, "a value of type int: 7"),
        (IMAGE(column_name="c"), b"", "a value of type bytes"),
        (IMAGE(column_name="c"), WAV, "no image (it begins with b'RIFF"),
        (IMAGE(column_name="c", data_type="url"), PNG, "a value of type bytes"),
        (IMAGE(column_name="c"), [in_base64(PNG), {}], "a value of type dict"),
        (IMAGE(column_name="c"), "a cat", "no base64: 'a cat'"),
        (IMAGE(column_name="c"), "abcde", "no base64"),
        (IMAGE(column_name="c"), in_base64(b"hello"), "base64 of what is no image (it begins with b'hello')"),
        (IMAGE(column_name="c"), in_base64(WAV), "base64 of what is no image"),
        (AUDIO(column_name="c"), in_base64(PNG), "base64 of what is no audio"),
        (IMAGE(column_name="c"), "https://x.org/a", "data_type='url' takes any"),
        (IMAGE(column_name="c"), "data:image/bmp;base64,AAAA", "a data URI of image/bmp"),
        (IMAGE(column_name="c"), "data:image/png,AAAA", "a data URI that is not in base64"),
        (IMAGE(column_name="c", data_type="base64", image_format="png"), "data:image/gif;base64,AAAA", "says png"),
        (IMAGE(column_name="c", data_type="base64", image_format="png"), "pictures/a.png", "no base64"),
        (
            AUDIO(column_name="c"),
            "a.mp3",
            "the name of a file (Local audio paths are not supported; data_type='url'",
        ),
        (AUDIO(column_name="c", data_type="url"), "a.ogg", "no URL"),
        (VIDEO(column_name="c"), "data:audio/mpeg;base64,AAAA", "a data URI of audio/mpeg"),
    ],
)
def test_anything_else_is_refused_by_name(context: dd.ModalityContext, value: object, said: str) -> None:
    """The column, what was found in it, and what is allowed."""
    message = refusal(context, value)
    assert said in message
    assert "; allowed are " in message


def test_a_message_does_not_repeat_megabytes() -> None:
    """Of a long value the beginning is shown, and how long it is."""
    message = refusal(IMAGE(column_name="c"), in_base64(bytes(1_000_000)))
    assert "(1333338 characters)" in message
    assert len(message) < 500


# --- files -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image in it, and another beside it that is nobody's business."""
    (tmp_path / "mine" / "images").mkdir(parents=True)
    (tmp_path / "mine" / "images" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return tmp_path / "mine"


def test_an_image_may_be_a_file_below_the_folder(folder: Path) -> None:
    """By a name relative to it, or one that begins with it; its bytes count, not its ending."""
    (folder / "b.PNG").write_bytes(JPEG)
    (folder / "link.png").symlink_to(folder / "images" / "a.jpg")
    for name in ("images/a.jpg", str(folder / "images" / "a.jpg"), "b.PNG", "link.png"):
        assert sources(IMAGE(column_name="c"), name, folder) == [held("image/jpeg", JPEG)]


def test_no_file_is_read_without_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by its absolute path nor from the working directory."""
    monkeypatch.chdir(folder)
    for name in ("images/a.jpg", str(folder / "images" / "a.jpg")):
        assert "there is no folder that may hold it" in refusal(IMAGE(column_name="c"), name)


def test_nothing_leads_out_of_the_folder(folder: Path) -> None:
    """`..`, absolute paths, links to files and to folders, though what they name is an image."""
    (folder / "out.png").symlink_to(folder.parent / "secret.png")
    (folder / "up").symlink_to(folder.parent)
    (folder / "circle.png").symlink_to(folder / "circle.png")
    outside = str(folder.parent / "secret.png")
    for name in ("../secret.png", "images/../../secret.png", "up/../secret.png"):
        assert "it leads out" in refusal(IMAGE(column_name="c"), name, folder)
    for name in (outside, "out.png", "up/secret.png", "circle.png", "~/a.png", f"{'x' * 300}.png", "\u0000.png"):
        assert refusal(IMAGE(column_name="c"), name, folder)


def test_only_a_file_is_a_file(folder: Path) -> None:
    """A folder, and a pipe that would be waited for, are none."""
    (folder / "d.png").mkdir()
    os.mkfifo(folder / "p.png")
    for name in ("d.png", "p.png"):
        assert "there is no such file below" in refusal(IMAGE(column_name="c"), name, folder)


def test_a_file_that_is_no_image_is_not_shown(folder: Path) -> None:
    """Whatever its name says."""
    (folder / "key.png").write_bytes(b"-----BEGIN KEY")
    assert "a file that is no image (it begins with b'-----BEG')" in refusal(IMAGE(column_name="c"), "key.png", folder)


def test_a_file_may_not_be_larger_than_endpoints_take(folder: Path) -> None:
    """Nobody would be sent it."""
    with (folder / "large.png").open("wb") as file:
        file.write(PNG)
        file.truncate(65 * 2**20)
    assert "more than 64 MiB" in refusal(IMAGE(column_name="c"), "large.png", folder)


def test_a_seed_says_where_its_files_are(tmp_path: Path) -> None:
    """Beside the file, or beside all that a pattern names; of a folder, the folder; a DataFrame is nowhere."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "seed.csv").write_text("n\n1\n")
    path = str(tmp_path)
    assert dd.LocalFileSeedSource(path=f"{path}/a/seed.csv").folder == tmp_path / "a"
    assert dd.LocalFileSeedSource(path=f"{path}/a/*.csv").folder == tmp_path / "a"
    assert dd.LocalFileSeedSource(path=f"{path}/*/seed.csv").folder == tmp_path
    assert str(dd.LocalFileSeedSource(path="s3://bucket/a/*.csv").folder) == "s3://bucket/a"
    assert dd.DirectorySeedSource(path=path).folder == tmp_path
    assert dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1]})).folder is None
