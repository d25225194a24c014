"""`data-designer report`, and `create --report`: where the page is, and what is refused."""

import shutil
import webbrowser
from pathlib import Path

import pytest
from tests.cli.commands import INLINE, run

MADE = Path(__file__).parents[1] / "interface" / "old_datasets"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset that an earlier version has made."""
    return Path(shutil.copytree(MADE / "lacking", tmp_path / "d"))


def test_the_report_is_beside_the_dataset_or_where_it_is_asked_for(dataset: Path, tmp_path: Path) -> None:
    """Without more, `report.html` in its folder; again and again, whatever is there."""
    for _ in range(2):
        assert run("report", dataset) == (0, f"the report is {dataset / 'report.html'}")
    assert run("report", dataset, "--out", tmp_path / "new" / "page.html")[0] == 0
    assert (tmp_path / "new" / "page.html").read_text().startswith("<!doctype html>")
    assert run("check", dataset)[0] == 0


def test_it_is_opened_on_request(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the browser of the system; where there is none, that is said and nothing else is wrong."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    assert run("report", dataset, "--open") == (0, f"the report is {dataset / 'report.html'}")
    assert opened == [(dataset / "report.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    code, said = run("report", dataset, "--open")
    assert code == 0
    assert "no browser was found here" in said


def test_what_cannot_be_reported_is_said_in_a_line(dataset: Path, tmp_path: Path) -> None:
    """No dataset, a folder in the way, a page in object storage that is to be opened."""
    code, said = run("report", tmp_path / "nowhere")
    assert code == 1
    assert "there is no dataset at" in said
    code, said = run("report", dataset, "--out", tmp_path)
    assert code == 1
    assert "is a folder; name a file in it" in said
    code, said = run("report", "s3://bucket/d", "--open")
    assert code == 1
    assert "give --out FILE" in said


@pytest.mark.usefixtures("sockets")
def test_create_makes_a_report_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the dataset, and says where; of it, and of its results, it is the same page."""
    monkeypatch.chdir(tmp_path)
    column = "{name: mood, column_type: sampler, sampler_type: category, params: {values: [calm, wild]}}"
    (tmp_path / "c.yaml").write_text(f"columns: [{column}]")
    code, said = run("create", "c.yaml", "-n", "7", "-d", "d", "--report", *INLINE)
    assert code == 0, said
    page = tmp_path / "artifacts" / "d" / "report.html"
    assert f"the report is {page}" in said
    assert "7 of 7 records" in said
    assert "calm" in page.read_text()
