"""Conversations of cells, kept with the dataset: of which cells, through what, and how they are read."""

import shutil
from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer
from tests.interface.resuming import ALWAYS, RECORDS, make, none_may_be_complete, retry, tale
from tests.object_server import Bucket
from tests.replies import Refusing, answer

import data_designer.config as dd
from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.protocol.conversation import Conversation
from data_designer.errors import ArtifactStorageError
from data_designer.interface import DatasetCreationResults
from data_designer.interface.record_view import DatasetView
from data_designer.interface.stored import StoredDataset
from data_designer.object_storage import ObjectPath

pytestmark = pytest.mark.usefixtures("sockets")

REFUSED = {3, 17, 18}


def without_times(said: Conversation) -> dict[str, object]:
    """A conversation but for what differs from run to run."""
    data = said.to_dict()
    turns = [{name: value for name, value in one.items() if name != "seconds"} for one in data["turns"]]  # type: ignore[attr-defined]
    return {name: value for name, value in data.items() if name not in ("seconds", "endpoint")} | {"turns": turns}


def everything(results: DatasetCreationResults, records: int = RECORDS) -> list[dict[str, object]]:
    """All conversations of a dataset that keeps all."""
    return [without_times(results.conversation(row, column)) for row in range(records) for column in ("draft", "final")]


def records_told(results: DatasetCreationResults) -> list[int]:
    """Records of which something was kept."""
    return [int(row) for row in results.load_conversations()["record_index"]]


def test_those_of_cells_that_failed_are_kept_and_go_when_the_record_is_made(endpoint: Endpoint, tmp_path: Path) -> None:
    """By default: the refused prompt with the endpoint's words; a retry replaces it or takes it away."""
    refusing = Refusing(set(REFUSED))
    with endpoint(refusing) as counted:
        first = make(counted.url, tmp_path)
        assert records_told(first) == sorted(REFUSED)
        said = first.conversation(17, "draft")
        assert (said.fate, said.alias, said.endpoint) == ("failed", "a", f"{counted.url}/chat/completions")
        assert "row 17" in str(said)
        assert "not this one" in str(said)
        refusing.rows, refusing.words = {17}, "still not"
        second = retry(counted.url, tmp_path)
        assert records_told(second) == [17]
        assert "still not" in str(second.conversation(17, "draft"))
        refusing.rows = set()
        third = retry(counted.url, tmp_path)
    assert records_told(third) == []
    assert not list((tmp_path / "d/conversations").glob("*"))
    assert StoredDataset.at(tmp_path / "d").verify().problems == []


def test_all_are_kept_where_that_is_wanted(endpoint: Endpoint, tmp_path: Path) -> None:
    """Each cell that a model was asked for: prompt, reply, usage, latency."""
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, keep_conversations="all")
    frame = results.load_conversations()
    assert list(frame["record_index"]) == sorted([*range(RECORDS), *range(RECORDS)])
    assert set(frame["fate"]) == {"ok"}
    assert frame["turns"][0][0]["reply"]["text"].startswith("<row 0")
    said = results.conversation(0, "final")
    assert said.turns[0].reply is not None
    assert said.turns[0].reply.text == results.load_dataset()["final"][0]
    assert said.seconds is not None
    assert (said.usage.input_tokens, said.usage.output_tokens) == (3, 2)


def test_none_are_kept_where_that_is_wanted(endpoint: Endpoint, tmp_path: Path) -> None:
    """No file is written; what asks for one says which setting keeps it."""
    with endpoint(Refusing(set(REFUSED))) as counted:
        results = make(counted.url, tmp_path, keep_conversations="none")
    assert not (tmp_path / "d/conversations").exists()
    assert len(results.load_conversations()) == 0
    with pytest.raises(ArtifactStorageError, match=r'record 3, column \'draft\'.*keep_conversations="none" keeps none'):
        results.conversation(3, "draft")


