"""Ctrl-C and SIGTERM: what the command does with what is under way, and that it can be gone on with."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from tests.cli.commands import INLINE, SEEDED, name_provider, run
from tests.counting import Endpoint
from tests.replies import LIMIT, Holding, answer, asked_twice

pytestmark = pytest.mark.usefixtures("processes")

SLOTS = 4
"""Those of a model, unless it says otherwise."""
RECORDS = 20
IDEAL = 2 * RECORDS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a configuration about seed rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "story.yaml").write_text(f"{SEEDED}seed_config: {{source: {{seed_type: local, path: seeds.csv}}}}\n")
    (tmp_path / "seeds.csv").write_text("\n".join(["id", *map(str, range(RECORDS))]))
    return tmp_path


@contextmanager
def create() -> Iterator["subprocess.Popen[str]"]:
    """`data-designer create`, in a process group of its own as a shell would start it; gone at the end."""
    line = [sys.executable, "-m", "data_designer.cli.main", "create", "story.yaml", "-n", str(RECORDS), "-d", "d"]
    with subprocess.Popen(
        [*line, *INLINE], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def heard(program: "subprocess.Popen[str]", words: str) -> str:
    """Read what a program says until the words come; gives the line."""
    assert program.stderr is not None
    for line in program.stderr:
        if words in line:
            return line
    raise AssertionError(f"the program ended without saying {words!r}")


def read(dataset: Path) -> list[str]:
    """The last column of a dataset, in order."""
    return list(pd.read_parquet(dataset / "parquet-files")["final"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_finishes_what_is_under_way(endpoint: Endpoint, folder: Path, number: int) -> None:
    """Ctrl-C or SIGTERM once: what was asked is awaited and kept, exit code 1, and the words that go on with it."""
    holding = Holding(21)
    with endpoint(holding) as counted:
        name_provider(counted.url)
        with create() as program:
            assert holding.held.wait(LIMIT)
            os.killpg(program.pid, number)
            heard(program, "stopping")
            assert program.poll() is None
            holding.go_on.set()
            heard(program, "data-designer resume artifacts/d")
            assert program.stderr is not None
            rest = program.stderr.read()
            assert program.wait(LIMIT) == 1, rest
        assert "Traceback" not in rest
        assert not (folder / "artifacts/d/lock").exists()
        code, said = run("resume", "artifacts/d")
        assert code == 0, said
    assert len(counted.prompts) == IDEAL
    assert asked_twice(counted.prompts) == {}
    assert read(folder / "artifacts/d") == [f"<better <about {n}>>" for n in range(RECORDS)]


def test_a_second_interrupt_leaves_at_once(endpoint: Endpoint, folder: Path) -> None:
    """Ctrl-C twice, while an endpoint never answers: the command is gone with 130, and what came before is kept."""
    holding = Holding(30)
    with endpoint(holding) as counted:
        name_provider(counted.url)
        with create() as program:
            assert holding.held.wait(LIMIT)
            os.killpg(program.pid, signal.SIGINT)
            heard(program, "stopping")
            os.killpg(program.pid, signal.SIGINT)
            assert "Traceback" not in str(program.communicate(timeout=LIMIT))
            assert program.returncode == 130
        holding.go_on.set()
    asked = len(counted.prompts)
    with endpoint(answer) as counted:
        name_provider(counted.url)
        code, said = run("resume", "artifacts/d")
        assert code == 0, said
    assert asked + len(counted.prompts) <= IDEAL + 2 * SLOTS
    assert read(folder / "artifacts/d") == [f"<better <about {n}>>" for n in range(RECORDS)]
