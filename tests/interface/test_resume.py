"""What is there goes on: refused, resumed, extended, stopped, retried."""

import json
import logging
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.counting import Endpoint, Reply
from tests.distributed.driving import joined
from tests.fakes import NOWHERE, designer, model, numbered, provider
from tests.interface.resuming import (
    ALWAYS,
    IDEAL,
    IF_POSSIBLE,
    RECORDS,
    SEED_ROWS,
    Undisturbed,
    contents,
    data_files,
    make,
    none_may_be_complete,
    retry,
    tale,
    tokens,
)
from tests.replies import LIMIT, MANY, Failing, Holding, Refusing, answer, asked_twice, row_of

import data_designer.config as dd
from data_designer.engine.dataset.layout import METADATA
from data_designer.engine.dataset.sealed import seal
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError, DatasetGenerationError, DatasetInUseError
from data_designer.interface import DataDesigner, DataDesignerGenerationError
from data_designer.interface.stored import StoredDataset
from data_designer.object_storage import location

pytestmark = pytest.mark.usefixtures("sockets")

GOING_ON = pytest.mark.parametrize("mode", [ALWAYS, IF_POSSIBLE])


@pytest.fixture(scope="module")
def undisturbed(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The tale of `RECORDS` records, made in one go."""
    with endpoint(answer) as counted:
        made = Undisturbed.of(make(counted.url, tmp_path_factory.mktemp("whole")))
    assert len(counted.prompts) == IDEAL
    return made


@pytest.fixture
def there(undisturbed: Undisturbed, tmp_path: Path) -> Path:
    """A copy of it, under the name that tests give theirs."""
    return Path(shutil.copytree(undisturbed.folder, tmp_path / "d"))


# --- the decision table ----------------------------------------------------------------------------------------


def test_never_makes_a_dataset_and_then_another_beside_it(endpoint: Endpoint, tmp_path: Path) -> None:
    """`never`: the name where it is free, else a sibling with a time stamp; what is there keeps every byte."""
    with endpoint(answer) as counted:
        first = make(counted.url, tmp_path)
        before = contents(tmp_path / "d")
        second = make(counted.url, tmp_path)
    assert first.artifact_storage.resolved_dataset_name == "d"
    assert re.fullmatch(r"d_\d{4}-\d\d-\d\d_\d{6}", second.artifact_storage.resolved_dataset_name)
    assert contents(tmp_path / "d") == before


@pytest.mark.parametrize("there", ["absent", "empty"])
def test_always_needs_something_to_go_on_with(tmp_path: Path, there: str) -> None:
    """`always` on a folder that is absent or empty is an error about the disk, and makes nothing."""
    if there == "empty":
        (tmp_path / "d").mkdir()
    with pytest.raises(ArtifactStorageError, match=f"there is no dataset at {tmp_path / 'd'} to resume"):
        make(NOWHERE, tmp_path, ALWAYS)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("there", ["absent", "empty"])
def test_if_possible_begins_where_nothing_is(endpoint: Endpoint, tmp_path: Path, there: str) -> None:
    """`if_possible` on a folder that is absent or empty makes the dataset under its name."""
    if there == "empty":
        (tmp_path / "d").mkdir()
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, IF_POSSIBLE)
    assert (results.artifact_storage.resolved_dataset_name, results.count_records()) == ("d", RECORDS)


@GOING_ON
def test_a_run_that_died_before_its_metadata_begins_again_in_place(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed, mode: str
) -> None:
    """No metadata and no finished batch: partial files are cleared and the dataset is made where it is."""
    for name in ("parquet-files/batch_00000.parquet", "parquet-files/.batch_00001.parquet.h.1.0.tmp", ".x.h.1.0.tmp"):
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_bytes(b"half a fi")
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, mode)
    assert results.artifact_storage.resolved_dataset_name == "d"
    assert not [name for name in contents(tmp_path / "d") if name.endswith(".tmp")]
    undisturbed.check(results)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda text: text[: len(text) // 2], "damaged or was edited: it is no JSON"),
    "edited": (lambda text: text.replace(b'"seed": 1,', b'"seed": 2,'), "does not match its checksum"),
    "emptied": (lambda _: b"", "damaged or was edited"),
    "of something else": (lambda _: b"{}", "holds no checksum"),
}


@GOING_ON
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_metadata_are_refused(endpoint: Endpoint, there: Path, damage: str, mode: str) -> None:
    """Metadata that are not what was written: an error that names the file, and nothing is asked or changed."""
    change, said = DAMAGES[damage]
    path = there / "metadata.json"
    path.write_bytes(change(path.read_bytes()))
    before = contents(there.parent)
    with endpoint(answer) as counted, pytest.raises(DataDesignerGenerationError, match=said) as caught:
        make(counted.url, there.parent, mode)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value.__cause__, DatasetGenerationError)
    assert counted.prompts == []
    assert contents(there.parent) == before


def test_metadata_that_went_missing_under_finished_batches_are_refused(there: Path) -> None:
    """Finished batches without metadata are no leftovers of a run that got nowhere: they are kept and it is said."""
    (there / "metadata.json").unlink()
    before = contents(there.parent)
    with pytest.raises(DataDesignerGenerationError, match="metadata.json is missing, though there are finished"):
        make(NOWHERE, there.parent, ALWAYS)
    assert contents(there.parent) == before


@GOING_ON
def test_only_a_batch_that_is_missing_is_made_again(
    endpoint: Endpoint, there: Path, undisturbed: Undisturbed, mode: str
) -> None:
    """A batch's receipt and files are removed: that batch comes back byte for byte, and nothing else is asked."""
    (there / "receipts/batch_00001.json").unlink()
    for path in there.rglob("batch_00001.parquet"):
        path.unlink()
    before = contents(there)
    with endpoint(answer) as counted:
        results = make(counted.url, there.parent, mode)
    assert sorted({row_of(prompt) for prompt in counted.prompts}) == list(range(8, 16))
    assert len(counted.prompts) == 16
    after, of_the_run = contents(there), ("metadata.json", "accounts/now.json")
    assert {name: after[name] for name in before if name not in of_the_run} == {
        name: digest for name, digest in before.items() if name not in of_the_run
    }
    undisturbed.check(results)


def test_a_receipt_that_is_gone_is_a_batch_that_is_gone(
    endpoint: Endpoint, there: Path, undisturbed: Undisturbed
) -> None:
    """Only the receipt is removed: the files it left behind count for nothing, and its batch is made again."""
    (there / "receipts/batch_00002.json").unlink()
    with endpoint(answer) as counted:
        results = make(counted.url, there.parent, ALWAYS)
    assert sorted({row_of(prompt) for prompt in counted.prompts}) == list(range(16, RECORDS))
    undisturbed.check(results)


def test_a_file_that_is_gone_is_a_hole_that_is_filled(
    endpoint: Endpoint, there: Path, undisturbed: Undisturbed
) -> None:
    """A batch's file is removed and its receipt left: `always` makes that batch again, and only that."""
    (there / "parquet-files/batch_00001.parquet").unlink()
    with endpoint(answer) as counted:
        results = make(counted.url, there.parent, ALWAYS)
    assert sorted({row_of(prompt) for prompt in counted.prompts}) == list(range(8, 16))
    undisturbed.check(results)


@GOING_ON
def test_a_complete_dataset_is_given_back_with_a_warning(
    endpoint: Endpoint, there: Path, undisturbed: Undisturbed, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    """Complete, and no more records asked for: the same results, nothing asked, and a warning that says so."""
    with endpoint(answer) as counted:
        results = make(counted.url, there.parent, mode)
    assert counted.prompts == []
    assert "nothing is left to make" in caplog.text
    undisturbed.check(results)


@GOING_ON
def test_fewer_records_are_refused(there: Path, mode: str) -> None:
    """`num_records` below what the dataset is to have: an error that names both numbers."""
    before = contents(there.parent)
    with pytest.raises(DataDesignerGenerationError, match="num_records=19 is fewer than the 20"):
        make(NOWHERE, there.parent, mode, records=19)
    assert contents(there.parent) == before


@GOING_ON
def test_another_buffer_size_is_refused_and_the_reason_said(endpoint: Endpoint, there: Path, mode: str) -> None:
    """Records that are divided into batches already cannot be divided otherwise; the message says what to set."""
    said = "divided into batches already; set buffer_size=8"
    with endpoint(answer) as counted, pytest.raises(DataDesignerGenerationError, match=said):
        make(counted.url, there.parent, mode, buffer_size=5)
    assert counted.prompts == []


# --- what may not change, and what may -------------------------------------------------------------------------

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "prompt": (
        {"prompt": "row {{ n }} in a {{ mood }} mood"},
        {},
        'column \'draft\', prompt: "row {{ n }} {{ mood }}" -> "row {{ n }} in a {{ mood }} mood"',
    ),
    "sampler": (
        {"moods": ("calm", "mad")},
        {},
        'column \'mood\', params.values: ["calm", "wild"] -> ["calm", "mad"]',
    ),
    "temperature": (
        {"models": (model("a", temperature=0.5), model("b"))},
        {},
        "model 'a', inference_parameters.temperature: nothing -> 0.5",
    ),
    "seed rows": ({"first": 39}, {}, "the rows of the seed dataset"),
    "seed": ({}, {"seed": 2}, "seed: 1 -> 2"),
    "dropped columns": ({}, {"preserve_dropped_columns": False}, "preserve_dropped_columns: True -> False"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_refusal_names_what_differs(endpoint: Endpoint, there: Path, change: str) -> None:
    """`always` with something that gives the data another meaning: refused, what it was and what it is are named."""
    declared, run, said = CHANGES[change]
    before = contents(there.parent)
    with endpoint(answer) as counted, pytest.raises(DataDesignerGenerationError) as caught:
        designer(counted.url, there.parent, **run).create(
            tale(**declared), num_records=RECORDS, dataset_name="d", resume="always"
        )
    assert [line for line in str(caught.value).splitlines() if line.startswith("  - ")] == [f"  - {said}"]
    assert isinstance(caught.value.__cause__, DatasetGenerationError)
    assert counted.prompts == []
    assert contents(there.parent) == before


@pytest.mark.parametrize("change", CHANGES)
def test_if_possible_leaves_what_does_not_fit_alone(
    endpoint: Endpoint, there: Path, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    """`if_possible` where the configuration differs: a dataset beside it, the reason logged, no byte touched."""
    declared, run, said = CHANGES[change]
    caplog.set_level(logging.INFO, "data_designer")
    before = contents(there)
    with endpoint(answer) as counted:
        results = designer(counted.url, there.parent, **run).create(
            tale(**declared), num_records=4, dataset_name="d", resume="if_possible"
        )
    assert results.artifact_storage.resolved_dataset_name.startswith("d_")
    assert results.count_records() == 4
    assert said in caplog.text
    assert contents(there) == before


def shouting(mark: str) -> dd.DataDesignerConfigBuilder:
    """A custom column whose function is one of two."""

    @dd.custom_column_generator(required_columns=["n"])
    def loud(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "loud": f"{row['n']}!"}

    @dd.custom_column_generator(required_columns=["n"])
    def louder(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "loud": f"{row['n']}!!"}

    louder.__name__ = loud.__name__
    builder = dd.DataDesignerConfigBuilder(model_configs=[])
    builder.with_seed_dataset(numbered())
    function = loud if mark == "!" else louder
    return builder.add_column(dd.CustomColumnConfig(name="loud", generator_function=function))


def test_another_body_of_a_function_is_noticed(tmp_path: Path) -> None:
    """A custom column's function that does something else now is refused, by the column's name."""
    maker = designer(NOWHERE, tmp_path)
    maker.create(shouting("!"), num_records=8, dataset_name="d")
    again = maker.create(shouting("!"), num_records=12, dataset_name="d", resume="always")
    assert list(again.load_dataset()["loud"]) == [f"{n}!" for n in range(12)]
    with pytest.raises(DataDesignerGenerationError, match="code of the function of column 'loud'"):
        maker.create(shouting("!!"), num_records=12, dataset_name="d", resume="always")


MARK = "!"
"""What the function of `marked` reads."""


def underlined(text: str) -> str:
    """Help it."""
    return f"_{text}_"


@dd.custom_column_generator(required_columns=["n"])
def marked(row: dict[str, Any]) -> dict[str, Any]:
    """Make a value with a constant and a helper."""
    return {**row, "loud": underlined(f"{row['n']}{MARK}")}


def marking() -> dd.DataDesignerConfigBuilder:
    """A custom column whose function reads what stands beside it."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[])
    builder.with_seed_dataset(numbered())
    return builder.add_column(dd.CustomColumnConfig(name="loud", generator_function=marked))


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("MARK", "?", "constant MARK"),
        ("underlined", lambda text: f"*{text}*", "function underlined"),
        ("underlined", str.upper, "constant underlined (new), function underlined (gone)"),
    ],
)
def test_what_a_function_uses_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: Any, said: str
) -> None:
    """A constant or helper beside a function that is another now: refused, and that part is named."""
    maker = designer(NOWHERE, tmp_path)
    maker.create(marking(), num_records=4, dataset_name="d")
    monkeypatch.setattr(sys.modules[__name__], name, other)
    before = contents(tmp_path)
    with pytest.raises(DataDesignerGenerationError) as caught:
        maker.create(marking(), num_records=8, dataset_name="d", resume="always")
    assert f"  - the code of the function of column 'loud': {said}" in str(caught.value).splitlines()
    assert contents(tmp_path) == before
    monkeypatch.undo()
    results = maker.create(marking(), num_records=8, dataset_name="d", resume="always")
    assert list(results.load_dataset()["loud"]) == [f"_{n}!_" for n in range(8)]


def as_of(path: Path, **known: Any) -> None:
    """Let metadata say something else of the code of `loud`."""
    store = Store.at(location(path))
    metadata: dict[str, Any] = store.read_metadata().to_dict()
    metadata["functions"]["loud"] = {**metadata["functions"]["loud"], **known} if known else "0123456789abcdef"
    store.files.put(METADATA, seal(metadata, readable=True))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "an earlier version of this package made the dataset"),
        ({"packages": {"python": "3.9"}}, "compiled by Python 3.9 then and by"),
    ],
)
def test_code_that_cannot_be_compared_is_refused_as_that(tmp_path: Path, known: dict[str, Any], said: str) -> None:
    """What a dataset of an earlier version, or of another Python, keeps of its functions: it opens, and says why."""
    maker = designer(NOWHERE, tmp_path)
    maker.create(marking(), num_records=4, dataset_name="d")
    as_of(tmp_path / "d", **known)
    with pytest.raises(DataDesignerGenerationError, match=said):
        maker.create(marking(), num_records=8, dataset_name="d", resume="always")
    assert StoredDataset.at(str(tmp_path / "d")).needs_source


def test_another_version_of_a_package_is_said_and_no_difference(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A function that uses a package which was upgraded since: resumed, with a warning that names both versions."""

    @dd.custom_column_generator(required_columns=["n"])
    def rooted(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "loud": float(np.sqrt(row["n"]))}

    builder = dd.DataDesignerConfigBuilder(model_configs=[]).with_seed_dataset(numbered())
    builder.add_column(dd.CustomColumnConfig(name="loud", generator_function=rooted))
    maker = designer(NOWHERE, tmp_path)
    maker.create(builder, num_records=4, dataset_name="d")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    as_of(tmp_path / "d", packages={"python": python, "numpy": "1.0"})
    results = maker.create(builder, num_records=8, dataset_name="d", resume="always")
    assert results.count_records() == 8
    assert f"functions of columns use numpy {np.__version__}, and 1.0 before" in caplog.text


def test_where_and_how_it_runs_may_change(endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed) -> None:
    """Another endpoint, key, number of slots, time limit, number of workers and so on: resumed, nothing paid twice."""
    with endpoint(answer) as first, endpoint(answer) as second:
        with none_may_be_complete():
            make(first.url, tmp_path, budget=dd.Budget(requests=15))
        elsewhere = provider(second.url, api_key="another")
        other = DataDesigner(tmp_path, model_providers=[elsewhere], auto_configure_logging=False)
        other.set_run_config(
            dd.RunConfig(
                executor="inline",
                buffer_size=8,
                non_inference_max_parallel_workers=1,
                max_concurrent_row_groups=1,
                max_in_flight_tasks=7,
                disable_early_shutdown=True,
                max_conversation_restarts=1,
                progress_interval=1.0,
                outage_patience=60.0,
            )
        )
        models = (model("a", max_parallel_requests=1, timeout=7), model("b", max_parallel_requests=9))
        results = other.create(tale(models=models), num_records=RECORDS, dataset_name="d", resume="always")
    assert asked_twice([*first.prompts, *second.prompts]) == {}
    assert (len(first.prompts), len(second.prompts)) == (15, IDEAL - 15)
    undisturbed.check(results)


MADE_HERE = 25


@pytest.mark.usefixtures("local_ray")
def test_a_dataset_may_be_begun_in_this_process_and_ended_on_ray(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """The executor may change: what was answered inline is not asked again on Ray, and the files are the same."""
    with joined(words="Ray does CPU work") as ray_works:

        def once_ray_works(prompt: str) -> str:
            if len(counted.prompts) > MADE_HERE:
                ray_works.wait(60)
            return answer(prompt)

        with endpoint(once_ray_works) as counted:
            with none_may_be_complete():
                make(counted.url, tmp_path, budget=dd.Budget(requests=MADE_HERE))
            results = make(counted.url, tmp_path, ALWAYS, executor="ray")
        assert ray_works.is_set()
    assert len(counted.prompts) == IDEAL
    assert asked_twice(counted.prompts) == {}
    undisturbed.check(results)


def test_a_run_without_a_seed_goes_on_with_the_one_that_was_drawn(endpoint: Endpoint, tmp_path: Path) -> None:
    """No seed given, twice: the second run samples what the first did, so what was asked is not asked again."""
    with endpoint(answer) as counted:
        with none_may_be_complete():
            make(counted.url, tmp_path, seed=None, budget=dd.Budget(requests=15))
        drawn = json.loads((tmp_path / "d/metadata.json").read_text())["seed"]
        results = make(counted.url, tmp_path, ALWAYS, seed=None)
    assert results.artifact_storage.read_metadata()["seed"] == drawn
    assert len(counted.prompts) == IDEAL
    assert asked_twice(counted.prompts) == {}
    assert results.count_records() == RECORDS


# --- more records ----------------------------------------------------------------------------------------------


@GOING_ON
@pytest.mark.parametrize("size", [8, 3])
def test_more_records_are_added_and_the_files_of_before_stay(
    endpoint: Endpoint, there: Path, tmp_path: Path, mode: str, size: int
) -> None:
    """Records are added, also in batches of another size: files of before keep every byte, seed rows go on."""
    before = data_files(there)
    with endpoint(answer) as counted:
        whole = make(counted.url, tmp_path / "whole", records=30)
        counted.prompts.clear()
        results = make(counted.url, tmp_path, mode, records=30, buffer_size=size)
    assert sorted(map(row_of, counted.prompts)) == sorted([*range(RECORDS, 30)] * 2)
    after = data_files(there)
    assert {name: after[name] for name in before} == before
    added = sorted(name for name in set(after) - set(before) if name.startswith("parquet-files"))
    assert len(added) == -(-10 // size)
    assert [len(pd.read_parquet(there / name)) for name in added][:-1] == [size] * (len(added) - 1)
    pd.testing.assert_frame_equal(results.load_dataset(), whole.load_dataset())
    assert tokens(results) == tokens(whole)
    metadata = results.artifact_storage.read_metadata()
    assert (metadata["original_target_num_records"], metadata["target_num_records"]) == (RECORDS, 30)


def test_records_may_be_added_again_and_again_and_to_what_is_unfinished(endpoint: Endpoint, tmp_path: Path) -> None:
    """Added to while batches are missing, with three batch sizes: everything is made once, as in one go."""
    with endpoint(answer) as counted:
        whole = make(counted.url, tmp_path / "whole", records=33)
        counted.prompts.clear()
        with none_may_be_complete():
            make(counted.url, tmp_path, records=10, buffer_size=4, budget=dd.Budget(requests=9))
        make(counted.url, tmp_path, ALWAYS, records=20, buffer_size=7, budget=dd.Budget(requests=31))
        assert len(counted.prompts) == 31
        results = make(counted.url, tmp_path, ALWAYS, records=33, buffer_size=5)
    assert len(counted.prompts) == 66
    assert asked_twice(counted.prompts) == {}
    pd.testing.assert_frame_equal(results.load_dataset(), whole.load_dataset())
    sizes = [len(pd.read_parquet(path)) for path in sorted(results.artifact_storage.final_dataset_path.iterdir())]
    assert sizes == [4, 4, 2, 7, 3, 5, 5, 3]


# --- stopped in the middle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stops", [(3, 11, 25, 33), (26,), (39,)])
def test_a_run_that_an_outage_stopped_is_completed_to_the_byte(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed, stops: tuple[int, ...]
) -> None:
    """An endpoint that goes down for good, once or again and again: no row twice, none missing, no reply paid twice."""
    failing = Failing(0)
    with endpoint(failing) as counted:
        for answers in stops:
            failing.answers = answers
            try:
                stopped = make(counted.url, tmp_path, IF_POSSIBLE, outage_patience=0.01)
            except DataDesignerGenerationError as error:
                assert f"data-designer resume {tmp_path / 'd'}" in str(error)  # noqa: PT017 - some runs raise
            else:
                assert stopped.early_shutdown is not None
                assert 0 < stopped.outcomes.unfinished < RECORDS
                assert stopped.count_records() == RECORDS - stopped.outcomes.unfinished
        failing.answers = MANY
        results = make(counted.url, tmp_path, ALWAYS)
    assert len(failing.given) == IDEAL
    assert asked_twice(failing.given) == {}
    assert not (tmp_path / "d/journal").exists()
    undisturbed.check(results)


def test_a_partial_batch_is_readable_and_grows(endpoint: Endpoint, tmp_path: Path) -> None:
    """What is complete after a stop is a dataset: in order, counted, exportable; the rest joins it on resume."""
    with endpoint(answer) as counted:
        stopped = make(counted.url, tmp_path, buffer_size=RECORDS, budget=dd.Budget(requests=27))
        rows = list(stopped.load_dataset()["n"])
        assert 0 < len(rows) == stopped.outcomes.generated < RECORDS
        assert rows == sorted(rows)
        assert len(pd.read_csv(stopped.export(tmp_path / "x.csv"))) == len(rows)
        results = make(counted.url, tmp_path, ALWAYS, buffer_size=RECORDS)
    assert list(results.load_dataset()["n"]) == list(range(RECORDS))
    assert data_files(tmp_path / "d").keys() == {
        "parquet-files/batch_00000.parquet",
        "dropped-columns-parquet-files/batch_00000.parquet",
        "processors-files/chat/batch_00000.parquet",
    }
    both = results.artifact_storage.load_dataset_with_dropped_columns()
    assert list(both["loud"]) == [text.upper() for text in both["draft"]]
    assert list(results.load_processor_dataset("chat")["q"]) == [str(n) for n in range(RECORDS)]


def test_an_early_shutdown_is_resumed_and_then_mended(endpoint: Endpoint, tmp_path: Path) -> None:
    """Refusals trip the early shutdown: resume makes what was not tried, retry_failed what was refused."""
    failing = Failing(4, status=400, only="row")
    with endpoint(answer) as calm:
        whole = make(calm.url, tmp_path / "whole", records=SEED_ROWS)
    with endpoint(failing) as counted:
        with none_may_be_complete():
            stopped = make(counted.url, tmp_path, records=SEED_ROWS)
            assert "cells failed" in str(stopped.early_shutdown)
        failing.answers = MANY
        resumed = make(counted.url, tmp_path, ALWAYS, records=SEED_ROWS)
        refused = set(resumed.load_rejected()["record_index"])
        assert len(refused) == resumed.outcomes.rejected
        assert 10 <= len(refused) < SEED_ROWS - 4
        assert set(resumed.load_dataset()["n"]) == set(range(SEED_ROWS)) - refused
        assert resumed.outcomes.unfinished == 0
        results = retry(counted.url, tmp_path)
    assert asked_twice(failing.given) == {}
    pd.testing.assert_frame_equal(results.load_dataset(), whole.load_dataset())
    assert data_files(tmp_path / "d") == data_files(tmp_path / "whole/d")
    assert tokens(results) == tokens(whole)


@pytest.fixture(scope="module")
def sixty(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The tale of sixty records, made in one go in batches of eight."""
    with endpoint(answer) as counted:
        return make(counted.url, tmp_path_factory.mktemp("sixty"), records=60).load_dataset()


@pytest.mark.parametrize(("size", "workers"), [(25, 1), (25, 4), (1000, 1), (1000, 4)])
def test_a_record_is_the_same_however_it_is_cut_and_whoever_makes_it(
    endpoint: Endpoint, tmp_path: Path, sixty: pd.DataFrame, size: int, workers: int
) -> None:
    """Batches of 25 or 1000, one worker or four, stopped on the way or not: record by record the same."""
    run = {"buffer_size": size, "non_inference_max_parallel_workers": workers}
    with endpoint(answer) as counted:
        with none_may_be_complete():
            make(counted.url, tmp_path, records=60, budget=dd.Budget(requests=75), **run)
        results = make(counted.url, tmp_path, ALWAYS, records=60, **run)
    assert len(counted.prompts) == 120
    pd.testing.assert_frame_equal(results.load_dataset(), sixty)


# --- two at once -----------------------------------------------------------------------------------------------


def test_a_dataset_that_is_being_written_is_refused_to_others(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """While a run writes: resume and retry are refused and name the process; `never` makes a sibling; it runs on."""
    holding = Holding(21)
    with endpoint(holding) as counted, endpoint(answer) as other, ThreadPoolExecutor(1) as threads:
        running = threads.submit(make, counted.url, tmp_path)
        assert holding.held.wait(LIMIT)
        for mode in (ALWAYS, IF_POSSIBLE):
            with pytest.raises(DatasetInUseError, match=f"being written by process {os.getpid()}"):
                make(other.url, tmp_path, mode)
        with pytest.raises(DatasetInUseError, match="being written"):
            retry(other.url, tmp_path)
        assert other.prompts == []
        beside = make(other.url, tmp_path)
        assert beside.artifact_storage.resolved_dataset_name != "d"
        holding.go_on.set()
        results = running.result(LIMIT)
    assert len(counted.prompts) == IDEAL
    undisturbed.check(results)
    undisturbed.check(beside)


# --- what was rejected -----------------------------------------------------------------------------------------


def test_rejected_records_are_made_again_and_take_their_places(
    endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    """Rows refused at first and answered later stand where they belong; other batches keep every byte."""
    refusing = Refusing({3, 17, 18})
    with endpoint(refusing) as counted:
        first = make(counted.url, tmp_path)
        assert (first.outcomes.generated, first.outcomes.rejected) == (17, 3)
        before = contents(tmp_path / "d")
        refusing.rows, refusing.words = {17}, "still not"
        counted.prompts.clear()
        second = retry(counted.url, tmp_path)
        assert Counter(map(row_of, counted.prompts)) == {3: 2, 17: 1, 18: 2}
        rejected = second.load_rejected()
        assert list(rejected["record_index"]) == [17]
        assert "still not" in rejected["message"][0]
        assert list(second.load_dataset()["n"]) == [n for n in range(RECORDS) if n != 17]
        assert second.outcomes.reasons["ModelBadRequestError"]["count"] == 1
        after = contents(tmp_path / "d")
        assert {name for name in before if "batch_00001" in name and after[name] != before[name]} == set()
        assert "rejected/batch_00000.parquet" not in after
        refusing.rows = set()
        third = retry(counted.url, tmp_path)
        assert third.outcomes.rejected == 0
        pd.testing.assert_frame_equal(third.load_dataset(), undisturbed.frame)
        assert data_files(tmp_path / "d") == undisturbed.files
        counted.prompts.clear()
        retry(counted.url, tmp_path)
        assert counted.prompts == []


def test_another_model_may_be_asked(endpoint: Endpoint, tmp_path: Path, undisturbed: Undisturbed) -> None:
    """`models` names another model for an alias: it is asked this time, and the dataset stays what was declared."""
    refusing = Refusing({3, 17})
    with endpoint(refusing) as counted:
        make(counted.url, tmp_path)
        refusing.rows = set()
        counted.bodies.clear()
        maker = designer(counted.url, tmp_path)
        results = maker.retry_failed(tale(), dataset_name="d", models={"b": "stronger"})
        assert Counter(body["model"] for body in counted.bodies) == {"a": 2, "stronger": 2}
        pd.testing.assert_frame_equal(results.load_dataset(), undisturbed.frame)
        counted.prompts.clear()
        make(counted.url, tmp_path, ALWAYS)
        assert counted.prompts == []


def test_an_alias_that_no_column_uses_is_refused(endpoint: Endpoint, tmp_path: Path) -> None:
    """`models` for an unknown alias names those there are, changes nothing and leaves the dataset free."""
    refusing = Refusing({3})
    with endpoint(refusing) as counted:
        make(counted.url, tmp_path)
        before = contents(tmp_path / "d")
        maker = designer(counted.url, tmp_path)
        with pytest.raises(DataDesignerGenerationError, match="alias 'c'; there are a, b"):
            maker.retry_failed(tale(), dataset_name="d", models={"c": "stronger"})
        assert contents(tmp_path / "d") == before
        refusing.rows = set()
        assert maker.retry_failed(tale(), dataset_name="d").outcomes.rejected == 0


def test_retry_needs_what_the_dataset_was_made_with(endpoint: Endpoint, tmp_path: Path) -> None:
    """`retry_failed` with another prompt is refused as a resume is; without a dataset it says that there is none."""
    with endpoint(Refusing({3})) as counted:
        make(counted.url, tmp_path)
        maker = designer(counted.url, tmp_path)
        with pytest.raises(DataDesignerGenerationError, match="column .draft., prompt"):
            maker.retry_failed(tale(prompt="row {{ n }}"), dataset_name="d")
        with pytest.raises(ArtifactStorageError, match="there is no dataset at"):
            maker.retry_failed(tale(), dataset_name="e")


def test_the_declaration_keeps_the_order_of_a_schemas_properties(endpoint: Endpoint, tmp_path: Path) -> None:
    """A dataset that is taken up again from its own declaration asks with the same prompts as before."""
    schema = {"type": "object", "properties": {"zeta": {"type": "string"}, "alpha": {"type": "string"}}}
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    made.add_column(name="n", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(
        name="form", column_type="llm-structured", model_alias="m", prompt="row {{ n }}", output_format=schema
    )
    with endpoint(lambda _: Reply('```json\n{"zeta": "z"}\n```')) as counted:
        designer(counted.url, tmp_path).create(made, num_records=1, dataset_name="d")
    [column] = [one for one in StoredDataset.at(tmp_path / "d").builder().build().columns if one.name == "form"]
    assert json.dumps(column.output_format) in counted.prompts[0]
