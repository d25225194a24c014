"""What `create` and `preview` give back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_designer.columns.registry import KINDS
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.dataset_metadata import DatasetMetadata
from data_designer.config.resume_mode import ResumeMode
from data_designer.config.seed_source_dataframe import DataFrameSeedSource
from data_designer.engine.dataset.analysis import analyse
from data_designer.engine.dataset.conversations import no_conversations
from data_designer.engine.dataset.failures import failures_table
from data_designer.engine.dataset.layout import CONVERSATIONS, DROPPED, NULLED, PARQUET, PROCESSED, REJECTS
from data_designer.engine.dataset.run_accounts import read_accounts
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import total
from data_designer.engine.protocol.conversation import Conversation
from data_designer.engine.protocol.slot_time import RunAccounts
from data_designer.engine.protocol.task_trace import TaskTrace
from data_designer.errors import ArtifactStorageError
from data_designer.interface.conversation_view import view
from data_designer.interface.conversations import kept_conversations, the_one_of
from data_designer.interface.display import WIDTH, Layout, SampleDisplay
from data_designer.interface.ending import Ending, named
from data_designer.interface.loading import export, load, to_frame
from data_designer.interface.outcomes import RunOutcomes
from data_designer.object_storage import Location
from data_designer.plan.kinds import seed_columns
from data_designer.plan.model import Plan
from data_designer.terminal import console, terminal_width

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ArtifactStorage:
    """Where a dataset's files are."""

    store: Store
    """The dataset's folder, as the engine sees it."""
    requested_name: str
    """The name that was asked for."""

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
        """All rows, in order of record index, with Arrow types; JSON columns are dicts and lists."""
        return load(self.store.contents())

    def load_dataset_with_dropped_columns(self) -> "pd.DataFrame":
        """All rows, dropped columns beside the others."""
        import pandas as pd

        return pd.concat([load(self.store.contents()), load(self.store.contents(DROPPED))], axis=1)

    def read_metadata(self) -> dict[str, Any]:
        """What `metadata.json` holds."""
        return self.store.read_metadata().to_dict()


