"""The results of a dataset that is there, whoever made it and whether it is finished or not."""

import os
from pathlib import Path

from data_designer.config.near_names import suggestion
from data_designer.engine.dataset.files import files_at
from data_designer.engine.dataset.layout import METADATA
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import total
from data_designer.engine.execution.driver import RunReport
from data_designer.errors import ArtifactStorageError
from data_designer.interface.listing import names_in
from data_designer.interface.outcomes import outcomes_of
from data_designer.interface.results import ArtifactStorage, DatasetCreationResults
from data_designer.interface.stored import StoredDataset
from data_designer.interface.stored_plan import recalled
from data_designer.object_storage import Location, is_url, location


def open_results(folder: Location, name_or_path: "str | Location") -> DatasetCreationResults:
    """The results of a dataset.

    Args:
        folder: that of all datasets.
        name_or_path: the name of a dataset in it, or the path or URL of one anywhere.

    Raises:
        ArtifactStorageError: there is no such dataset, or it is damaged.
    """
    store = Store.at(find(folder, name_or_path))
    stored = StoredDataset(store.path, store.read_metadata())
    made_by, metadata = recalled(stored), stored.metadata
    outcomes = outcomes_of(made_by.plan, total(store.receipts()), RunReport(None, None), stored.requested)
    if made_by.plan.config.profilers:
        from data_designer.interface.judge_profiles import read_summaries, with_summaries

        outcomes = with_summaries(outcomes, read_summaries(store))
    storage = ArtifactStorage(store, metadata.dataset_name or store.path.name)
    return DatasetCreationResults(made_by.plan, storage, made_by.builder, outcomes, metadata.stopped)


def find(folder: Location, name_or_path: "str | Location") -> Location:
    """Where a dataset is. Raises ArtifactStorageError where there is none."""
    given = os.fspath(name_or_path)
    below = folder / given
    relative = not is_url(given) and not Path(given).is_absolute()
    for place in (below, location(given)) if relative else (location(given),):
        if files_at(place).exists(METADATA):
            return place
    wanted = below if relative else location(given)
    there = names_in(wanted.parent)
    near = suggestion(wanted.name, there) if there else f"; there is none in {wanted.parent}"
    raise ArtifactStorageError(f"there is no dataset at {wanted}{near}")
