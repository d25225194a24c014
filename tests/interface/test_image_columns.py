"""Columns of images end to end: files that belong to their rows, whatever stops, kills or changes a run."""

import base64
import hashlib
import io
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from tests.counting import Endpoint, Reply
from tests.fakes import designer, numbered
from tests.interface.resuming import ALWAYS
from tests.object_server import Bucket
from tests.replies import LIMIT, row_of

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults
from data_designer.interface.stored import StoredDataset
from data_designer.object_storage import Location, ObjectPath

RECORDS, SLOTS = 12, 4
IDEAL = 3 * RECORDS
"""Requests of an undisturbed run: two images and a text a record."""


def drawing(prompt: str) -> str:
    """An image in base64, another for every prompt."""
    colour = hashlib.sha256(prompt.encode()).digest()[:3]
    out = io.BytesIO()
    Image.new("RGB", (8, 8), tuple(colour)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def answered(prompt: object) -> Reply:
    """An image for whoever asks to draw, else a text that tells what was seen."""
    words = prompt if isinstance(prompt, str) else "".join(part.get("text", "") for part in prompt)  # type: ignore[attr-defined]
    if words.startswith("draw"):
        return Reply(f"data:image/png;base64,{drawing(words + seen(prompt))}")
    return Reply(f"{words} saw {seen(prompt)}")


def seen(prompt: object) -> str:
    """A digest of the images beside a prompt."""
    images = [part["image_url"]["url"] for part in prompt if "image_url" in part] if isinstance(prompt, list) else []
    return ",".join(hashlib.sha256(image.encode()).hexdigest()[:8] for image in images)


@dataclass
class Stopping:
    """Answers a number of requests, then keeps the others waiting."""

    answers: int = 1_000_000
    refused: frozenset[int] = frozenset()
    """Seed rows whose first drawing is no image."""
    came: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, prompt: object) -> Reply:
        """Answer, sooner or later."""
        with self.lock:
            self.came += 1
            waits = self.came > self.answers
        if waits:
            self.held.set()
            self.go_on.wait(LIMIT)
        if isinstance(prompt, str) and prompt.startswith("draw row") and row_of(prompt) in self.refused:
            return Reply("I would rather not.")
        return answered(prompt)


def album(price: dd.Price | None = None) -> dd.DataDesignerConfigBuilder:
    """An image, an image of that image, and a text about both."""
    images = dd.ImageInferenceParams(max_parallel_requests=SLOTS)
    chat = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS)
    fixed: Any = {"provider": "p", "skip_health_check": True}
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(alias="painter", model="painter", inference_parameters=images, price=price, **fixed),
            dd.ModelConfig(alias="critic", model="critic", inference_parameters=chat, price=price, **fixed),
        ]
    )
    builder.with_seed_dataset(numbered(40))
    photo, inked = dd.ImageContext(column_name="photo"), dd.ImageContext(column_name="inked")
    builder.add_column(name="photo", column_type="image", model_alias="painter", prompt="draw row {{ n }}")
    builder.add_column(
        name="inked", column_type="image", model_alias="painter", prompt="draw it anew", multi_modal_context=[photo]
    )
    builder.add_column(
        name="said",
        column_type="llm-text",
        model_alias="critic",
        prompt="row {{ n }} of {{ photo[0] }}",
        multi_modal_context=[photo, inked],
    )
    return builder


def make(url: str, path: Location, mode: str = "never", records: int = RECORDS, **run: Any) -> DatasetCreationResults:
    """Make the album, or go on with it, in batches of five."""
    settings: Any = {"buffer_size": 5, "max_conversation_restarts": 1, **run}
    return designer(url, path, **settings).create(album(), num_records=records, dataset_name="d", resume=mode)


def images(results: DatasetCreationResults) -> dict[str, str]:
    """Each file below images/, with a digest of what it holds."""
    files = results.artifact_storage.store.files
    return {name: hashlib.sha256(files.read(name)).hexdigest() for name in files.walk("images")}


