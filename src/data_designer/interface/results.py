"""What `create` and `preview` give back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from data_designer.columns.registry import KINDS
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.failures import failures_table
from data_designer.engine.dataset.layout import DROPPED, NULLED, PARQUET, PROCESSED, REJECTS
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import total
from data_designer.errors import ArtifactStorageError
from data_designer.interface.display import Layout, SampleDisplay
from data_designer.interface.loading import export, load, to_frame
from data_designer.interface.outcomes import RunOutcomes
from data_designer.object_storage import Location
from data_designer.plan.kinds import seed_columns
from data_designer.plan.model import Plan

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class DatasetMetadata:
    """What is known of a dataset's columns."""

    seed_column_names: list[str]


@dataclass(frozen=True, slots=True)
class ArtifactStorage:
    """Where a dataset's files are."""

    store: Store
    requested_name: str

    @property
    def artifact_path(self) -> Location:
        """The folder of all datasets."""
        return self.store.path.parent

    @property
    def dataset_name(self) -> str:
        """The name that was asked for."""
        return self.requested_name

    @property
    def resolved_dataset_name(self) -> str:
        """The name that was free."""
        return self.store.path.name

    @property
    def base_dataset_path(self) -> Location:
        """The dataset's folder."""
        return self.store.path

    @property
    def final_dataset_path(self) -> Location:
        """The folder of its Parquet files."""
        return self.store.path / PARQUET

    @property
    def dropped_columns_dataset_path(self) -> Location:
        """The folder of its dropped columns."""
        return self.store.path / DROPPED

    @property
    def processors_outputs_path(self) -> Location:
        """The folder of what processors made."""
        return self.store.path / PROCESSED

    @property
    def metadata_file_path(self) -> Location:
        """Its metadata."""
        return self.store.path / "metadata.json"

    def load_dataset(self) -> "pd.DataFrame":
        """All rows."""
        return load(self.store.contents())

    def load_dataset_with_dropped_columns(self) -> "pd.DataFrame":
        """All rows, dropped columns beside the others."""
        import pandas as pd

        return pd.concat([load(self.store.contents()), load(self.store.contents(DROPPED))], axis=1)

    def read_metadata(self) -> dict[str, Any]:
        """Its metadata."""
        return self.store.read_metadata().to_dict()


