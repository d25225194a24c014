"""Metadata as earlier and later versions write them."""

from pathlib import Path
from typing import Any

import pytest
from tests.plans import metadata_of

from data_designer.engine.dataset.layout import METADATA
from data_designer.engine.dataset.metadata import Metadata, run_of
from data_designer.engine.dataset.sealed import seal
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError
from data_designer.models.admission.budget_lease import NOTHING
from data_designer.plan.model import Geometry

LEAST: dict[str, Any] = {
    "target_num_records": 8,
    "requested_num_records": 7,
    "buffer_size": 2,
    "earlier_geometry": [[5, 3]],
    "seed": 4,
}
"""What is always there."""


def test_what_an_earlier_version_did_not_write_has_a_default() -> None:
    """The geometry, the seed and the number of records are enough."""
    read = Metadata.read(seal(LEAST))
    assert (read.geometry, read.seed, read.requested_num_records) == (Geometry(8, 2, ((5, 3),)), 4, 7)
    assert (read.run, read.functions, read.spent, read.reuse) == (0, {}, NOTHING, None)


def test_what_a_later_version_writes_stays() -> None:
    """Keys that are not known are read and written again."""
    later = {**LEAST, "colour": {"of": ["it"]}, "run": 3}
    assert Metadata.read(seal(later)).to_dict() == later
    assert Metadata.read(Metadata.read(seal(later)).written()).to_dict() == later


@pytest.mark.parametrize("key", LEAST)
@pytest.mark.parametrize("instead", ["missing", None, "many"])
def test_metadata_that_cannot_be_gone_on_with_are_named(tmp_path: Path, key: str, instead: str | None) -> None:
    """What has to be there is missing, or is something else: an error that says what."""
    content = {**LEAST, key: instead}
    if instead == "missing":
        del content[key]
    store = Store.at(tmp_path)
    store.files.put(METADATA, seal(content))
    with pytest.raises(ArtifactStorageError, match=f"metadata.json is of another version of this program: {key}"):
        store.read_metadata()


def test_the_number_of_the_run_is_read_from_any_version() -> None:
    """Runs are counted on, whatever else is in the metadata."""
    texts = (metadata_of(7).written(), seal({"run": 6}), seal({}), b"{", b"")
    assert [run_of(text) for text in texts] == [7, 6, 0, 0, 0]