def test_one_that_is_not_there_says_why(endpoint: Endpoint, tmp_path: Path) -> None:
    """Cells that came out are not kept by default; records that are not there are named as such."""
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path)
    with pytest.raises(ArtifactStorageError, match=r'"rejected" keeps those of cells that failed.*"all"'):
        results.conversation(3, "draft")
    with pytest.raises(ArtifactStorageError, match="there is no record 20; records are 0 to 19"):
        results.conversation(20, "draft")


def test_a_null_cell_keeps_what_was_said_for_it(endpoint: Endpoint, tmp_path: Path) -> None:
    """With `on_row_failure="null"` the row is there, and so is the conversation of the cell that failed."""
    with endpoint(Refusing(set(REFUSED))) as counted:
        results = make(counted.url, tmp_path, on_row_failure="null")
    assert records_told(results) == sorted(REFUSED)
    assert results.outcomes.null_filled == len(REFUSED)


def test_a_run_that_stopped_and_went_on_has_the_same_conversations(endpoint: Endpoint, tmp_path: Path) -> None:
    """What the journal answers is told as if it had been asked now, but for the times."""
    with endpoint(answer) as counted:
        whole = everything(make(counted.url, tmp_path / "whole", keep_conversations="all"))
        with none_may_be_complete():
            make(counted.url, tmp_path, keep_conversations="all", budget=dd.Budget(requests=25))
        results = make(counted.url, tmp_path, ALWAYS, keep_conversations="all")
    assert everything(results) == whole


def test_a_batch_whose_commit_was_lost_has_the_same_conversations(endpoint: Endpoint, tmp_path: Path) -> None:
    """A crash before the commit: the journal gives each reply, and says that its latency is not known."""
    refusing = Refusing({9})
    with endpoint(refusing) as counted:
        make(counted.url, tmp_path, keep_conversations="all", budget=dd.Budget(requests=39))
        folder = tmp_path / "d"
        journaled = {path.name for path in (folder / "journal").glob("*")}
        results = make(counted.url, tmp_path, ALWAYS, keep_conversations="all")
    said = results.load_conversations()
    assert len(said) == 2 * RECORDS - 1
    assert journaled <= {"batch_00000", "batch_00001", "batch_00002"}
    assert StoredDataset.at(folder).verify().problems == []


def test_columns_that_are_taken_from_another_dataset_say_so(endpoint: Endpoint, tmp_path: Path) -> None:
    """Nothing was asked for them here."""
    with endpoint(answer) as counted:
        make(counted.url, tmp_path)
        maker = designer(counted.url, tmp_path, keep_conversations="all")
        changed = tale()
        changed.delete_column("final")
        changed.add_column(name="final", column_type="llm-text", model_alias="b", prompt="best {{ loud }}")
        results = maker.create(changed, num_records=RECORDS, dataset_name="e", reuse=tmp_path / "d")
    assert "Nothing was asked" in str(results.conversation(0, "draft"))
    assert results.conversation(0, "final").fate == "ok"


def test_a_file_that_is_missing_or_damaged_is_refused(endpoint: Endpoint, tmp_path: Path) -> None:
    """Conversations are under the receipt: `check` names what is wrong with them, and a resume refuses it."""
    with endpoint(Refusing(set(REFUSED))) as counted:
        results = make(counted.url, tmp_path)
        file = tmp_path / "d/conversations/batch_00000.parquet"
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b"?")
        with pytest.raises(ArtifactStorageError, match=r"conversations/batch_00000.parquet is damaged"):
            results.conversation(3, "draft")
        assert "conversations/batch_00000.parquet" in str(StoredDataset.at(tmp_path / "d").verify().problems)
        with pytest.raises(ArtifactStorageError, match=r"conversations/batch_00000.parquet is damaged"):
            make(counted.url, tmp_path, ALWAYS)
        file.write_bytes(content)
        shutil.copy(file, tmp_path / "d/conversations/batch_00001.parquet")
        assert StoredDataset.at(tmp_path / "d").verify().strays == ["conversations/batch_00001.parquet"]


