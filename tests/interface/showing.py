"""A dataset whose model is shown pictures that lie beside its seed, and what tells whether it has come out right."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd
from tests.counting import Reply
from tests.fakes import designer, model

import data_designer.config as dd
from data_designer.columns.seeds.large_cells import LARGE
from data_designer.interface import DatasetCreationResults

SLOTS = 4
RECORDS = 20
IDEAL = 2 * RECORDS
"""Requests of an undisturbed run: two a record."""


def picture(number: int) -> bytes:
    """A file that begins as a PNG, and is no other's."""
    return b"\x89PNG\r\n\x1a\n" + b"picture %d" % number + bytes(100)


def seed(folder: Path) -> Path:
    """A seed file of `RECORDS` rows, each with the name of a picture beside it."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    names = [f"pictures/{number}.png" for number in range(RECORDS)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(picture(number))
    pd.DataFrame({"n": range(RECORDS), "photo": names}).to_parquet(folder / "seed.parquet")
    return folder / "seed.parquet"


def gallery(path: Path, name: str = "m", **parameters: Any) -> dd.DataDesignerConfigBuilder:
    """Two requests a record: the first shows the picture and says nothing, the second has words too."""
    photo = [dd.ImageContext(column_name="photo")]
    made = dd.DataDesignerConfigBuilder(
        model_configs=[model("m", name, **{"max_parallel_requests": SLOTS, **parameters})]
    )
    made.with_seed_dataset(dd.LocalFileSeedSource(path=str(path)))
    made.add_column(name="seen", column_type="llm-text", model_alias="m", prompt="", multi_modal_context=photo)
    made.add_column(
        name="told", column_type="llm-text", model_alias="m", prompt="{{ n }}: {{ seen }}?", multi_modal_context=photo
    )
    return made


def make(
    url: str, path: Path, seeds: Path, resume: str = "never", name: str = "m", **run: Any
) -> DatasetCreationResults:
    """Make the gallery, or go on with it."""
    made = gallery(seeds, name, max_tokens=200)
    return designer(url, path, **run).create(made, num_records=RECORDS, dataset_name="d", resume=resume)


def begin(url: str, path: Path, seeds: Path) -> None:
    """What a program does that makes the gallery."""
    make(url, path, seeds)


def number_of(content: Any) -> int:
    """The picture that a request shows."""
    [block] = [block for block in content if block["type"] == "image_url"]
    data = base64.b64decode(block["image_url"]["url"].removeprefix("data:image/png;base64,"))
    return int(data.removeprefix(b"\x89PNG\r\n\x1a\npicture ").rstrip(b"\0"))


def seer(content: Any) -> Reply:
    """An answer that says which picture was shown, and what was said of it."""
    return Reply(f"picture {number_of(content)} {content[-1]['text']}".strip())


def seed_of_cells(folder: Path) -> Path:
    """A seed file of `RECORDS` rows whose pictures are large and in their cells, in base64."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = [base64.b64encode(picture(number) + bytes(LARGE)).decode() for number in range(RECORDS)]
    pd.DataFrame({"n": range(RECORDS), "photo": photos}).to_parquet(folder / "seed.parquet")
    return folder / "seed.parquet"
