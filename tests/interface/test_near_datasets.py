"""A dataset that is not there: the one that was meant is named."""

import re
from pathlib import Path

import pytest

from data_designer.errors import ArtifactStorageError
from data_designer.interface.stored import StoredDataset


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("reviews", "artifacts/reviews"),
        ("artifacts/revews", "artifacts/reviews"),
        ("other/Topics", "other/topics"),
        ("revews", "artifacts/reviews"),
        ("zzz", None),
        ("gone/zzz", None),
    ],
)
def test_the_dataset_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, meant: str | None
) -> None:
    """It has the name in the usual folder, or a name like it there or where it was looked for."""
    monkeypatch.chdir(tmp_path)
    for name in ("artifacts/reviews", "other/topics"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "metadata.json").write_text("{}")
    with pytest.raises(ArtifactStorageError, match="there is no dataset at") as caught:
        StoredDataset.at(given)
    said = str(caught.value)
    assert re.search(f"; did you mean '[^']*{meant}'[?]$", said) if meant else "did you mean" not in said


def test_a_folder_that_is_no_dataset_is_said_to_be_none(tmp_path: Path) -> None:
    """What it lacks is named."""
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ArtifactStorageError, match=r"there is no dataset at .*: metadata.json is missing"):
        StoredDataset.at(tmp_path)


def test_a_folder_of_datasets_is_told_from_one(tmp_path: Path) -> None:
    """With their names."""
    for name in ("reviews", "topics"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metadata.json").write_text("{}")
    with pytest.raises(ArtifactStorageError, match="is a folder of datasets; name one of them: reviews, topics"):
        StoredDataset.at(tmp_path)