def test_they_are_kept_in_object_storage_too(bucket: Bucket, endpoint: Endpoint) -> None:
    """As on a disk: written with the batch, replaced by a retry."""
    root = ObjectPath(f"{bucket.url}/all")
    refusing = Refusing(set(REFUSED))
    with endpoint(refusing) as counted:
        results = make(counted.url, root)
        assert records_told(results) == sorted(REFUSED)
        assert "not this one" in str(results.conversation(17, "draft"))
        view = DatasetView.at(root / "d")
        assert view.records.at(4).values["n"] == 4
        assert list(view.records.rejected(0)) == sorted(REFUSED)
        assert "not this one" in str(view.cell(17, "draft"))
        refusing.rows = {17}
        assert records_told(retry(counted.url, root)) == [17]


def test_corrections_and_restarts_are_told(endpoint: Endpoint, tmp_path: Path) -> None:
    """A reply that is no JSON is answered with what is wrong with it; then the conversation begins anew."""

    def never(_: str) -> Reply:
        return Reply("no JSON at all")

    made = dd.DataDesignerConfigBuilder(model_configs=tale().model_configs)
    made.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    made.add_column(
        name="form",
        column_type="llm-structured",
        model_alias="a",
        prompt="row {{ n }}",
        output_format={"type": "object"},
    )
    made.add_column(name="text", column_type="llm-text", model_alias="b", prompt="row {{ n }}")
    with endpoint(never) as counted:
        settings = {"max_conversation_restarts": 1, "max_conversation_correction_steps": 1, "on_row_failure": "null"}
        maker = designer(counted.url, tmp_path, disable_early_shutdown=True, **settings)
        results = maker.create(made, num_records=1, dataset_name="d")
    said = results.conversation(0, "form")
    assert (said.fate, said.corrections, said.restarts, said.usage.requests) == ("failed", 2, 1, 4)
    assert [[str(one["role"]) for one in asked] for asked in said.requests()] == [
        ["user"], ["user", "assistant", "user"], ["user"], ["user", "assistant", "user"],
    ]  # fmt: skip


def test_a_dataset_of_an_earlier_version_has_none(endpoint: Endpoint, tmp_path: Path) -> None:
    """Without the folder there is nothing to load, and nothing is wrong."""
    with endpoint(Refusing(set(REFUSED))) as counted:
        results = make(counted.url, tmp_path, keep_conversations="none")
    assert LocalFiles(tmp_path / "d").list("conversations") == []
    assert list(results.load_conversations().columns)[:4] == ["record_index", "column", "fate", "problem"]


# --- previews --------------------------------------------------------------------------------------------------


def test_a_preview_keeps_them_all_and_shows_them_where_that_is_wanted(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each record is followed by its own prompts and replies, also where others before it were rejected."""
    with endpoint(Refusing({0, 1})) as counted:
        results = designer(counted.url, tmp_path).preview(tale(), num_records=4, show_prompts=True)
    assert list(results.records) == [2, 3]
    assert results.conversation(0, "draft").fate == "failed"
    results.display_sample_record(0)
    shown = capsys.readouterr().out
    assert "record 2, column draft: ok" in shown
    assert "--- user\nrow 2" in shown
    assert "row 3" not in shown
    results.display_sample_record()
    results.display_sample_record()
    assert "record 3, column final: ok" in capsys.readouterr().out
    results.display_sample_record(0, show_prompts=False)
    assert "--- user" not in capsys.readouterr().out


def test_a_preview_heeds_the_setting(endpoint: Endpoint, tmp_path: Path) -> None:
    """What is said about conversations in the run settings holds for previews too."""
    with endpoint(answer) as counted:
        results = designer(counted.url, tmp_path, keep_conversations="none").preview(tale(), num_records=2)
    assert results.conversations == []
    with pytest.raises(ArtifactStorageError, match="keeps none"):
        results.conversation(0, "draft")
