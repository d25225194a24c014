"""What others have said does nothing to a terminal or a log but be read there."""

import io
import json
import logging
import pickle
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from data_designer.cli.saying import say
from data_designer.errors import DataDesignerError, DatasetGenerationError, ModelBadRequestError
from data_designer.logging import (
    LoggerConfig,
    LoggingConfig,
    OutputConfig,
    _handler,
    configure_logging,
    reset_logging,
)
from data_designer.terminal import columns_of, console, in_notebook, visible, wrapped, writable

HOSTILE = "\x1b[31mred\x1b]0;title\x07 \x9b2J back\x08 over\rwritten \u202egnp.exe\u2069 half \ud83d \x00\x7f"
SHOWN = r"\x1b[31mred\x1b]0;title\x07 \x9b2J back\x08 over\x0dwritten \u202egnp.exe\u2069 half \ud83d \x00\x7f"


def test_what_steers_is_shown_and_the_rest_is_as_it_is() -> None:
    """Escapes instead of control characters, overrides and halves; every other character is left alone."""
    assert visible(HOSTILE) == SHOWN
    fine = "line\n\tcol émoji 😀 \u200f עברית \\x1b :smile: [bold]"
    assert visible(fine) == fine


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_stream_is_given_what_it_can_write(encoding: str) -> None:
    """What its encoding lacks is an escape; nothing raises."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    stream.write(writable("é 😀", stream))
    stream.flush()
    assert raw.getvalue() == "é 😀".encode(encoding, "backslashreplace")


def test_a_console_writes_to_a_terminal_of_another_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with characters that the terminal lacks is printed all the same."""
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    console().print("tea 茶")
    assert raw.getvalue() == b"tea \\u8336\n"


@pytest.mark.parametrize("structured", [False, True])
def test_no_line_of_the_log_steers_a_terminal(tmp_path: Path, structured: bool) -> None:
    """Messages and tracebacks are in the log as text, in lines and in JSON, also in a file."""
    path = tmp_path / "run.log"
    stream = io.StringIO()
    outputs = [OutputConfig(path, structured), OutputConfig(stream, structured)]
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logging(LoggingConfig([LoggerConfig("data_designer", "INFO")], outputs))
        logging.getLogger("data_designer.x").error("the model said %s", HOSTILE, exc_info=ValueError(HOSTILE))
        text = stream.getvalue()
    finally:
        reset_logging()
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    assert path.read_text(encoding="utf-8") == text
    assert SHOWN in (json.loads(text)["message"] if structured else text)
    assert visible(text) == text


@pytest.mark.parametrize("kind", [DatasetGenerationError, ModelBadRequestError])
def test_no_traceback_steers_a_terminal(kind: type[DataDesignerError]) -> None:
    """An error that nobody catches is printed by Python itself; it travels between processes as it was."""
    error = pickle.loads(pickle.dumps(kind(HOSTILE)))  # noqa: S301 - it is ours
    assert str(error) == SHOWN
    assert error.args[0] == HOSTILE
    assert SHOWN in "".join(traceback.format_exception(error))


def test_what_others_say_makes_no_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A reply of several lines, one of them like a line of ours, is one entry."""
    caplog.handler.setFormatter(_handler(OutputConfig(io.StringIO())).formatter)
    logging.getLogger("data_designer.x").error("it said %s", "yes\n[12:00:00] [INFO] all is well")
    assert caplog.text.splitlines()[1:] == ["    [12:00:00] [INFO] all is well"]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def logged(stream: io.StringIO, *, structured: bool = False) -> str:
    """What a long warning is in a stream."""
    handler = _handler(OutputConfig(stream, structured))
    message = "stopped; to go on: data-designer resume /a/long/path/to/the/dataset, or the same script once more"
    handler.emit(logging.LogRecord("data_designer.x", logging.WARNING, "", 0, message, (), None))
    return stream.getvalue()


def test_log_lines_fit_a_terminal_and_commands_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further lines are indented; elsewhere a line stays one line."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    lines = logged(Terminal()).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 60
    assert all(line.startswith("    ") for line in lines[1:])
    assert any("data-designer resume /a/long/path/to/the/dataset," in line for line in lines)
    assert logged(io.StringIO()).count("\n") == 1
    assert json.loads(logged(Terminal(), structured=True))["message"].startswith("stopped; to go on")


def test_levels_have_colours_on_a_terminal_that_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere else, and not where NO_COLOR is set."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[33m[WARNING]\x1b[0m stopped" in logged(Terminal())
    assert "\x1b" not in logged(io.StringIO())
    assert "\x1b" not in logged(Terminal(), structured=True)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert "\x1b" not in logged(Terminal())


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("one two three", None, "one two three"),
        ("one two three", 80, "one two three"),
        ("one two three", 8, "one two\n  three"),
        ("  - one two three\nfour", 10, "  - one\n    two\n    three\nfour"),
        ("a " + "x" * 20, 10, "a\n  " + "x" * 20),
        ("say data-designer resume /a/b now", 20, "say\n  data-designer resume /a/b\n  now"),
    ],
)
def test_lines_of_some_width(text: str, width: int | None, expected: str) -> None:
    """Indented further than the line that they belong to; words and commands are not cut."""
    assert wrapped(text, width, "  ") == expected


def test_no_line_of_the_command_line_steers_a_terminal() -> None:
    """What is printed, to either stream."""
    app = typer.Typer()

    @app.command()
    def tell() -> None:
        say(HOSTILE)
        say(HOSTILE, err=True)

    done: Any = CliRunner().invoke(app, [])
    assert done.stdout == done.stderr == f"{SHOWN}\n"


@pytest.mark.parametrize(("shell", "there"), [(None, False), (object(), False), (SimpleNamespace(kernel=1), True)])
def test_in_a_notebook_nothing_is_logged_in_red(monkeypatch: pytest.MonkeyPatch, shell: Any, there: bool) -> None:
    """There standard error is; IPython on a terminal, or imported by somebody, is no notebook."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is there
    assert LoggingConfig.default().output_configs[0].destination is (sys.stdout if there else sys.stderr)


def test_a_terminal_is_as_wide_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is none, or can move no cursor, has no width."""
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setenv("TERM", "xterm")
    assert columns_of(Terminal()) == 77
    closed = io.StringIO()
    closed.close()
    assert [columns_of(stream) for stream in (None, closed, io.StringIO())] == [None] * 3
    monkeypatch.setenv("TERM", "dumb")
    assert columns_of(Terminal()) is None
