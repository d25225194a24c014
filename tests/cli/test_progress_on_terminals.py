"""The commands on a terminal: the panel beside what is logged, and the terminal as it was once they are over."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.commands import GOOD, INLINE, name_provider, run
from tests.counting import Endpoint
from tests.replies import LIMIT, Holding, answer

pytestmark = pytest.mark.usefixtures("processes")

RECORDS = 20
PROGRAM = (sys.executable, "-m", "data_designer.cli.main")
HIDES, SHOWS = "\x1b[?25l", "\x1b[?25h"
"""What hides a cursor, and what shows it again."""


class Terminal:
    """A terminal, and the command that runs on it."""

    def __init__(self, *arguments: object, width: int = 80) -> None:
        self.text = ""
        self._changed = threading.Condition()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        # A terminal of its own, so that Ctrl-C comes to it and to nobody else.
        self.program = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "NO_COLOR": "1"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else runs in this process
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                got = os.read(self._master, 65536)
            except OSError:  # Nobody writes to it any more.
                got = b""
            with self._changed:
                self.text += got.decode("utf-8", "replace")
                self._changed.notify_all()
            if not got:
                return

    def shows(self, words: str) -> bool:
        """Wait until some words were written."""
        with self._changed:
            return self._changed.wait_for(lambda: words in self.text, LIMIT)

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._master, key)

    def end(self) -> int:
        """Wait for its end; gives the exit code."""
        code = self.program.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    @property
    def is_as_it_was(self) -> bool:
        """Whether the cursor is there, and every line of the panel is gone."""
        after = self.text.rpartition(SHOWS)[2]
        return self.text.count(HIDES) == self.text.count(SHOWS) > 0 and "in flight" not in after


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "story.yaml").write_text(GOOD)
    return tmp_path


@contextmanager
def held(endpoint: Endpoint, answers: int = 9) -> Iterator[Holding]:
    """An endpoint that answers so many requests until it is told to go on."""
    holding = Holding(answers)
    with endpoint(holding) as counted:
        name_provider(counted.url)
        yield holding
        holding.go_on.set()


CREATE = ("create", "story.yaml", "-n", RECORDS, "-d", "d", *INLINE)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_panel_is_shown_while_the_run_is_under_way(endpoint: Endpoint, folder: Path, width: int) -> None:
    """With what is logged above it, and no line wider than the terminal; then the terminal is as it was."""
    with held(endpoint) as holding:
        terminal = Terminal(*CREATE, width=width)
        assert terminal.shows("in flight")
        assert terminal.shows("draft")
        holding.go_on.set()
        assert terminal.end() == 0, terminal.text
    assert terminal.is_as_it_was
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.text.rpartition(SHOWS)[0]).replace("\r", "").split("\n")
    assert max(len(line) for line in lines if "━" in line or "in flight" in line) <= width
    assert f"{RECORDS} of {RECORDS} records" in terminal.text.rpartition(SHOWS)[2]


def test_ctrl_c_leaves_the_terminal_as_it_was(endpoint: Endpoint, folder: Path) -> None:
    """Once, and what is under way is awaited, with the panel saying so; the words that go on with it are the last."""
    with held(endpoint) as holding:
        terminal = Terminal(*CREATE)
        assert holding.held.wait(LIMIT)
        assert terminal.shows("in flight")
        terminal.press(b"\x03")
        assert terminal.shows("what is under way has 30 s to finish"), terminal.text
        holding.go_on.set()
        assert terminal.end() == 1
    assert terminal.is_as_it_was
    assert "data-designer resume" in terminal.text.rpartition(SHOWS)[2]


def test_ctrl_c_twice_leaves_the_terminal_as_it_was(endpoint: Endpoint, folder: Path) -> None:
    """Also where nothing is awaited."""
    with held(endpoint) as holding:
        terminal = Terminal(*CREATE)
        assert holding.held.wait(LIMIT)
        assert terminal.shows("in flight")
        terminal.press(b"\x03")
        assert terminal.shows("what is under way has 30 s to finish"), terminal.text
        terminal.press(b"\x03")
        assert terminal.end() == 130
    assert terminal.is_as_it_was


def test_no_tui_shows_lines(endpoint: Endpoint, folder: Path) -> None:
    """And moves no cursor."""
    with endpoint(answer) as counted:
        name_provider(counted.url)
        terminal = Terminal(*CREATE, "--no-tui")
        assert terminal.end() == 0, terminal.text
    assert f"100 %, {RECORDS}/{RECORDS} records" in terminal.text
    assert HIDES not in terminal.text


def test_json_can_be_piped(endpoint: Endpoint, folder: Path) -> None:
    """Standard output holds nothing else; what is for people is on standard error."""
    with endpoint(answer) as counted:
        name_provider(counted.url)
        line = [*PROGRAM, *map(str, CREATE), "--progress", "json"]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[-1]["state"] == "ended"
    assert f"{RECORDS} of {RECORDS} records" in done.stderr


def test_a_run_is_watched_from_beside(endpoint: Endpoint, folder: Path) -> None:
    """The same panel, until that run is over; later there is none, and what came of the last one."""
    with (
        held(endpoint) as holding,
        subprocess.Popen([*PROGRAM, *map(str, CREATE), "--progress", "none"], stderr=subprocess.PIPE) as created,
    ):
        assert holding.held.wait(LIMIT)
        terminal = Terminal("watch", "artifacts/d")
        assert terminal.shows("in flight")
        holding.go_on.set()
        assert created.wait(LIMIT) == 0
        assert terminal.end() == 0
    assert terminal.is_as_it_was
    assert f"ended: {RECORDS} of {RECORDS} records written" in terminal.text.rpartition(SHOWS)[2]
    code, said = run("watch", "artifacts/d")
    assert code == 0
    assert (
        said.startswith(f"no run is under way at {folder}/artifacts/d last: ended:")
        or "artifacts/d last: ended" in said
    )


def test_a_run_goes_on_when_it_is_watched_no_more(endpoint: Endpoint, folder: Path) -> None:
    """Ctrl-C ends the watching only."""
    with (
        held(endpoint) as holding,
        subprocess.Popen([*PROGRAM, *map(str, CREATE), "--progress", "none"], stderr=subprocess.PIPE) as created,
    ):
        assert holding.held.wait(LIMIT)
        terminal = Terminal("watch", "artifacts/d")
        assert terminal.shows("in flight")
        os.killpg(terminal.program.pid, signal.SIGINT)
        assert terminal.end() == 130
        assert terminal.is_as_it_was
        assert created.poll() is None
        holding.go_on.set()
        assert created.wait(LIMIT) == 0
