"""A dataset that tests begin, stop, kill and go on with, and what tells whether it has come out the same."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tests.fakes import designer, model, numbered

import data_designer.config as dd
from data_designer.interface import DataDesignerGenerationError, DatasetCreationResults
from data_designer.object_storage import Location

SLOTS = 4
"""Requests at once, of each of two models."""
SEED_ROWS = 40
RECORDS = 20
IDEAL = 2 * RECORDS
"""Requests of an undisturbed run: two a record."""
ALWAYS, IF_POSSIBLE = dd.ResumeMode.ALWAYS, dd.ResumeMode.IF_POSSIBLE


def tale(
    *,
    prompt: str = "row {{ n }} {{ mood }}",
    moods: tuple[str, ...] = ("calm", "wild"),
    first: int = 0,
    models: tuple[dd.ModelConfig, dd.ModelConfig] | None = None,
) -> dd.DataDesignerConfigBuilder:
    """Two requests a record, to two models, with a sampler, a dropped column and a processor."""
    two = models or (model("a", max_parallel_requests=SLOTS), model("b", max_parallel_requests=SLOTS))
    builder = dd.DataDesignerConfigBuilder(model_configs=list(two))
    builder.with_seed_dataset(numbered(SEED_ROWS, first))
    builder.add_column(name="mood", column_type="sampler", sampler_type="category", params={"values": list(moods)})
    builder.add_column(name="draft", column_type="llm-text", model_alias="a", prompt=prompt, drop=True)
    builder.add_column(name="loud", column_type="expression", expr="{{ draft | upper }}")
    builder.add_column(name="final", column_type="llm-text", model_alias="b", prompt="better {{ loud }}")
    builder.add_processor(processor_type="schema_transform", name="chat", template={"q": "{{ n }}", "a": "{{ final }}"})
    return builder


def make(url: str, path: Location, mode: str = "never", records: int = RECORDS, **run: Any) -> DatasetCreationResults:
    """Make the tale, or go on with it, in batches of eight."""
    return designer(url, path, **run).create(tale(), num_records=records, dataset_name="d", resume=mode)


def begin(url: str, path: Location, run: dict[str, Any]) -> None:
    """What a program does that makes the tale, or goes on with it."""
    make(url, path, IF_POSSIBLE, **run)


def retry(url: str, path: Location, **run: Any) -> DatasetCreationResults:
    """Make what was rejected again."""
    return designer(url, path, **run).retry_failed(tale(), dataset_name="d")


def contents(folder: Path) -> dict[str, str]:
    """Each file of a dataset with a digest of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def data_files(folder: Path) -> dict[str, str]:
    """The same, of its Parquet files only."""
    return {name: digest for name, digest in contents(folder).items() if name.endswith(".parquet")}


def tokens(results: DatasetCreationResults) -> dict[str, tuple[int, int, int]]:
    """What each model's replies came to."""
    usage = results.outcomes.usage
    return {alias: (spent.requests, spent.input_tokens, spent.output_tokens) for alias, spent in usage.items()}


@contextmanager
def none_may_be_complete() -> Iterator[None]:
    """A run that stops before its first record is complete says so by raising."""
    try:
        yield
    except DataDesignerGenerationError as error:
        assert "no record could be made" in str(error)  # noqa: PT017 - some runs raise


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nothing disturbs."""

    folder: Path
    frame: pd.DataFrame
    files: dict[str, str]
    tokens: dict[str, tuple[int, int, int]]

    @classmethod
    def of(cls, results: DatasetCreationResults) -> "Undisturbed":
        """A dataset on a disk."""
        folder = folder_of(results)
        return cls(folder, results.load_dataset(), data_files(folder), tokens(results))

    def check(self, results: DatasetCreationResults) -> None:
        """A dataset is the same: rows, bytes of every Parquet file, and what it cost."""
        pd.testing.assert_frame_equal(results.load_dataset(), self.frame)
        assert data_files(folder_of(results)) == self.files
        assert tokens(results) == self.tokens
        assert (results.outcomes.generated, results.outcomes.unfinished) == (len(self.frame), 0)


def folder_of(results: DatasetCreationResults) -> Path:
    """Where a dataset is on the disk."""
    folder = results.artifact_storage.base_dataset_path
    assert isinstance(folder, Path)
    return folder