@dataclass(slots=True, repr=False)
class DatasetCreationResults:
    """A dataset on disk. `print` shows what became of it."""

    plan: Plan = field(repr=False)
    """The plan by which it was made, for the engine."""
    artifact_storage: ArtifactStorage
    """Where its files are."""
    config_builder: DataDesignerConfigBuilder = field(repr=False)
    """The builder that declared it."""
    outcomes: RunOutcomes
    """What became of every record, and what it cost."""
    early_shutdown: str | None = None
    """Why the run ended before its last batch; None where it did not."""
    task_traces: list[TaskTrace] = field(default_factory=list, repr=False)
    """When each task of this run began and ended, with `RunConfig.async_trace`; the latest 100,000 of them."""
    seconds: float | None = None
    """Seconds that the run took; None of a dataset that was opened."""
    advice: Sequence[str] = ()
    """What to change for a faster run, the most effective first."""
    requested_resume_mode: "ResumeMode | str | None" = None
    """As it was asked for; None of a dataset that was opened."""
    effective_resume_mode: ResumeMode | None = None
    """`always` where a dataset that was there was gone on with, else `never`; None of one that was opened."""
    _display: SampleDisplay | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"DatasetCreationResults({str(self.artifact_storage.base_dataset_path)!r}, {self.outcomes!r})"

    def __str__(self) -> str:
        from data_designer.interface.ending_views import as_text

        return as_text(self.ending())

    def _repr_html_(self) -> str:
        from data_designer.interface.ending_views import as_html

        return as_html(self.ending())

    def ending(self, dataset: str | None = None) -> Ending:
        """What there is to say of the dataset and its run.

        Args:
            dataset: what a command calls the dataset; its path when not given.
        """
        dataset = named(self.artifact_storage.base_dataset_path) if dataset is None else dataset
        accounts = self.accounts
        return Ending(
            self.outcomes,
            dataset,
            self.seconds,
            None if accounts is None else accounts.seconds,
            self.early_shutdown,
            self.plan.run.budget,
            self.advice,
        )

    @property
    def dataset_path(self) -> Location:
        """The dataset's folder."""
        return self.artifact_storage.base_dataset_path

    @property
    def requested_num_records(self) -> int:
        """How many records were asked for, in all."""
        return self.outcomes.requested

    @property
    def actual_num_records(self) -> int:
        """How many there are on disk."""
        return self.count_records()

    @property
    def is_partial(self) -> bool:
        """Whether there are fewer than were asked for."""
        return self.actual_num_records < self.requested_num_records

    @property
    def dataset_metadata(self) -> DatasetMetadata:
        """What is known of its columns."""
        return DatasetMetadata(seed_column_names=seed_columns(self.plan.config.columns, KINDS))

    @property
    def accounts(self) -> RunAccounts | None:
        """Where the time of the models' slots went, over all runs; None where no run has written that down."""
        return read_accounts(self.artifact_storage.store.files)

    def load_dataset(self) -> "pd.DataFrame":
        """All rows, in order of record index, with Arrow types; JSON columns are dicts and lists."""
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

    def load_conversations(self) -> "pd.DataFrame":
        """What was said for the cells of which `RunConfig.keep_conversations` keeps it, a row each.

        Columns: record_index, column, fate (ok, failed, or taken: from another dataset), problem, model_alias, model,
        endpoint, those of `Usage` (requests, failed_requests, input_tokens, ...), seconds (latencies of the replies),
        usd (null without prices), params (of every request), turns (a list of dicts, one a request).
        """
        contents = list(self.artifact_storage.store.contents(CONVERSATIONS))
        return load(contents) if contents else to_frame(no_conversations())

    def conversation(self, record: int, column: str) -> Conversation:
        """What was said for a cell, given its record index and column; `print` shows it.

        Raises:
            ArtifactStorageError: there is no such record, or it was not kept.
        """
        found = kept_conversations(self.artifact_storage.store, self.plan.geometry, record)
        return the_one_of(found, record, column, self.plan.run.keep_conversations)

    def load_analysis(self) -> DatasetProfilerResults:
        """Statistics of its columns, and what profilers found."""
        store = self.artifact_storage.store
        found = analyse(self.plan, total(store.receipts()), self.outcomes.requested)
        if self.plan.config.profilers:
            from data_designer.interface import judge_profiles as judged

            found.column_profiles = [*judged.stored_profiles(self.plan, store)] or None
        return found

    def count_records(self) -> int:
        """How many rows there are; no data are read."""
        return sum(file.rows for file in self.artifact_storage.store.batch_files())

    def load_processor_dataset(self, processor_name: str) -> "pd.DataFrame":
        """What a schema transform made, a row a record.

        Args:
            processor_name: name of the processor.

        Raises:
            ArtifactStorageError: it made nothing.
        """
        folder = f"{PROCESSED}/{processor_name}"
        if not self.artifact_storage.store.batch_files(folder):
            raise ArtifactStorageError(f"no processor '{processor_name}' wrote anything into this dataset")
        return load(self.artifact_storage.store.contents(folder))

    def get_path_to_processor_artifacts(self, processor_name: str) -> Location:
        """The folder of what a processor made.

        Args:
            processor_name: name of the processor.

        Raises:
            ArtifactStorageError: no processor wrote anything.
        """
        if not self.artifact_storage.store.files.list(PROCESSED):
            raise ArtifactStorageError("no processor wrote anything into this dataset")
        return self.artifact_storage.processors_outputs_path / processor_name

    def export(self, path: "str | Location", *, format: str | None = None) -> Location:  # noqa: A002 - the public name
        """Write all rows into one file, or object, batch by batch.

        In jsonl and csv JSON columns are what they stand for; lists and dicts in csv are JSON text. A file that is
        there is replaced.

        Args:
            path: of the file, or URL of the object.
            format: `jsonl`, `csv` or `parquet`; when not given, what the path ends in.

        Returns:
            Where it was written.

        Raises:
            InvalidFileFormatError: the format is none of these.
            ArtifactStorageError: there are no rows, or a folder is where the file is to be.
        """
        return export(self.artifact_storage.store, path, format)

    def push_to_hub(
        self,
        repo_id: str,
        description: str,
        *,
        token: str | None = None,
        private: bool = False,
        tags: Sequence[str] | None = None,
    ) -> str:
        """Upload the dataset to the Hugging Face hub, and give its address there. Needs the package huggingface_hub.

        Args:
            repo_id: `user/name`.
            description: what is in it, for its card.
            token: with which it is uploaded; `HF_TOKEN` or the cached login when not given.
            private: whether others may not see it.
            tags: further ones of its card.

        Raises:
            HuggingFaceHubClientUploadError: it cannot be uploaded, or the package is not installed.
        """
        from data_designer.integrations.huggingface.client import HuggingFaceHubClient

        folder = self.artifact_storage.base_dataset_path
        return HuggingFaceHubClient(token).upload_dataset(repo_id, folder, description, private=private, tags=tags)

    def report(self, path: "str | Location | None" = None) -> Location:
        """Write a page about the dataset: one HTML file of at most five megabytes that needs no network.

        Args:
            path: of the file; `report.html` in the dataset's folder, when not given.

        Returns:
            Where it was written.

        Raises:
            ArtifactStorageError: a receipt is damaged, or the file cannot be written.
        """
        from data_designer.interface.report import write_report

        return write_report(self.artifact_storage.store, path)

    def to_config_builder(self, columns: Sequence[str] | None = None) -> DataDesignerConfigBuilder:
        """A new builder with the same models and tools, seeded from this dataset.

        Args:
            columns: which columns the seed has; all, when not given.
        """
        return _seeded(self.config_builder, self.load_dataset(), columns)

    def display_sample_record(  # noqa: PLR0913 - the public API
        self,
        index: int | None = None,
        *,
        syntax_highlighting_theme: str = "dracula",
        background_color: str | None = None,
        processors_to_display: Sequence[str] | None = None,
        hide_seed_columns: bool = False,
        include_traces: bool = True,
        save_path: "str | Path | None" = None,
        theme: str = "dark",
        display_width: int = WIDTH,
        **more: Any,
    ) -> None:
        """Show a record of the first batch.

        Args:
            index: of the row; when not given, the next one, beginning anew after the last.
            syntax_highlighting_theme: of code, as Pygments calls it.
            background_color: behind code; the theme's own when not given.
            processors_to_display: whose outputs are shown; all when not given.
            hide_seed_columns: leave the columns of the seed dataset out.
            include_traces: show conversations that columns keep.
            save_path: write the record there, as `.html` or `.svg`, and print nothing.
            theme: of what is saved, `dark` or `light`.
            display_width: characters of a line; as many as a narrower terminal has, unless told otherwise.
            more: further ways it looks, as `Look` has them.

        Raises:
            DatasetSampleDisplayError: there is no such record.
        """
        look = {
            "syntax_highlighting_theme": syntax_highlighting_theme,
            "background_color": background_color,
            "processors_to_display": processors_to_display,
            "hide_seed_columns": hide_seed_columns,
            "include_traces": include_traces,
            "save_path": save_path,
            "theme": theme,
            "display_width": display_width,
            **more,
        }
        self.display().show(index, **look)

    def display(self) -> SampleDisplay:
        """What shows the records of the first batch."""
        if self._display is None:
            first = islice(self.artifact_storage.store.contents(), 1)
            layout = replace(layout_of(self.plan), read=self.artifact_storage.store.files.read)
            self._display = SampleDisplay(load(first), layout)
        return self._display


