"""Previews that are saved: pages to look at, in the browser or elsewhere."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.cli.commands import run

CONFIG = """
columns:
- {name: kind, column_type: sampler, sampler_type: category, params: {values: [a, b]}}
- {name: person, column_type: sampler, sampler_type: person_from_faker, params: {}}
- {name: said, column_type: expression, expr: "this is {{ kind }}"}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration without models, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_a_preview_is_saved_as_pages(sockets: None, config: Path, tmp_path: Path) -> None:
    """Where they are is said, and nothing else is shown."""
    code, text = run("preview", config, "-n", "3", "--save-results", "-o", tmp_path / "out", "--theme", "light")
    assert code == 0
    [folder] = (tmp_path / "out").glob("preview_results_*_*")
    records = folder / "sample_records"
    assert f"the results are in {folder}" in text
    assert "this is" not in text
    assert sorted(path.name for path in records.iterdir()) == [
        *(f"record_{index}.html" for index in range(3)),
        "sample_records_browser.html",
    ]
    assert "this is" in (records / "record_2.html").read_text()
    page = (records / "sample_records_browser.html").read_text()
    assert "const number = 3;" in page
    assert "https://" not in page
    rows = pq.read_table(folder / "dataset.parquet").to_pylist()
    assert len(rows) == 3
    assert rows[0]["said"] == f"this is {rows[0]['kind']}"
    assert rows[0]["person"]["first_name"]
    assert (folder / "report.html").is_file()


def test_the_width_is_that_of_what_is_shown(sockets: None, config: Path, tmp_path: Path) -> None:
    """On the terminal, too; less than 40 is refused."""
    assert run("preview", config, "--non-interactive", "--display-width", "60")[0] == 0
    assert run("preview", config, "--display-width", "39")[0] == 2
    assert run("preview", config, "--save-results")[0] == 0
    assert len([*(tmp_path / "artifacts").glob("preview_results_*")]) == 1
