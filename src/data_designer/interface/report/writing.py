"""Makes the report of a dataset, and puts it beside it."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from data_designer.engine.dataset.files import files_at
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError
from data_designer.interface.conversations import kept_conversations
from data_designer.interface.explain import explain
from data_designer.interface.report.facts import Extras, facts_of
from data_designer.interface.report.page import page
from data_designer.object_storage import Location, location

REPORT = "report.html"


def report_html(store: Store, extras: Extras | None = None) -> str:
    """The report of a dataset, as one HTML page without anything beside it.

    It is made from the receipts, one after another, the accounts, and one file of rows, so it takes no more memory for
    a hundred million records than for a thousand; it has at most five megabytes.

    Args:
        store: the dataset, whether a run is making it or not.
        extras: advice, conversations and the time; what is known of them where they are not given.

    Raises:
        ArtifactStorageError: there is no dataset, or its metadata or a receipt are damaged or cannot be read.
    """
    return page(facts_of(store, _known(store) if extras is None else extras))


def write_report(store: Store, path: "str | Location | None" = None, extras: Extras | None = None) -> Location:
    """Write the report of a dataset into a file or object, and say which.

    Args:
        store: the dataset.
        path: of the file or object; `report.html` in the dataset's folder, where none is given.
        extras: advice, conversations and the time; what is known of them where they are not given.

    Raises:
        ArtifactStorageError: there is no dataset, its metadata or a receipt are damaged or cannot be read, or the
            report cannot be written.
    """
    target = store.path / REPORT if path is None else location(path)
    if isinstance(target, Path) and target.is_dir():
        raise ArtifactStorageError(f"{target} is a folder; name a file in it for the report, such as {target / REPORT}")
    content = report_html(store, extras or replace(_known(store), made=datetime.now(UTC)))
    try:
        files_at(target.parent).put(target.name, content.encode("utf-8", "replace"))
    except OSError as error:
        raise ArtifactStorageError(f"the report {target} cannot be written: {error.strerror or error}") from error
    return target


def _known(store: Store) -> Extras:
    """What else is known of a dataset."""
    advice = None
    with suppress(ArtifactStorageError):  # What is wrong with it is said where it is read for the page.
        explanation = explain(store.path)
        if explanation.accounts is not None and not explanation.lacking:
            advice = [str(one) for one in explanation.advice]
    return Extras(advice, partial(_conversation, store))


def _conversation(store: Store, record: int, column: str) -> str | None:
    with suppress(ArtifactStorageError, OSError):  # What is wrong with the dataset is said elsewhere on the page.
        kept = kept_conversations(store, store.read_metadata().geometry, record)
        return next((str(one) for one in kept if one.column == column), None)
    return None
