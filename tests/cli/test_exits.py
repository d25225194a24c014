"""How commands end: one line for what the user can mend, and a way to more for what nobody foresaw."""

import socket

import pytest
import typer
from tests.cli.commands import run

from data_designer.cli.exits import errors_in_one_line
from data_designer.errors import ArtifactStorageError, DataDesignerGenerationError, InvalidConfigError


def chained(error: Exception, cause: Exception) -> Exception:
    """An error that was raised because of another."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvalidConfigError("two columns"), "❌ two columns\n"),
        (OSError("the disk is full"), "❌ the disk is full\n"),
        (KeyError("x"), "❌ KeyError: 'x' (--debug shows where)\n"),
        (chained(DataDesignerGenerationError("no column"), InvalidConfigError("no column")), "❌ no column\n"),
        (chained(DataDesignerGenerationError("no space"), OSError("no space")), "❌ no space\n"),
        (
            chained(DataDesignerGenerationError("KeyError: 'x'"), KeyError("x")),
            "❌ KeyError: 'x' (--debug shows where)\n",
        ),
    ],
)
def test_an_error_is_one_line(error: Exception, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 1."""
    with pytest.raises(typer.Exit) as left, errors_in_one_line(debug=False):
        raise error
    assert left.value.exit_code == 1
    assert capsys.readouterr().err == said


def test_a_traceback_is_shown_once_and_is_that_of_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it was asked for."""

    def fail() -> None:
        raise KeyError("deep down")

    def run() -> None:
        try:
            fail()
        except KeyError as error:
            raise DataDesignerGenerationError("KeyError: 'deep down'") from error

    with pytest.raises(typer.Exit), errors_in_one_line(debug=True):
        run()
    said = capsys.readouterr().err
    assert said.count("Traceback (most recent call last)") == 1
    assert "in fail" in said
    assert said.endswith("❌ KeyError: 'deep down'\n")


def test_an_error_without_a_cause_has_its_own_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, too."""
    with pytest.raises(typer.Exit), errors_in_one_line(debug=True):
        raise ArtifactStorageError("gone")
    assert capsys.readouterr().err.count("Traceback (most recent call last)") == 1


@pytest.mark.usefixtures("sockets")
def test_a_port_that_is_taken_is_named() -> None:
    """And what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run("serve-sim", "--port", port)
    assert code == 1
    assert f"❌ port {port} is taken by another process; give another --port, or 0 for a free one" in said
