"""Folders as seeds: which files are rows, and what a row says."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from data_designer.columns.seeds.program import read_seed
from data_designer.config.seed import IndexRange, SeedConfig
from data_designer.config.seed_source import DirectorySeedSource, FileContentsSeedSource, HuggingFaceSeedSource
from data_designer.errors import SeedDatasetError, SeedReaderConfigError, SeedReaderError


def rows_of(source: Any, **selection: Any) -> list[dict[str, Any]]:
    """The rows of a source."""
    found: list[dict[str, Any]] = read_seed(SeedConfig(source=source, **selection)).to_pylist()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files, one of them deeper."""
    for name in ("b.md", "a.md", "c.MD", "deep/d.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}, ä")
    return tmp_path


def test_a_file_is_a_row(folder: Path) -> None:
    """Sorted by path; capitals of the pattern count, and it is matched with names, not with paths."""
    rows = rows_of(DirectorySeedSource(path=str(folder), file_pattern="*.md"))
    assert [row["relative_path"] for row in rows] == ["a.md", "b.md", "deep/d.md"]
    assert rows[2] == {
        "source_kind": "directory_file",
        "source_path": str(folder / "deep/d.md"),
        "relative_path": "deep/d.md",
        "file_name": "d.md",
    }
    flat = rows_of(DirectorySeedSource(path=str(folder), recursive=False))
    assert [row["file_name"] for row in flat] == ["a.md", "b.md", "c.MD"]


def test_the_contents_of_files_are_read_as_they_are_encoded(folder: Path) -> None:
    """Only those that are selected: another may be of any encoding."""
    (folder / "b.md").write_bytes(b"\xff\xfe")
    source = FileContentsSeedSource(path=str(folder), file_pattern="*.md")
    [row] = rows_of(source, selection_strategy=IndexRange(start=0, end=0))
    assert (row["source_kind"], row["content"]) == ("file_contents", "text of a.md, ä")
    with pytest.raises(SeedReaderError, match="b.md is not in the encoding utf-8"):
        rows_of(source)
    [utf16] = rows_of(FileContentsSeedSource(path=str(folder), file_pattern="b.*", encoding="utf-16"))
    assert utf16["content"] == ""


def test_what_is_not_there_is_named(folder: Path) -> None:
    """A folder, a file of that pattern, a row that is selected."""
    with pytest.raises(SeedReaderConfigError, match="nowhere does not exist"):
        rows_of(DirectorySeedSource(path=str(folder / "nowhere")))
    with pytest.raises(SeedReaderConfigError, match="a.md is a file; name its folder"):
        rows_of(DirectorySeedSource(path=str(folder / "a.md")))
    with pytest.raises(SeedReaderError, match=r"matches '\*\.txt'"):
        rows_of(DirectorySeedSource(path=str(folder), file_pattern="*.txt"))
    with pytest.raises(SeedDatasetError, match="the last seed row is 3"):
        rows_of(DirectorySeedSource(path=str(folder)), selection_strategy=IndexRange(start=0, end=4))


def test_the_hub_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is said, with what else there is to do."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SeedReaderConfigError, match="pip install huggingface_hub"):
        rows_of(HuggingFaceSeedSource(path="datasets/someone/something/rows.parquet"))


class Hub:
    """Stands for the file system of the hub's package."""

    asked: ClassVar[list[tuple[str | None, str | None]]] = []

    def __init__(self, endpoint: str, token: str | None, **_: Any) -> None:
        """Note who asks."""
        self.asked.append((endpoint, token))

    def glob(self, path: str) -> list[str]:
        """Two files, in no order."""
        return [] if "nothing" in path else ["datasets/a/b/two.csv", "datasets/a/b/one.csv"]

    def get_file(self, name: str, copy: str) -> None:
        """A file of one row."""
        if "gone" in name:
            raise FileNotFoundError(name)
        Path(copy).write_text(f"name\n{Path(name).stem}\n")


def test_files_of_the_hub_are_read_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token that the name stands for; what is not there is said with where it was looked for."""
    module = ModuleType("huggingface_hub")
    module.HfFileSystem = Hub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    source = HuggingFaceSeedSource(path="datasets/a/b/*.csv", token="MY_TOKEN", endpoint="http://hub")  # noqa: S106
    table = read_seed(SeedConfig(source=source), {"MY_TOKEN": "hf_x"}.get)
    assert table.to_pydict() == {"name": ["one", "two"]}
    assert Hub.asked == [("http://hub", "hf_x")]
    with pytest.raises(SeedReaderError, match="no file of https://huggingface.co matches datasets/nothing"):
        rows_of(HuggingFaceSeedSource(path="datasets/nothing/*.csv"))
    with pytest.raises(SeedReaderError, match="datasets/a/b/gone.csv cannot be fetched"):
        rows_of(HuggingFaceSeedSource(path="datasets/a/b/gone.csv"))


def test_a_token_of_the_hub_is_written_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token itself is in no file."""
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    for token, written in (("MY_TOKEN", "MY_TOKEN"), ("hf_secret", None)):
        source = HuggingFaceSeedSource(path="datasets/a/b/c.csv", token=token)
        assert source.token == token
        assert source.model_dump()["token"] == written