@dataclass(slots=True)
class DatasetCreationResults:
    """A dataset on disk."""

    plan: Plan = field(repr=False)
    artifact_storage: ArtifactStorage
    config_builder: DataDesignerConfigBuilder = field(repr=False)
    outcomes: RunOutcomes
    early_shutdown: str | None = None
    """Why the run ended before its last batch, if it did."""
    task_traces: list[object] = field(default_factory=list, repr=False)
    _display: SampleDisplay | None = field(default=None, repr=False)

    @property
    def dataset_metadata(self) -> DatasetMetadata:
        """What is known of its columns."""
        return DatasetMetadata(seed_columns(self.plan.config.columns, KINDS))

    def load_dataset(self) -> "pd.DataFrame":
        """All rows, in order of record index."""
        return self.artifact_storage.load_dataset()

    def load_rejected(self) -> "pd.DataFrame":
        """Every rejected record, and why.

        Columns: record_index, column, kind, message, last_reply, attempts (requests sent for the record), usd (what
        these cost; null without prices), seed (the record's row of the seed dataset, as JSON).
        """
        return self._failures(REJECTS)

    def load_null_filled(self) -> "pd.DataFrame":
        """Every cell that failed and is null instead, in the same form."""
        return self._failures(NULLED)

    def _failures(self, folder: str) -> "pd.DataFrame":
        contents = list(self.artifact_storage.store.contents(folder))
        return load(contents) if contents else to_frame(failures_table([]))

    def load_analysis(self) -> DatasetProfilerResults:
        """Statistics of its columns, and what profilers found."""
        store = self.artifact_storage.store
        found = analyse(self.plan, total(store.receipts()))
        if self.plan.config.profilers:
            from data_designer.interface import judge_profiles as judged

            found.column_profiles = [*judged.stored_profiles(self.plan, store)] or None
        return found

    def count_records(self) -> int:
        """How many rows there are."""
        return sum(file.rows for file in self.artifact_storage.store.batch_files())

    def load_processor_dataset(self, processor_name: str) -> "pd.DataFrame":
        """What a processor made. Raises ArtifactStorageError where it made nothing."""
        folder = f"{PROCESSED}/{processor_name}"
        if not self.artifact_storage.store.batch_files(folder):
            raise ArtifactStorageError(f"no processor '{processor_name}' wrote anything into this dataset")
        return load(self.artifact_storage.store.contents(folder))

    def get_path_to_processor_artifacts(self, processor_name: str) -> Location:
        """The folder of what a processor made. Raises ArtifactStorageError where no processor wrote anything."""
        if not self.artifact_storage.store.files.list(PROCESSED):
            raise ArtifactStorageError("no processor wrote anything into this dataset")
        return self.artifact_storage.processors_outputs_path / processor_name

    def export(self, path: "str | Location", *, format: str | None = None) -> Location:  # noqa: A002 - the public name
        """Write all rows into one jsonl, csv or parquet file, or object."""
        return export(self.artifact_storage.store, path, format)

    def to_config_builder(self, columns: Sequence[str] | None = None) -> DataDesignerConfigBuilder:
        """A new builder with the same models, seeded from this dataset."""
        return _seeded(self.config_builder, self.load_dataset(), columns)

    def display_sample_record(self, index: int | None = None, **options: Any) -> None:
        """Show a record; without an index, the next one. See `interface.display.Look` for the options."""
        if self._display is None:
            first = islice(self.artifact_storage.store.contents(), 1)
            self._display = SampleDisplay(load(first), _layout(self.plan))
        self._display.show(index, **options)


@dataclass(slots=True)
class PreviewResults:
    """A few records in memory."""

    config_builder: DataDesignerConfigBuilder = field(repr=False)
    dataset_metadata: DatasetMetadata | None = None
    analysis: DatasetProfilerResults | None = None
    dataset: "pd.DataFrame | None" = None
    processor_artifacts: dict[str, list[dict[str, object]]] | None = None
    task_traces: list[object] | None = None
    plan: Plan | None = field(default=None, repr=False)
    outcomes: RunOutcomes | None = None
    _display: SampleDisplay | None = field(default=None, repr=False)

    def to_config_builder(self, columns: Sequence[str] | None = None) -> DataDesignerConfigBuilder:
        """A new builder with the same models, seeded from these records. Raises ValueError where there are none."""
        if self.dataset is None:
            raise ValueError("there is no dataset to seed from")
        return _seeded(self.config_builder, self.dataset, columns)

    def display_sample_record(self, index: int | None = None, **options: Any) -> None:
        """Show a record; without an index, the next one. See `interface.display.Look` for the options."""
        if self._display is None:
            import pandas as pd

            frame = pd.DataFrame() if self.dataset is None else self.dataset
            layout = Layout() if self.plan is None else _layout(self.plan)
            self._display = SampleDisplay(frame, layout, self.processor_artifacts or {})
        self._display.show(index, **options)


def _layout(plan: Plan) -> Layout:
    kinds = [(column, KINDS[column.column_type]) for column in plan.config.columns]
    languages = {column.name: kind.language(column) for column, kind in kinds}
    return Layout(
        {column.name: kind.group for column, kind in kinds}, {name: lang for name, lang in languages.items() if lang}
    )


def _seeded(
    builder: DataDesignerConfigBuilder, frame: "pd.DataFrame", columns: Sequence[str] | None
) -> DataDesignerConfigBuilder:
    chosen = frame if columns is None else frame[list(columns)]
    fresh = DataDesignerConfigBuilder(builder.model_configs, builder.tool_configs)
    return fresh.with_seed_dataset(DataFrameSeedSource(df=chosen))
