"""`data-designer ls` lists datasets, in a table that fits the terminal, or as JSON."""

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from tests.cli.commands import run

from data_designer.cli.ls import table_of
from data_designer.interface.listing import Listed, State

OLD = Path(__file__).parents[1] / "interface" / "old_datasets"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def listed(name: str = "reviews", state: State = State.COMPLETE, at: float | None = None) -> Listed:
    """A large dataset."""
    return Listed(name, f"/all/{name}", state, 1_000_000, 999_000, 1_000, 1234.5, at or NOW.timestamp())


def printed(found: list[Listed], width: int) -> list[str]:
    """Lines of the table."""
    out = Console(file=io.StringIO(), width=width)
    with out.capture() as captured:
        out.print(table_of(found, NOW, is_narrow=width < 76))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits(width: int) -> None:
    """Of large datasets with long names too."""
    lines = printed([listed("a_name_that_says_what_is_in_it_and_when"), listed(state=State.RUNNING)], width)
    assert max(map(cell_len, lines)) <= width
    text = " ".join(lines)
    records = "999,000/1,000,000" if width > 60 else "999k/1M"
    for part in ("complete", "running", records, "1,000", "$1,234.50"):
        assert part in text


def test_moments_are_as_short_as_the_terminal() -> None:
    """The hour of today, the day of this year, the month of another; the whole where there is room."""
    ages = (60.0, 86400 * 40.0, 86400 * 400.0)
    found = [listed(f"d{place}", at=NOW.timestamp() - age) for place, age in enumerate(ages)]
    assert [line.split()[-1] for line in printed(found, 120)[2:]] == ["11:59", "12:00", "12:00"]
    assert [line.split()[-1] for line in printed(found, 60)[2:]] == ["11:59", "20", "2025-10"]


def test_names_are_printed_as_they_are() -> None:
    """Whatever somebody has called a folder."""
    assert "[bold]x[/bold] :smile:" in "\n".join(printed([listed("[bold]x[/bold] :smile:")], 120))


def test_a_folder_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual one where none is named."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD / "lacking", tmp_path / "artifacts" / "mine")
    for folder in ([], ["artifacts"], [tmp_path / "artifacts"], ["artifacts/mine"]):
        code, said = run("ls", *folder)
        assert code == 0, said
        assert "mine complete 5/6 1" in said


def test_a_folder_is_listed_as_json(tmp_path: Path) -> None:
    """For programs."""
    shutil.copytree(OLD / "stopped", tmp_path / "d")
    code, said = run("ls", tmp_path, "--json")
    assert code == 0
    [found] = json.loads(said)
    assert {**found, "written_at": 0.0} == {
        "name": "d",
        "path": str(tmp_path / "d"),
        "state": "stopped",
        "requested": 6,
        "made": 4,
        "rejected": 0,
        "usd": None,
        "written_at": 0.0,
        "problem": "",
    }
    assert run("ls", tmp_path / "d" / "receipts", "--json") == (0, "[]")


def test_a_folder_without_datasets_says_so(tmp_path: Path) -> None:
    """One that is not there is an error."""
    assert run("ls", tmp_path) == (0, f"there is no dataset in {tmp_path}")
    code, said = run("ls", tmp_path / "gone")
    assert code == 1
    assert said.startswith(f"❌ there is no folder {tmp_path / 'gone'}")


def test_what_is_damaged_is_said_below_the_table(tmp_path: Path) -> None:
    """With what to do."""
    shutil.copytree(OLD / "stopped", tmp_path / "d")
    (tmp_path / "d/metadata.json").write_text("{}")
    code, said = run("ls", tmp_path)
    assert code == 0
    assert "d damaged" in said
    assert "metadata.json is damaged or was edited" in said
