"""Records of a dataset that is there: found by their index, by a text, by having been rejected."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint
from tests.interface.resuming import RECORDS, make, none_may_be_complete
from tests.replies import Refusing, answer

import data_designer.config as dd
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError
from data_designer.interface.record_view import DatasetView
from data_designer.interface.records import StoredRecords
from data_designer.interface.stored import StoredDataset

pytestmark = pytest.mark.usefixtures("sockets")

REFUSED = {3, 17, 18}


class Noting(LocalFiles):
    """A disk that notes what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.names: list[str] = []

    def read(self, name: str) -> bytes:
        """The content of a file."""
        self.names.append(name)
        return super().read(name)


def records(folder: Path) -> StoredRecords:
    """The records of a dataset."""
    return StoredRecords(Store.at(folder), StoredDataset.at(folder).metadata)


@pytest.fixture(scope="module")
def there(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty records in batches of eight, of which three were rejected."""
    folder = tmp_path_factory.mktemp("there")
    with endpoint(Refusing(REFUSED)) as counted:
        make(counted.url, folder)
    return folder / "d"


def test_each_record_is_itself_wherever_others_are_missing(there: Path) -> None:
    """Values of a row are those of its index; a rejected one has its reason; dropped columns are apart."""
    found = records(there)
    assert len(found) == RECORDS
    for index in range(RECORDS):
        one = found.at(index)
        assert one.record == index
        assert one.state == ("rejected" if index in REFUSED else "made")
        assert one.values.get("n") == (None if index in REFUSED else index)
        assert len(one.failures) == (index in REFUSED)
    assert found.at(4).values["final"] == f"<better {str(found.at(4).dropped_values['draft']).upper()}>"
    assert "draft" not in found.at(4).values
    assert "not this one" in found.at(17).failures[0].reason.message


@pytest.mark.parametrize("index", [-1, RECORDS, 10**12])
def test_a_record_that_cannot_be_is_refused(there: Path, index: int) -> None:
    """The message says which there are."""
    with pytest.raises(ArtifactStorageError, match="records are 0 to 19"):
        records(there).at(index)


def test_rejected_records_are_found_in_both_directions(there: Path) -> None:
    """From any record on, that one included."""
    found = records(there)
    assert list(found.rejected(0)) == [3, 17, 18]
    assert list(found.rejected(17)) == [17, 18]
    assert list(found.rejected(17, backwards=True)) == [17, 3]
    assert list(found.rejected(19)) == []
    assert list(found.rejected(2, backwards=True)) == []


def test_a_text_is_found_in_whatever_column_and_case(there: Path) -> None:
    """In values, and in what is said of rejected records."""
    found = records(there)
    assert next(found.holding("ROW 12", 0)) == 12
    assert next(found.holding("row 1", 2)) == 10
    assert list(found.holding("Not THIS one", 0)) == sorted(REFUSED)
    assert list(found.holding("nowhere", 0)) == []


def test_only_files_of_the_batch_that_is_looked_at_are_read(there: Path) -> None:
    """A receipt and a file a folder, each once, however many batches there are."""
    store = Store.at(there)
    store.files = noting = Noting(there)
    found = StoredRecords(store, StoredDataset.at(there).metadata)
    for _ in range(2):
        found.at(9)
        found.conversations(9)
        assert noting.names == [
            "receipts/batch_00001.json",
            "parquet-files/batch_00001.parquet",
            "dropped-columns-parquet-files/batch_00001.parquet",
        ]
    assert list(islice(found.rejected(0), 1)) == [3]
    assert not any("batch_00002" in name for name in noting.names)


def test_nothing_is_read_where_the_dataset_knows_that_no_record_was_rejected(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """A hundred thousand receipts would take a while."""
    with endpoint(answer) as counted:
        make(counted.url, tmp_path)
    store = Store.at(tmp_path / "d")
    metadata = store.read_metadata()
    store.files = noting = Noting(tmp_path / "d")
    assert list(StoredRecords(store, metadata).rejected(0)) == []
    assert noting.names == []


def test_a_dataset_that_stopped_says_what_is_not_made_yet(endpoint: Endpoint, tmp_path: Path) -> None:
    """Records without a receipt, or unfinished in one, are not made yet; the others are there."""
    with endpoint(answer) as counted, none_may_be_complete():
        make(counted.url, tmp_path, budget=dd.Budget(requests=25))
    found = records(tmp_path / "d")
    states = [found.at(index).state for index in range(RECORDS)]
    assert set(states) == {"made", "not made"}
    for index, state in enumerate(states):
        assert found.at(index).values.get("n") == (index if state == "made" else None)
    lines = str(DatasetView.at(tmp_path / "d").record(states.index("not made"), 80)[0])
    assert "is not made yet" in lines


def test_null_cells_keep_their_reason(endpoint: Endpoint, tmp_path: Path) -> None:
    """A row that is there with nulls tells why."""
    with endpoint(Refusing({3})) as counted:
        make(counted.url, tmp_path, on_row_failure="null")
    one = records(tmp_path / "d").at(3)
    assert (one.state, one.values["final"], [failure.reason.column for failure in one.failures]) == (
        "made",
        None,
        ["draft"],
    )


def shown(parts: Any) -> str:
    """What is printed of something at 80 columns."""
    from rich.console import Console

    console = Console(width=80)
    with console.capture() as captured:
        console.print(parts)
    return " ".join(captured.get().split())


def test_the_prompt_of_a_cell_is_rendered_again_where_its_conversation_is_not_kept(there: Path) -> None:
    """From stored values, dropped ones included, or from the seed; the setting that keeps it is named."""
    view = DatasetView.at(there)
    assert view.columns == ["draft", "final"]
    again = shown(view.cell(4, "final"))
    assert 'RunConfig(keep_conversations="all") keeps every one' in again
    assert "its prompt, rendered again from what is known of the record: --- user better <ROW 4" in again
    assert "not this one" in shown(view.cell(17, "draft"))
    assert "of this record the values of loud are not kept" in shown(view.cell(17, "final"))
    assert view.unsaid(4, "final")["rendered_again"]
    with pytest.raises(ArtifactStorageError, match="no model is asked for a column 'loud'; there are draft, final"):
        view.cell(4, "loud")


def test_what_depends_on_the_seed_alone_is_made_again(endpoint: Endpoint, tmp_path: Path) -> None:
    """Prompts of rejected records, and of columns that are not kept, are those that were asked."""
    with endpoint(Refusing(REFUSED)) as counted:
        make(counted.url, tmp_path, keep_conversations="none", preserve_dropped_columns=False)
    view = DatasetView.at(tmp_path / "d")
    for index in range(RECORDS):
        prompt = view.unsaid(index, "draft")["rendered_again"]
        assert prompt[0]["content"][0]["text"] in counted.prompts  # type: ignore[index]
        assert f"row {index} " in str(prompt)


def test_datasets_of_earlier_versions_are_shown() -> None:
    """Each of them, without a complaint."""
    folders = sorted(path.parent for path in Path(__file__).with_name("old_datasets").rglob("metadata.json"))
    assert folders
    for folder in folders:
        view = DatasetView.at(folder)
        for index in range(len(view.records)):
            assert view.record(index, 80)
            for column in view.columns:
                assert shown(view.cell(index, column))
