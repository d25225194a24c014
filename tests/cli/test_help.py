"""The help of the command line: complete, with examples, and readable at 80 columns."""

import shlex
from collections.abc import Iterator

import click
import pytest
import typer
from typer.testing import CliRunner

from data_designer.cli.main import app
from data_designer.config.version import get_library_version

GROUP = typer.main.get_command(app)


def commands(
    group: click.Command = GROUP, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, with the words that lead to it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


PATHS = [path for path, _ in commands()]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_and_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    """In the help of each, which is no wider than a terminal."""
    command = dict(commands())[path]
    assert command.help
    assert all(getattr(one, "help", None) for one in command.params)
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    assert CliRunner().invoke(app, [*path, "-h"], env={"COLUMNS": "80"}).output == result.output


def test_examples_are_commands_that_there_are() -> None:
    """With options that there are."""
    shown = [(path, line) for path, one in commands() for line in (one.epilog or "").split("\n\n")[1:]]
    assert {path for path, _ in shown} >= {(), ("create",), ("resume",), ("serve-sim",)}
    known = dict(commands())
    assert max(len(line) for _, line in shown) <= 78
    for path, line in shown:
        program, name, *words = shlex.split(line)
        assert program == "data-designer"
        assert not path or path == (name,)
        options = {option for one in known[(name,)].params for option in one.opts}
        assert {word for word in words[: words.index("--") if "--" in words else None] if word[0] == "-"} <= options


@pytest.mark.parametrize(
    ("given", "meant"), [(["crate"], "create"), (["retry_failed"], "retry-failed"), (["job", "log"], "logs")]
)
def test_a_command_that_is_not_there_is_answered_by_the_one_that_was_meant(given: list[str], meant: str) -> None:
    """Exit code 2, as for every wrong use."""
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


def test_an_option_that_is_not_there_is_answered_too() -> None:
    """Of the command that was given."""
    result = CliRunner().invoke(app, ["create", "x.yaml", "--num-record", "3"])
    assert result.exit_code == 2
    assert "--num-records" in result.output


def test_the_version() -> None:
    """And nothing else."""
    assert CliRunner().invoke(app, ["--version"]).output == f"{get_library_version()}\n"
