"""The report of a dataset: what is on the page, and what never is."""

import base64
import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer, model
from tests.object_server import Bucket
from tests.run_accounts import some_accounts

import data_designer.config as dd
from data_designer.engine.dataset import receipts
from data_designer.engine.dataset.layout import METADATA, receipt_name
from data_designer.engine.dataset.run_accounts import write_accounts
from data_designer.engine.dataset.store import Store
from data_designer.errors import ArtifactStorageError
from data_designer.interface.report import report_html, write_report
from data_designer.interface.report.facts import Extras
from data_designer.object_storage import location

MADE = Path(__file__).parents[1] / "old_datasets"
HOSTILE = "</script></style><img src=x onerror=alert(1)>\"'&{{ 1 }}\x1b[2J\u202e"
LARGEST = 5_000_000
"""Bytes of a report."""


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of copies of old datasets."""
    return Path(shutil.copytree(MADE, tmp_path / "datasets"))


class Seen(HTMLParser):
    """What a browser makes of a page: its elements, its texts by section, what is open and never closed."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.section = ""
        self.texts: dict[str, str] = {}
        self.content: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        given = dict(attributes)
        self.elements.append((tag, given))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = str(given["id"])

    def handle_endtag(self, tag: str) -> None:
        """Close the element that is open."""
        assert self.open[-1] == tag, f"</{tag}> closes {self.open[-5:]}"
        self.open.pop()
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        """Remember a text."""
        self.texts[self.section] = f"{self.texts.get(self.section, '')} {data}"
        if self.open and self.open[-1] in ("script", "style"):
            self.content[self.open[-1]] = data

    def text(self, section: str) -> str:
        """What a section says, in one line."""
        return " ".join(self.texts[section].split())


