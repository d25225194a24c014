"""`data-designer explain`: what it prints, and the exit code."""

import json
from pathlib import Path

import pytest
from tests.cli.commands import GOOD, INLINE, name_provider, run
from typer.testing import CliRunner

from data_designer.cli.main import app


@pytest.fixture
def dataset(simulated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of two models."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    name_provider(simulated)
    code, said = run("create", "good.yaml", "-n", "12", "-d", "d", "-o", "out", *INLINE)
    assert code == 0, said
    return tmp_path / "out" / "d"


def test_explain_says_where_the_time_went(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By alias and column, and what to change; as wide as the terminal."""
    monkeypatch.setenv("COLUMNS", "60")
    result = CliRunner().invoke(app, ["explain", str(dataset)])
    assert result.exit_code == 0, result.output
    said = result.output.splitlines()
    assert said[0].startswith("12 of 12 records in ")
    assert max(map(len, said)) <= 60
    for words in ("Where the time of the slots went", "asking the model", "draft", "final", "What to change"):
        assert any(words in line for line in said), words


def test_explain_gives_json(dataset: Path) -> None:
    """All accounts, columns and advice, on one line."""
    result = CliRunner().invoke(app, ["explain", str(dataset), "--json"])
    data = json.loads(result.output)
    assert data["accounts"]["aliases"].keys() == {"a", "b"}
    assert data["columns"]["draft"]["first"] == 1.0
    assert data["advice"][0]["text"]


def test_explain_needs_a_dataset(tmp_path: Path) -> None:
    """Where there is none, that is one line and exit code 1."""
    code, said = run("explain", tmp_path / "nowhere")
    assert code == 1
    assert "there is no dataset at" in said
    assert "Traceback" not in said
