"""Media beside prompts, end to end: files beside the seed, what is refused, budgets, kills, object storage."""

import base64
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.counting import Endpoint
from tests.fakes import USUAL, designer, model, provider, stats
from tests.interface.resuming import folder_of, none_may_be_complete
from tests.interface.showing import IDEAL, RECORDS, SLOTS, begin, gallery, make, number_of, picture, seed, seer
from tests.loopback import forgetful
from tests.object_server import Bucket
from tests.programs import started
from tests.replies import LIMIT, Holding

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.object_storage import ObjectPath, Objects

pytestmark = pytest.mark.usefixtures("sockets")


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """The seed file, with its pictures."""
    return seed(tmp_path / "seeds")


def test_each_record_shows_its_own_picture(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """The content of the file that its cell names; the cell stays a name, and the journal holds no picture."""
    with endpoint(seer) as counted:
        frame = make(counted.url, tmp_path, seeds).load_dataset()
    assert sorted(number_of(prompt) for prompt in counted.prompts) == [n for n in range(RECORDS) for _ in range(2)]
    assert frame["photo"].tolist() == [f"pictures/{n}.png" for n in range(RECORDS)]
    assert frame["seen"].tolist() == [f"picture {n}" for n in range(RECORDS)]
    assert frame["told"].tolist() == [f"picture {n} {n}: picture {n}?" for n in range(RECORDS)]


def test_a_preview_reads_beside_the_seed_too(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """Though it writes nothing anywhere."""
    with endpoint(seer) as counted:
        preview = designer(counted.url, tmp_path).preview(gallery(seeds), num_records=3)
    assert preview.dataset is not None
    assert preview.dataset["seen"].tolist() == ["picture 0", "picture 1", "picture 2"]


def test_only_rows_without_their_picture_are_rejected(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """By name, at no cost; a file elsewhere is not read, and one that comes later is."""
    (tmp_path / "elsewhere.png").write_bytes(picture(99))
    frame = pd.read_parquet(seeds)
    frame.loc[[1, 2, 3], "photo"] = ["../elsewhere.png", str(tmp_path / "elsewhere.png"), "later.png"]
    frame.to_parquet(seeds)
    with endpoint(seer) as counted:
        results = make(counted.url, tmp_path, seeds)
        assert len(counted.prompts) == IDEAL - 6
        rejected = results.load_rejected()
        assert rejected["record_index"].tolist() == [1, 2, 3]
        assert set(rejected["kind"]) == {"MediaError"}
        assert "leads out" in rejected["message"][0]
        assert f"no such file below {folder_of(results)} or {seeds.parent}" in rejected["message"][1]

        (seeds.parent / "later.png").write_bytes(picture(3))
        again = designer(counted.url, tmp_path).retry_failed(gallery(seeds, max_tokens=200), dataset_name="d")
    assert again.load_dataset()["n"].tolist() == [n for n in range(RECORDS) if n not in (1, 2)]
    assert len(counted.prompts) == IDEAL - 4


def test_a_skipped_medium_skips_what_would_show_it(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """The context's column is required as one in the prompt is."""
    made = gallery(seeds)
    made.add_column(name="echo", column_type="expression", expr="{{ photo }}", skip={"when": "{{ n != 1 }}"})
    made.add_column(
        name="last",
        column_type="llm-text",
        model_alias="m",
        prompt="",
        multi_modal_context=[dd.ImageContext(column_name="echo")],
    )
    with endpoint(seer) as counted:
        results = designer(counted.url, tmp_path).create(made, num_records=3, dataset_name="d")
    assert results.load_dataset()["last"].fillna("skipped").tolist() == ["skipped", "picture 1", "skipped"]


def test_every_kind_of_written_column_shows_media(simulated: str, tmp_path: Path, seeds: Path) -> None:
    """Text, code, JSON and scores; the simulated model sees pictures, and tells one from another."""
    photo = [dd.ImageContext(column_name="photo")]
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    made.with_seed_dataset(dd.LocalFileSeedSource(path=str(seeds)))
    common: dict[str, Any] = {"model_alias": "m", "prompt": "", "multi_modal_context": photo}
    score = dd.Score(name="s", description="d", options={1: "a", 2: "b"})
    made.add_column(name="text", column_type="llm-text", **common)
    made.add_column(name="code", column_type="llm-code", code_lang="python", **common)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    made.add_column(name="json", column_type="llm-structured", output_format=schema, **common)
    made.add_column(name="judged", column_type="llm-judge", scores=[score], **common)
    results = designer(simulated, tmp_path).create(made, num_records=6, dataset_name="d")
    frame = results.load_dataset()
    assert len(frame) == frame["text"].nunique() == 6
    assert frame["code"].str.startswith("def ").all()
    assert [set(value) for value in frame["json"]] == [{"a"}] * 6
    assert {value["s"]["score"] for value in frame["judged"]} <= {1, 2}


def test_anthropics_messages_show_pictures_too(simulated: str, tmp_path: Path, seeds: Path) -> None:
    """In blocks of their own form; the model sees the same ones."""
    made = DataDesigner(tmp_path, model_providers=[provider(simulated, provider_type="anthropic")])
    made.set_run_config(dd.RunConfig(**USUAL))
    frame = made.create(gallery(seeds), num_records=6, dataset_name="d").load_dataset()
    assert len(frame) == frame["seen"].nunique() == 6


def test_what_ends_a_run_does_not_pay_for_a_picture_twice(simulated: str, tmp_path: Path, seeds: Path) -> None:
    """A budget stops it within what it may spend; with more it ends as it would have, and the seed decides."""
    whole = make(simulated, tmp_path / "whole", seeds)
    forgetful(simulated)
    stopped = make(simulated, tmp_path, seeds, budget=dd.Budget(requests=25))
    assert stats(simulated)["total"]["requests"] == 25
    assert "the budget is used up" in (stopped.early_shutdown or "")
    resumed = make(simulated, tmp_path, seeds, "always", budget=dd.Budget(requests=100))
    assert stats(simulated)["total"]["requests"] == IDEAL
    pd.testing.assert_frame_equal(resumed.load_dataset(), whole.load_dataset())


def test_another_picture_is_another_request(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """What was answered about a file holds for its content, and for nobody's after it was changed."""
    with endpoint(seer) as counted:
        with none_may_be_complete():
            make(counted.url, tmp_path, seeds, budget=dd.Budget(requests=6), buffer_size=RECORDS)
        journal = [path.read_bytes() for path in (tmp_path / "d" / "journal").rglob("*.log")]
        assert sum(map(len, journal)) < 6 * 500
        assert base64.b64encode(picture(0)[:30])[:30] not in b"".join(journal)
        for number in range(RECORDS):
            (seeds.parent / "pictures" / f"{number}.png").write_bytes(picture(number + 100))
        frame = make(counted.url, tmp_path, seeds, "always", buffer_size=RECORDS).load_dataset()
    assert frame["seen"].tolist() == [f"picture {n + 100}" for n in range(RECORDS)]


@pytest.mark.usefixtures("processes")
def test_a_driver_that_is_killed_loses_only_what_was_under_way(endpoint: Endpoint, tmp_path: Path, seeds: Path) -> None:
    """SIGKILL in the middle: no more is asked again than there are slots, and the dataset is the same."""
    with endpoint(seer) as counted:
        whole = make(counted.url, tmp_path / "whole", seeds).load_dataset()
    holding = Holding(13)

    def held(content: Any) -> Any:
        holding("")
        return seer(content)

    with endpoint(held) as counted:
        program = started(begin, counted.url, tmp_path, seeds)
        assert holding.held.wait(LIMIT)
        program.kill()
        program.join()
        assert program.exitcode == -signal.SIGKILL
        holding.go_on.set()
        asked = len(counted.prompts)
    with endpoint(seer) as counted:
        results = make(counted.url, tmp_path, seeds, "always")
    assert asked + len(counted.prompts) <= IDEAL + SLOTS
    pd.testing.assert_frame_equal(results.load_dataset(), whole)


def test_pictures_may_lie_in_object_storage(endpoint: Endpoint, tmp_path: Path, seeds: Path, bucket: Bucket) -> None:
    """Beside a seed that is an object, and in a dataset's folder there; nothing outside either."""
    root = ObjectPath(f"{bucket.url}/seeds")
    objects = Objects(root)
    frame = pd.read_parquet(seeds)
    frame.loc[[0, 1, 2], "photo"] = [f"{root}/pictures/0.png", f"{bucket.url}/other.png", "../other.png"]
    frame.to_parquet(seeds)
    objects.put("seed.parquet", seeds.read_bytes())
    Objects(ObjectPath(bucket.url)).put("other.png", picture(99))
    for number in range(RECORDS):
        objects.put(f"pictures/{number}.png", picture(number))
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")])
    made.with_seed_dataset(dd.LocalFileSeedSource(path=f"{root}/seed.parquet"))
    made.add_column(
        name="seen",
        column_type="llm-text",
        model_alias="m",
        prompt="",
        multi_modal_context=[dd.ImageContext(column_name="photo")],
    )
    with endpoint(seer) as counted:
        results = designer(counted.url, ObjectPath(f"{bucket.url}/all")).create(made, num_records=6, dataset_name="d")
    assert results.load_dataset()["seen"].tolist() == ["picture 0", "picture 3", "picture 4", "picture 5"]
    assert set(results.load_rejected()["kind"]) == {"MediaError"}