def is_sound(page: str) -> Seen:
    """Check what holds for every page: it is whole, fetches nothing, and runs and styles only what is ours."""
    seen = Seen(page)
    assert seen.open == []
    policy = next(str(one["content"]) for tag, one in seen.elements if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(seen.content[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert [one for one, _ in seen.elements].count(tag) == 1
    for tag, given in seen.elements:
        assert not any(name.startswith("on") or name == "style" for name in given), tag
        assert tag not in ("img", "iframe", "object", "embed", "base", "form")
        addresses = {str(given[name]) for name in ("src", "href", "action", "data") if name in given}
        assert all(one.startswith("#") or one == "data:," for one in addresses), tag
    names = [str(given["id"]) for _, given in seen.elements if "id" in given]
    assert len(names) == len(set(names))
    assert len(page.encode()) <= LARGEST
    return seen


@pytest.mark.parametrize("name", ["finished", "extended", "interrupted", "stopped", "lacking"])
def test_old_datasets_have_a_report(there: Path, name: str) -> None:
    """Those that an earlier version made have no accounts of time, and the report says so; all else is there."""
    store = Store.at(there / name)
    seen = is_sound(report_html(store))
    assert "not recorded" in seen.text("summary")
    assert "Not recorded" in seen.text("timeline")
    assert "Not recorded" in seen.text("slot_time")
    assert "Not recorded" in seen.text("requests")
    state = {"interrupted": "It was stopped", "stopped": "It was stopped"}.get(name, "Every batch is complete.")
    assert state in seen.text("summary")
    assert "mood sampler" in seen.text("profiles")
    assert "Record 0" in seen.text("records")
    assert "draft {{ n }} {{ mood }}" in seen.text("configuration")


def test_rejected_records_are_shown_with_their_reason(there: Path) -> None:
    """How many of which kind, and for each of a few what was last replied, and what was said where that is kept."""

    def said(record: int, column: str) -> str:
        return f"what was said of {record} in {column}"

    seen = is_sound(report_html(Store.at(there / "lacking"), Extras(conversation=said)))
    text = seen.text("fates")
    assert "Generated 5 83.3 % Rejected 1 16.7 %" in text
    assert "Record 4 code ModelRefusalError" in text or "Record 4" in text
    assert "what was said of 4 in" in text


def test_accounts_are_drawn(there: Path) -> None:
    """Slot time by account and alias, latency and tokens by column, and rates over time."""
    store = Store.at(there / "finished")
    write_accounts(store.files, some_accounts())
    seen = is_sound(report_html(store, Extras(advice=["`writer` was full: raise `max_parallel_requests`"])))
    assert "2 min" in seen.text("summary")
    assert "2026-11-29 08:00 UTC" in seen.text("summary")
    text = seen.text("slot_time")
    assert "writer writer-model Slots 16 Answered 500 Failed requests 7 Refused (429) 5 Lowest limit 3" in text
    assert "asking" in text
    assert "76.5 %" in text
    assert "made here 31.5 s 6.6 %" in text
    assert "review writer" in seen.text("requests")
    assert "p50" in seen.text("requests")
    assert "writer was full: raise max_parallel_requests" in seen.text("advice").replace("  ", " ")
    kinds = {str(given.get("class")) for tag, given in seen.elements if tag in ("path", "rect")}
    assert {"k-asking", "k-held", "k-startup", "k-upstream", "k-whole"} <= kinds


def test_without_advice_the_section_is_not_there(there: Path) -> None:
    """Nobody has looked: nothing is said. Somebody has, and found nothing: that is said."""
    store = Store.at(there / "finished")
    assert "advice" not in is_sound(report_html(store)).texts
    assert "Nothing was found" in is_sound(report_html(store, Extras(advice=[]))).text("advice")


def test_a_dataset_without_a_batch_has_a_report(there: Path) -> None:
    """As one that a run has only begun."""
    shutil.rmtree(there / "stopped" / "receipts")
    seen = is_sound(report_html(Store.at(there / "stopped")))
    assert "No batch is complete yet" in seen.text("summary")
    assert "There are no records yet." in seen.text("records")
    assert "No batch is finished yet." in seen.text("timeline")


def test_a_dataset_that_is_being_made_says_so(there: Path) -> None:
    """Whoever holds its lock is not disturbed."""
    store = Store.at(there / "stopped")
    with Store.at(there / "stopped").take():
        seen = is_sound(report_html(store))
        assert "A run is making it" in seen.text("summary")
        assert write_report(store) == there / "stopped" / "report.html"
    assert "It was stopped" in is_sound(report_html(store)).text("summary")


@pytest.mark.parametrize("gone", ["parquet-files/batch_00000.parquet", "builder_config.json"])
def test_a_file_that_is_gone_does_not_end_the_report(there: Path, gone: str) -> None:
    """What it held is missing, and the report says what is."""
    (there / "finished" / gone).unlink()
    seen = is_sound(report_html(Store.at(there / "finished")))
    assert "cannot be read" in seen.text("records" if "parquet" in gone else "configuration")


def test_what_is_no_dataset_is_refused(there: Path, tmp_path: Path) -> None:
    """There is none, a receipt is damaged, or the report cannot be where it is to be: a sentence says which."""
    with pytest.raises(ArtifactStorageError, match="there is no dataset at"):
        report_html(Store.at(tmp_path / "nowhere"))
    with pytest.raises(ArtifactStorageError, match="is a folder; name a file in it"):
        write_report(Store.at(there / "finished"), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactStorageError, match=r"the report .*page\.html cannot be written"):
        write_report(Store.at(there / "finished"), tmp_path / "file" / "page.html")
    (there / "finished" / receipt_name(0)).write_bytes(b"{}")
    with pytest.raises(ArtifactStorageError, match="damaged"):
        report_html(Store.at(there / "finished"))


def test_the_same_dataset_has_the_same_report(there: Path) -> None:
    """Only the time that it was made at differs, where that is said."""
    store = Store.at(there / "finished")
    assert report_html(store) == report_html(store)
    made = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)
    assert "Made on 2026-11-29 09:30 UTC" in report_html(store, Extras(made=made))


def grown(store: Store, batches: int) -> str:
    """The report of a dataset once it has so many batches, all as its first one is."""
    one, metadata = store.receipt(0), store.read_metadata()
    assert one is not None
    for batch in range(1, batches):
        moved = replace(one, batch=batch, kept=((3 * batch, 3 * batch + 3),))
        store.files.write(receipt_name(batch), receipts.written(moved))
    more = {"target_num_records": 3 * batches, "requested_num_records": 3 * batches}
    store.files.write(METADATA, metadata.model_copy(update=more).written())
    return report_html(store)


def test_many_batches_make_no_larger_page(there: Path) -> None:
    """Ten times as many batches are as many bars, and nothing else of the page grows with them."""
    store = Store.at(there / "finished")
    small, large = grown(store, 120), grown(store, 1200)
    assert "360 of 360 asked for" in is_sound(small).text("summary")
    assert "3,600 of 3,600 asked for" in is_sound(large).text("summary")
    assert "mean of 10 batches" in is_sound(large).text("timeline")
    assert len(large) < len(small) + 1000


@pytest.fixture
def hostile(endpoint: Endpoint, tmp_path: Path) -> Store:
    """A dataset of which everything is hostile: prompts, values, replies, reasons."""
    import pandas as pd

    def answer(prompt: str) -> Reply:
        return Reply(HOSTILE, 400) if "row 3" in prompt else Reply(HOSTILE)

    made = dd.DataDesignerConfigBuilder(model_configs=[model("m", extra_body={"api_key": "SECRET", "x": HOSTILE})])
    made.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": range(8), "seed text": [HOSTILE] * 8})))
    made.add_column(name="mood", column_type="sampler", sampler_type="category", params={"values": [HOSTILE, "calm"]})
    made.add_column(
        name="text", column_type="llm-text", model_alias="m", system_prompt=_raw(HOSTILE),
        prompt=f"row {{{{ n }}}} {_raw(HOSTILE)}",
    )  # fmt: skip
    made.add_column(name="long", column_type="expression", expr="{{ text * 5000 }}")
    with endpoint(answer) as counted:
        settings: dict[str, Any] = {"disable_early_shutdown": True, "max_conversation_restarts": 0}
        designer(counted.url, tmp_path, **settings).create(made, num_records=8, dataset_name="d &amp; 'd")
    return Store.at(tmp_path / "d &amp; 'd")


def _raw(text: str) -> str:
    return f"{{% raw %}}{text}{{% endraw %}}"


def test_texts_of_others_are_shown_and_do_nothing(hostile: Store) -> None:
    """Wherever they stand: in names, prompts, values, seed rows, reasons, replies, advice."""
    page = report_html(hostile, Extras(advice=[HOSTILE], conversation=lambda *_: HOSTILE))
    seen = is_sound(page)
    for section in ("advice", "fates", "records", "profiles", "configuration"):
        assert r"<img src=x onerror=alert(1)>" in seen.text(section), section
        assert r"\x1b[2J\u202e" in seen.text(section), section
    assert "SECRET" not in page
    assert not {"\x1b", "\u202e"} & set(page)
    assert "<img" not in page
    assert "1 of 8" not in seen.text("fates")
    assert "Rejected 1 12.5 %" in seen.text("fates")


def test_the_report_of_a_dataset_in_object_storage(bucket: Bucket, there: Path) -> None:
    """It is read from there and written there; a copy may be asked for here."""
    place = location(f"{bucket.url}/d")
    target = Store.at(place)
    for name in Store.at(there / "finished").files.walk(""):
        target.files.put(name, (there / "finished" / name).read_bytes())
    assert write_report(target) == place / "report.html"
    page = target.files.read("report.html").decode()
    assert "Every batch is complete." in is_sound(page).text("summary")
    assert write_report(target, there / "copy.html") == there / "copy.html"
