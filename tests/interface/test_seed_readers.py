"""Readers of seeds that a user gives: what they make is what prompts and datasets hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

import data_designer.config as dd
from data_designer.config.seed import IndexRange
from data_designer.engine.resources import seed_reader as readers
from data_designer.errors import DataDesignerGenerationError, InvalidConfigError, SeedReaderError
from data_designer.interface import DataDesigner


class Sections(readers.FileSystemSeedReader[dd.DirectorySeedSource]):
    """Several rows a file: one a section."""

    output_columns: ClassVar[list[str] | None] = ["file", "section", "body"]

    def __init__(self) -> None:
        """Call no other: the base needs nothing of it."""

    def build_manifest(self, *, context: readers.SeedReaderFileSystemContext) -> list[dict[str, Any]]:
        """An entry a file."""
        names = self.get_matching_relative_paths(
            context=context, file_pattern=self.source.file_pattern, recursive=self.source.recursive
        )
        return [{"file": name} for name in names]

    def hydrate_row(
        self, *, manifest_row: dict[str, Any], context: readers.SeedReaderFileSystemContext
    ) -> Iterator[dict[str, Any]]:
        """A row a section."""
        with context.fs.open(manifest_row["file"], "r", encoding="utf-8") as file:
            for number, body in enumerate(file.read().split("#")[1:]):
                yield {**manifest_row, "section": number, "body": body.strip()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of two sections each."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.md").write_text(f"# {name} first\n# {name} second\n")
    (tmp_path / "no.txt").write_text("# not read")
    return tmp_path


def preview(designer: DataDesigner, folder: Path, number: int, **selection: Any) -> pd.DataFrame:
    """Records of a seed, without any model."""
    builder = dd.DataDesignerConfigBuilder()
    builder.with_seed_dataset(dd.DirectorySeedSource(path=str(folder), file_pattern="*.md"), **selection)
    builder.add_column(name="said", column_type="expression", expr="{{ file }}: {{ body }}")
    found = designer.preview(builder, num_records=number).dataset
    assert found is not None
    return found


def designer(*given: Any) -> DataDesigner:
    """A designer with readers."""
    made = DataDesigner(seed_readers=given, auto_configure_logging=False)
    made.set_run_config(dd.RunConfig(otel_metrics_port=None))
    return made


def test_a_file_may_become_several_rows(sockets: None, folder: Path) -> None:
    """All of them, wrapped around; a selection counts files."""
    made = preview(designer(Sections()), folder, 5)
    assert made["said"].tolist()[:2] == ["one.md: one first", "one.md: one second"]
    assert made["body"].tolist() == ["one first", "one second", "two first", "two second", "one first"]
    second = preview(designer(Sections()), folder, 2, selection_strategy=IndexRange(start=1, end=1))
    assert second["body"].tolist() == ["two first", "two second"]


class Doubled(readers.SeedReader[dd.DataFrameSeedSource]):
    """Each row twice."""

    def get_column_names(self) -> list[str]:
        """Those of the DataFrame."""
        return list(self.source.df)

    def get_seed_dataset_size(self) -> int:
        """Two a row."""
        return 2 * len(self.source.df)

    def create_batch_reader(
        self, *, batch_size: int, index_range: IndexRange | None, shuffle: bool
    ) -> readers.SeedReaderBatchReader:
        """All of them."""
        del batch_size, index_range, shuffle
        frames = iter([self.source.df, self.source.df])

        class Reader:
            def read_next_batch(self) -> readers.PandasSeedReaderBatch:
                return readers.PandasSeedReaderBatch(next(frames))

        return Reader()


def test_a_reader_may_say_itself_what_its_rows_are(sockets: None) -> None:
    """Batches of DataFrames until there are no more."""
    builder = dd.DataDesignerConfigBuilder()
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1, 2]})))
    builder.add_column(name="m", column_type="expression", expr="{{ n }}")
    made = designer(Doubled()).preview(builder, num_records=4).dataset
    assert made is not None
    assert made["n"].tolist() == [1, 2, 1, 2]


def test_given_readers_stand_for_the_built_in_ones(sockets: None, folder: Path) -> None:
    """Which may be given beside them; two for one kind of source are refused."""
    builder = dd.DataDesignerConfigBuilder()
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1]})))
    builder.add_column(name="m", column_type="expression", expr="{{ n }}")
    with pytest.raises(SeedReaderError, match="kind 'df'; there are those for directory"):
        designer(Sections()).validate(builder)
    designer(Sections(), readers.DataFrameSeedReader()).validate(builder)
    with pytest.raises(DataDesignerGenerationError, match="two seed readers are for sources of kind 'directory'"):
        preview(designer(Sections(), readers.DirectorySeedReader()), folder, 1)


class Careless(Sections):
    """Makes rows that it did not declare."""

    def hydrate_row(self, **_: Any) -> dict[str, Any]:
        """Another row."""
        return {"file": "x", "other": 1}


class Raising(Sections):
    """Raises."""

    def build_manifest(self, **_: Any) -> list[dict[str, Any]]:
        """Raise."""
        raise KeyError("manifest")


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (Careless(), "missing body, section, undeclared other"),
        (Raising(), "the seed reader Raising failed: KeyError: 'manifest'"),
    ],
)
def test_what_a_reader_does_wrong_is_said(folder: Path, reader: Any, words: str) -> None:
    """Before anything is asked."""
    with pytest.raises(DataDesignerGenerationError, match=words):
        preview(designer(reader), folder, 1)


def test_a_folder_that_is_not_there_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    """Whoever reads it."""
    for given in ((Sections(),), (readers.DirectorySeedReader(),)):
        builder = dd.DataDesignerConfigBuilder()
        builder.with_seed_dataset(dd.DirectorySeedSource(path=str(tmp_path / "no")))
        builder.add_column(name="m", column_type="expression", expr="1")
        with pytest.raises(InvalidConfigError, match="does not exist"):
            designer(*given).validate(builder)


def test_the_built_in_readers_give_what_the_built_in_reading_gives(folder: Path) -> None:
    """So a subclass may go on from what they list and make."""
    source = dd.FileContentsSeedSource(path=str(folder), file_pattern="*.md")
    reader = readers.SeedReaderRegistry([readers.FileContentsSeedReader()]).get_reader(source, NoKeys())
    batch = reader.create_batch_reader(batch_size=1, index_range=None, shuffle=False).read_next_batch().to_pandas()
    assert list(batch) == reader.get_column_names()
    assert batch["content"].tolist() == ["# one first\n# one second\n"]
    assert reader.get_seed_dataset_size() == 2


class NoKeys:
    """Resolves nothing."""

    def resolve(self, secret: str) -> str:
        """The text itself."""
        return secret