@dataclass(slots=True, repr=False)
class PreviewResults:
    """A few records in memory. `print` shows what became of them."""

    config_builder: DataDesignerConfigBuilder = field(repr=False)
    """The builder that declared them."""
    dataset_metadata: DatasetMetadata | None = None
    """What is known of the columns."""
    analysis: DatasetProfilerResults | None = None
    """Statistics of the columns, and what profilers found."""
    dataset: "pd.DataFrame | None" = None
    """The records, as a DataFrame; images are in base64."""
    processor_artifacts: dict[str, list[dict[str, object]]] | None = None
    """Name of a processor to the rows that it made."""
    task_traces: list[TaskTrace] | None = field(default=None, repr=False)
    """When each task began and ended, with `RunConfig.async_trace`."""
    plan: Plan | None = field(default=None, repr=False)
    """The plan by which they were made, for the engine."""
    outcomes: RunOutcomes | None = None
    """What became of every record, and what it cost."""
    seconds: float | None = None
    """Seconds that it took."""
    conversations: list[Conversation] = field(default_factory=list, repr=False)
    """What was said for the cells of which `RunConfig.keep_conversations` keeps it: all, unless that is set."""
    records: Sequence[int] = field(default=(), repr=False)
    """Record index of each row."""
    show_prompts: bool = field(default=False, repr=False)
    """Whether a record is shown with what was said for its cells."""
    _display: SampleDisplay | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"PreviewResults({self.outcomes!r})"

    def __str__(self) -> str:
        from data_designer.interface.ending_views import as_text

        ending = self.ending()
        return repr(self) if ending is None else as_text(ending)

    def _repr_html_(self) -> str | None:
        from data_designer.interface.ending_views import as_html

        ending = self.ending()
        return None if ending is None else as_html(ending)

    def ending(self) -> Ending | None:
        """What there is to say of it; None where nothing was made."""
        return None if self.outcomes is None else Ending(self.outcomes, seconds=self.seconds)

    def to_config_builder(self, columns: Sequence[str] | None = None) -> DataDesignerConfigBuilder:
        """A new builder with the same models and tools, seeded from these records.

        Args:
            columns: which columns the seed has; all, when not given.

        Raises:
            ValueError: there are no records.
        """
        if self.dataset is None:
            raise ValueError("there is no dataset to seed from")
        return _seeded(self.config_builder, self.dataset, columns)

    def conversation(self, record: int, column: str) -> Conversation:
        """What was said for a cell, given its record index and column; `print` shows it.

        Raises:
            ArtifactStorageError: it was not kept.
        """
        keeps = "all" if self.plan is None else self.plan.run.keep_conversations
        return the_one_of(self.conversations_of(record), record, column, keeps)

    def conversations_of(self, record: int) -> list[Conversation]:
        """What was said for a record's cells, as far as it is kept."""
        return [one for one in self.conversations if one.record == record]

    def display_sample_record(  # noqa: PLR0913 - the public API
        self,
        index: int | None = None,
        *,
        syntax_highlighting_theme: str = "dracula",
        background_color: str | None = None,
        processors_to_display: Sequence[str] | None = None,
        hide_seed_columns: bool = False,
        include_traces: bool = True,
        save_path: "str | Path | None" = None,
        theme: str = "dark",
        display_width: int = WIDTH,
        show_prompts: bool | None = None,
        **more: Any,
    ) -> None:
        """Show a record.

        Args:
            index: of the row; when not given, the next one, beginning anew after the last.
            syntax_highlighting_theme: of code, as Pygments calls it.
            background_color: behind code; the theme's own when not given.
            processors_to_display: whose outputs are shown; all when not given.
            hide_seed_columns: leave the columns of the seed dataset out.
            include_traces: show conversations that columns keep.
            save_path: write the record there, as `.html` or `.svg`, and print nothing.
            theme: of what is saved, `dark` or `light`.
            display_width: characters of a line; as many as a narrower terminal has, unless told otherwise.
            show_prompts: whether to show what was said for its cells too; when not given, as `preview` was told.
            more: further ways it looks, as `Look` has them.

        Raises:
            DatasetSampleDisplayError: there is no such record.
        """
        look = {
            "syntax_highlighting_theme": syntax_highlighting_theme,
            "background_color": background_color,
            "processors_to_display": processors_to_display,
            "hide_seed_columns": hide_seed_columns,
            "include_traces": include_traces,
            "save_path": save_path,
            "theme": theme,
            "display_width": display_width,
            **more,
        }
        number = self.display().show(index, **look)
        if self.show_prompts if show_prompts is None else show_prompts:
            to = console(width=terminal_width(WIDTH) if display_width == WIDTH else display_width)
            for said in self.conversations_of(self.records[number]):
                to.print(view(said), end="\n\n")

    def display(self) -> SampleDisplay:
        """What shows the records."""
        if self._display is None:
            import pandas as pd

            frame = pd.DataFrame() if self.dataset is None else self.dataset
            layout = Layout() if self.plan is None else layout_of(self.plan)
            self._display = SampleDisplay(frame, layout, self.processor_artifacts or {})
        return self._display


def layout_of(plan: Plan) -> Layout:
    """Where a record's display has the columns of a plan."""
    kinds = [(column, KINDS[column.column_type]) for column in plan.config.columns]
    languages = {column.name: kind.language(column) for column, kind in kinds}
    return Layout(
        {column.name: kind.group for column, kind in kinds},
        {name: lang for name, lang in languages.items() if lang},
        frozenset(column.name for column, _ in kinds if any(column.get_model_aliases())),
    )


def _seeded(
    builder: DataDesignerConfigBuilder, frame: "pd.DataFrame", columns: Sequence[str] | None
) -> DataDesignerConfigBuilder:
    chosen = frame if columns is None else frame[list(columns)]
    fresh = DataDesignerConfigBuilder(builder.model_configs, builder.tool_configs)
    return fresh.with_seed_dataset(DataFrameSeedSource(df=chosen))