def check(results: DatasetCreationResults, rows: int = RECORDS) -> None:
    """Every cell names files that are there and can be read, there are no others, and nothing is left over."""
    frame = results.load_dataset()
    assert len(frame) == rows
    named = [path for name in ("photo", "inked") for cell in frame[name] for path in cell]
    assert sorted(named) == sorted(images(results))
    for path in named:
        with Image.open(io.BytesIO(results.artifact_storage.store.files.read(path))) as image:
            image.verify()
    stored = StoredDataset.at(results.artifact_storage.base_dataset_path)
    verdict = stored.verify()
    assert (verdict.problems, verdict.strays, verdict.leftovers, verdict.journaled) == ([], [], [], 0)
    assert results.artifact_storage.store.files.walk("journal") == []


@pytest.fixture(scope="module")
def whole(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> DatasetCreationResults:
    """The album, made in one go."""
    with endpoint(answered) as counted:
        results = make(counted.url, tmp_path_factory.mktemp("whole"))
        assert len(counted.prompts) == IDEAL
    return results


def same(results: DatasetCreationResults, whole: DatasetCreationResults) -> None:
    """A dataset is the same: rows and every image."""
    pd.testing.assert_frame_equal(results.load_dataset(), whole.load_dataset())
    assert images(results) == images(whole)
    check(results)


def test_cells_name_files_that_are_there(whole: DatasetCreationResults) -> None:
    """By column, record and number; templates and later models saw what is stored."""
    check(whole)
    frame = whole.load_dataset()
    assert frame.photo[3] == ["images/photo/3-0.png"]
    assert (whole.artifact_storage.base_dataset_path / frame.photo[3][0]).is_file()
    shown = [encoded(whole, frame[name][3][0]) for name in ("photo", "inked")]
    assert frame.said[3] == f"row 3 of images/photo/3-0.png saw {','.join(shown)}"
    assert images(whole)["images/inked/3-0.png"] != images(whole)["images/inked/4-0.png"]
    assert whole.outcomes.usage["painter"].images == 2 * RECORDS
    general = {one.column_name: one.column_type for one in whole.load_analysis().column_statistics}
    assert (general["photo"], general["inked"]) == ("general", "general")


def encoded(results: DatasetCreationResults, path: str) -> str:
    """How the endpoint tells of an image that it is shown."""
    content = base64.b64encode(results.artifact_storage.store.files.read(path)).decode()
    return hashlib.sha256(f"data:image/png;base64,{content}".encode()).hexdigest()[:8]


def test_previews_hold_images_themselves(endpoint: Endpoint, tmp_path: Path, whole: DatasetCreationResults) -> None:
    """Lists of base64 without a prefix, nothing on the disk, and later columns as in a dataset."""
    with endpoint(answered) as counted:
        preview = designer(counted.url, tmp_path).preview(album(), num_records=3)
    assert preview.dataset is not None
    frame, files = whole.load_dataset(), whole.artifact_storage.store.files
    for row in range(3):
        [image] = preview.dataset.inked[row]
        assert base64.b64decode(image) == files.read(frame.inked[row][0])
    assert preview.dataset.said.tolist() == frame.said.tolist()[:3]
    assert [*tmp_path.iterdir()] == []


def test_rows_that_are_rejected_leave_no_file(endpoint: Endpoint, tmp_path: Path) -> None:
    """A reply without an image is asked for again, then the row is rejected; a retry makes it, and only that."""
    with endpoint(Stopping(refused=frozenset({2, 7}))) as counted:
        results = make(counted.url, tmp_path)
        assert len(counted.prompts) == IDEAL - 2 * 3 + 2 * 2
    check(results, RECORDS - 2)
    rejected = results.load_rejected()
    assert rejected.kind.tolist() == ["ImageGenerationError"] * 2
    assert rejected.column.tolist() == ["photo"] * 2
    assert "the reply holds no image" in rejected.message[0]
    with endpoint(answered) as counted:
        again = designer(counted.url, tmp_path, buffer_size=5, max_conversation_restarts=1)
        results = again.retry_failed(album(), dataset_name="d")
        assert len(counted.prompts) == 2 * 3
    check(results)


def test_a_budget_stops_and_a_resume_asks_for_nothing_twice(
    endpoint: Endpoint, tmp_path: Path, whole: DatasetCreationResults
) -> None:
    """The rest is made, and all is as if it had been made in one go."""
    with endpoint(answered) as counted:
        stopped = make(counted.url, tmp_path, budget=dd.Budget(requests=30))
        first = len(counted.prompts)
    assert stopped.outcomes.unfinished
    assert first <= 30
    check_partial(stopped)
    with endpoint(answered) as counted:
        results = make(counted.url, tmp_path, ALWAYS)
        assert first + len(counted.prompts) == IDEAL
    same(results, whole)


def check_partial(results: DatasetCreationResults) -> None:
    """Only files of rows that are there are in their places."""
    frame = results.load_dataset()
    named = [path for name in ("photo", "inked") for cell in frame[name] for path in cell]
    assert sorted(named) == sorted(images(results))


def test_records_are_added(endpoint: Endpoint, tmp_path: Path, whole: DatasetCreationResults) -> None:
    """What is there stays as it is, and what comes is as if all had been asked for at once."""
    with endpoint(answered) as counted:
        make(counted.url, tmp_path, records=5)
        results = make(counted.url, tmp_path, ALWAYS)
        assert len(counted.prompts) == IDEAL
    same(results, whole)


def test_images_are_taken_from_another_dataset(
    endpoint: Endpoint, tmp_path: Path, whole: DatasetCreationResults
) -> None:
    """Columns that are the same are copied with their files; only the one that was changed is asked for."""
    changed = album()
    changed.add_column(name="more", column_type="llm-text", model_alias="critic", prompt="also row {{ n }}")
    with endpoint(answered) as counted:
        again = designer(counted.url, tmp_path, buffer_size=7)
        old = str(whole.artifact_storage.base_dataset_path)
        results = again.create(changed, num_records=RECORDS, dataset_name="d", reuse=old)
        assert len(counted.prompts) == RECORDS
    assert images(results) == images(whole)
    check(results)


def test_images_in_object_storage(endpoint: Endpoint, bucket: Bucket, whole: DatasetCreationResults) -> None:
    """As on a disk, stopped and gone on with."""
    root = ObjectPath(f"{bucket.url}/all")
    with endpoint(answered) as counted:
        make(counted.url, root, budget=dd.Budget(requests=30))
        results = make(counted.url, root, ALWAYS)
        assert len(counted.prompts) == IDEAL
    same(results, whole)


def test_images_of_columns_that_are_not_stored_are_not_kept(endpoint: Endpoint, tmp_path: Path) -> None:
    """A dropped column that is not preserved has no files; one that is has."""
    for preserve, names in ((False, {"images/inked"}), (True, {"images/inked", "images/photo"})):
        dropping = album()
        dropping.add_processor(processor_type="drop_columns", name="less", column_names=["photo"])
        with endpoint(answered) as counted:
            maker = designer(counted.url, tmp_path / str(preserve), preserve_dropped_columns=preserve)
            results = maker.create(dropping, num_records=3, dataset_name="d")
        assert {name.rpartition("/")[0] for name in images(results)} == names
        assert len(images(results)) == 3 * len(names)
        stored = StoredDataset.at(results.artifact_storage.base_dataset_path).verify()
        assert (stored.problems, stored.strays, stored.leftovers) == ([], [], [])


def test_images_have_a_price(endpoint: Endpoint, tmp_path: Path) -> None:
    """Each that was made counts."""
    with endpoint(answered) as counted:
        made = designer(counted.url, tmp_path, buffer_size=5)
        results = made.create(album(dd.Price(image=0.04)), num_records=2, dataset_name="d")
    assert results.outcomes.usd == pytest.approx(4 * 0.04)
