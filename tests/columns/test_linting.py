"""Judging code: severities, scores, syntax errors, and one process for many pieces."""

import argparse
import ast
import dataclasses
import errno
import importlib.util
import inspect
import logging
import typing
from pathlib import Path
from typing import Any

import pytest

from data_designer.columns import linting
from data_designer.columns.linting import PythonLinter, SqlLinter, _statements, sql_is_available

needs_sql = pytest.mark.skipif(importlib.util.find_spec("sqlfluff") is None, reason="the extra `sql` is not installed")


def python(code: str) -> dict[str, Any]:
    """Judge one piece of Python."""
    return PythonLinter().verdicts([code])[0]


@pytest.mark.usefixtures("processes")
def test_clean_code_is_valid_with_full_score() -> None:
    """Nothing is found, so nothing is subtracted."""
    assert python("x = 1\nprint(x)\n") == {
        "is_valid": True,
        "python_linter_score": 10.0,
        "python_linter_severity": "none",
        "python_linter_messages": [],
    }


@pytest.mark.usefixtures("processes")
def test_an_undefined_name_is_an_error() -> None:
    """The message says what and where; five points of each statement are lost."""
    verdict = python("x = y\nz = 1\nprint(x, z)\nprint(1)\n")
    assert verdict["is_valid"] is False
    assert verdict["python_linter_severity"] == "error"
    assert verdict["python_linter_score"] == 0.0
    assert verdict["python_linter_messages"] == [
        {"type": "error", "symbol": "F821", "line": 1, "column": 5, "message": "Undefined name `y`"}
    ]


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("code", ["def f(:\n    pass\n", "x = = 1", "def f():\nreturn 1", "print 'x'"])
def test_a_syntax_error_is_fatal(code: str) -> None:
    """Code that does not parse is not valid, and its score is zero."""
    verdict = python(code)
    assert verdict["is_valid"] is False
    assert verdict["python_linter_severity"] == "fatal"
    assert verdict["python_linter_score"] == 0.0
    assert verdict["python_linter_messages"][0]["type"] == "fatal"


@pytest.mark.usefixtures("processes")
def test_style_alone_is_valid_with_a_lower_score() -> None:
    """One finding in two statements costs five points."""
    verdict = python("x = None\nprint(x == None)\n")
    assert verdict["is_valid"] is True
    assert verdict["python_linter_severity"] == "refactor"
    assert verdict["python_linter_score"] == 5.0


@pytest.mark.usefixtures("processes")
def test_the_worst_messages_come_first() -> None:
    """Then they are in the order of the lines."""
    messages = python("a = 1\nb = a == None\nc = nowhere\nd = a == None\n")["python_linter_messages"]
    assert [(m["type"], m["line"]) for m in messages] == [("error", 3), ("refactor", 2), ("refactor", 4)]


@pytest.mark.usefixtures("processes")
def test_code_that_is_not_there_has_no_verdict() -> None:
    """All keys are there and null, so that a column has one form."""
    verdicts = PythonLinter().verdicts([None, "x = 1", None])
    assert [verdict["is_valid"] for verdict in verdicts] == [None, True, None]
    assert verdicts[0].keys() == verdicts[1].keys()


@pytest.mark.usefixtures("processes")
def test_each_of_many_pieces_gets_its_own_verdict() -> None:
    """Findings find their way back, however many pieces are judged at once."""
    verdicts = PythonLinter().verdicts([f"x = {'y' if n % 3 == 0 else n}" for n in range(60)])
    assert [verdict["is_valid"] for verdict in verdicts] == [n % 3 != 0 for n in range(60)]


def test_without_code_no_process_is_started() -> None:
    """A block of skipped cells costs nothing."""
    assert PythonLinter().verdicts([]) == []


@pytest.mark.usefixtures("processes")
def test_odd_text_is_judged_like_any_other() -> None:
    """Null bytes, lone surrogates and text that warns on compiling do no harm."""
    verdicts = PythonLinter().verdicts(["x = '\\d'", "\x00", "x = '\ud800'", "1 is 1"])
    assert len(verdicts) == 4


def test_sql_is_available_when_its_extra_is() -> None:
    """The plan asks before a run."""
    assert sql_is_available() == (importlib.util.find_spec("sqlfluff") is not None)


@needs_sql
@pytest.mark.parametrize(
    ("code", "valid", "part"),
    [
        ("SELECT 1", True, ""),
        ("SELEC 1 FROM", False, "unparsable"),
        ("SELECT a FROM t WHERE", False, "unparsable"),
        ("CREATE TABLE t (a DECIMAL(10))", False, "DECIMAL(10) has no scale"),
        ("CREATE TABLE t (a DECIMAL(10, 2))", True, ""),
        ("SELECT {{ x }}", False, "unparsable"),
    ],
)
def test_sql_is_valid_if_it_parses(code: str, valid: bool, part: str) -> None:
    """Decimals need a scale, and templates are not expanded."""
    (verdict,) = SqlLinter("ansi").verdicts([code])
    assert verdict["is_valid"] is valid
    assert part in verdict["error_messages"]


@needs_sql
def test_nothing_but_the_verdict_speaks_of_sql(caplog: pytest.LogCaptureFixture) -> None:
    """The parser's own log is silent, also about code that it cannot read or that would configure it."""
    logger = logging.getLogger("sqlfluff")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    try:
        with caplog.at_level(logging.DEBUG):
            SqlLinter("postgres").verdicts(["SELECT 1", "SELEC ` ' 1 \x00", "-- sqlfluff:dialect:none:x\nSELECT 1"])
        assert caplog.records == []
        logger.setLevel(logging.WARNING)
        SqlLinter("postgres").verdicts(["SELECT 1"])
        assert logger.level == logging.WARNING  # Somebody has asked for it.
    finally:
        logger.setLevel(before)


@needs_sql
def test_sql_that_is_not_there_has_no_verdict() -> None:
    """Both keys are null."""
    assert SqlLinter("ansi").verdicts([None]) == [{"is_valid": None, "error_messages": None}]


_NESTED = """
match x:
    case 1 if y:
        a = lambda: 1
    case _:
        try:
            pass
        except* ValueError:
            while z:
                break
            else:
                b = 1 if z else 2
        finally:
            async def f():
                async with g: return [i async for i in h]
"""


@pytest.mark.parametrize("code", ["", _NESTED, *map(inspect.getsource, (argparse, ast, dataclasses, typing, inspect))])
def test_every_statement_counts_however_deep_it_stands(code: str) -> None:
    """The score is per statement, and expressions hold none."""
    assert _statements(code) == (sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(code))) or 1)


@pytest.mark.usefixtures("processes")
def test_a_memory_file_system_without_room_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the files do not fit into memory they are put where temporary files go."""
    full = tmp_path / "full"
    full.mkdir()
    made = Path.write_bytes

    def write(path: Path, content: bytes) -> int:
        if full in path.parents:
            raise OSError(errno.ENOSPC, "no room")
        return made(path, content)

    monkeypatch.setattr(linting, "_IN_MEMORY", str(full))
    monkeypatch.setattr(Path, "write_bytes", write)
    assert [verdict["is_valid"] for verdict in PythonLinter().verdicts(["x = 1\n", "def f(:\n"])] == [True, False]
    assert list(full.iterdir()) == []
