"""Judges code: Python by ruff, SQL by sqlfluff's parser."""

import ast
import errno
import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypedDict

from data_designer.errors import DataDesignerRuntimeError

_RUFF_OPTIONS: Final = (
    "--isolated",
    "--no-cache",
    "--no-respect-gitignore",
    "--exit-zero",
    "--target-version=py313",
    "--select=E,F6,F7,F8,SIM,PLC,PLE,PLR,PLW",
    "--output-format=json",
)
_SEVERITIES: Final = ("none", "refactor", "convention", "warning", "error", "fatal")
_TYPES: Final = {
    "E": "refactor",
    "F": "error",
    "SIM": "refactor",
    "PLC": "convention",
    "PLE": "error",
    "PLR": "refactor",
    "PLW": "warning",
}
_SYNTAX_ERRORS: Final = frozenset({None, "invalid-syntax", "SyntaxError", "E999"})
"""What the versions of ruff call code that does not parse."""
_BODIES: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements hold statements, or the handlers and cases that do."""
_IN_MEMORY: Final = "/dev/shm"  # noqa: S108 - folders with names of their own are made in it
"""Making a file there costs a twentieth of making one on some disks, and workers do not get into each other's way."""
_ONE_THREAD: Final = {"RAYON_NUM_THREADS": "1"}
"""How much runs at once is for the number of workers to say."""
_FAMILY: Final = re.compile(r"[A-Z]+")
_BARE_DECIMAL: Final = re.compile(r"\bDECIMAL\s*\(\s*\d+\s*\)", re.IGNORECASE)

Verdict = dict[str, object]


class _Place(TypedDict):
    row: int
    column: int


class _Finding(TypedDict):
    """What ruff says of a piece."""

    filename: str
    code: str | None
    location: _Place
    message: str


class _Message(TypedDict):
    type: str
    symbol: str
    line: int
    column: int
    message: str


class Linter(Protocol):
    """Judges pieces of code, many at a time."""

    def verdicts(self, codes: Sequence[str | None]) -> list[Verdict]:
        """Judge each piece; one that is not there is neither valid nor invalid."""
        ...


class PythonLinter:
    """Judges Python code with one ruff process for all pieces it is given."""

    def verdicts(self, codes: Sequence[str | None]) -> list[Verdict]:
        """Judge each piece.

        Raises:
            DataDesignerRuntimeError: ruff does not run.
        """
        findings = _ruff({place: code for place, code in enumerate(codes) if code is not None})
        return [
            _NO_PYTHON.copy() if code is None else _python_verdict(code, findings.get(place, []))
            for place, code in enumerate(codes)
        ]


class SqlLinter:
    """Judges SQL of one dialect: it is valid if it parses and its decimals have a scale."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def verdicts(self, codes: Sequence[str | None]) -> list[Verdict]:
        """Judge each piece."""
        return [_NO_SQL.copy() if code is None else self._verdict(code) for code in codes]

    def _verdict(self, code: str) -> Verdict:
        try:
            violations = self._parser.parse_string(code).violations
            messages = [found.desc() for found in violations if found.rule_code().startswith("PRS")]
        except Exception as error:  # noqa: BLE001 - code that breaks the parser is not valid
            messages = [f"{type(error).__name__}: {error}"]
        if bare := _BARE_DECIMAL.search(code):
            messages.append(f"{bare.group()} has no scale: write the digits after the point as well")
        return {"is_valid": not messages, "error_messages": "\n".join(messages)}

    @cached_property
    def _parser(self) -> Any:
        _silence("sqlfluff")
        from sqlfluff.core import FluffConfig, Linter

        # Generated code is no template: nothing in it is to be expanded.
        return Linter(config=FluffConfig(overrides={"dialect": self._dialect, "templater": "raw"}))


def _silence(name: str) -> None:
    """Keep a library's log to itself, unless somebody has asked for it: what it finds is in the verdicts."""
    logger = logging.getLogger(name)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)


def ruff_path() -> str | None:
    """Find the ruff that is installed beside this library, else one on the PATH."""
    return shutil.which("ruff", path=sysconfig.get_path("scripts")) or shutil.which("ruff")


def sql_is_available() -> bool:
    """Tell whether the extra that judges SQL is installed."""
    return importlib.util.find_spec("sqlfluff") is not None


_NO_PYTHON: Final[Verdict] = {
    "is_valid": None,
    "python_linter_score": None,
    "python_linter_severity": None,
    "python_linter_messages": None,
}
_NO_SQL: Final[Verdict] = {"is_valid": None, "error_messages": None}


@contextmanager
def _folder_of(codes: Mapping[int, str]) -> Iterator[str]:
    """Give a folder with a file a piece, in memory where the machine has a file system there and room in it."""
    with ExitStack() as exits:
        for place in (_IN_MEMORY, None) if Path(_IN_MEMORY).is_dir() else (None,):
            try:
                folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="data-designer-lint-", dir=place))
                for key, code in codes.items():
                    _write(f"{folder}/code_{key}.py", code.encode("utf-8", "replace"))
                break
            except OSError:
                exits.close()
                if place is None:
                    raise
        yield folder
        for key in codes:  # Where the names are known, that is much quicker than walking the folder.
            os.unlink(f"{folder}/code_{key}.py")  # noqa: PTH108 - a Path takes longer to make than a file to remove


def _write(path: str, content: bytes) -> None:
    """Make a file, at a third of what `Path.write_bytes` takes. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.write(file, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(file)


def _ruff(codes: Mapping[int, str]) -> dict[int, list[_Finding]]:
    """Lint pieces of code; gives ruff's findings by the piece's key."""
    if not codes:
        return {}
    ruff = ruff_path()
    if ruff is None:
        raise DataDesignerRuntimeError("ruff, which judges Python code, is not installed; install it with pip")
    with _folder_of(codes) as folder:
        done = subprocess.run(  # noqa: S603 - a fixed program with fixed options, no shell
            [ruff, "check", *_RUFF_OPTIONS, "."],
            cwd=folder,
            env=os.environ | _ONE_THREAD,
            capture_output=True,
            check=False,
        )
    if done.returncode != 0:
        raise DataDesignerRuntimeError(
            f"ruff, which judges Python code, ended with status {done.returncode}: "
            f"{done.stderr.decode(errors='replace').strip()[:500]}"
        )
    found: dict[int, list[_Finding]] = {}
    for finding in json.loads(done.stdout):
        place = int(Path(finding["filename"]).stem.removeprefix("code_"))
        found.setdefault(place, []).append(finding)
    return found


def _python_verdict(code: str, findings: Sequence[_Finding]) -> Verdict:
    messages: list[_Message] = [
        {
            "type": _message_type(finding["code"]),
            "symbol": finding["code"] or "invalid-syntax",
            "line": finding["location"]["row"],
            "column": finding["location"]["column"],
            "message": finding["message"],
        }
        for finding in findings
    ]
    messages.sort(key=lambda message: (-_SEVERITIES.index(message["type"]), message["line"], message["column"]))
    severity = messages[0]["type"] if messages else "none"
    return {
        "is_valid": severity not in ("error", "fatal"),
        "python_linter_score": 0.0 if severity == "fatal" else _score(code, messages),
        "python_linter_severity": severity,
        "python_linter_messages": messages,
    }


def _message_type(rule: str | None) -> str:
    if rule in _SYNTAX_ERRORS:
        return "fatal"
    family = _FAMILY.match(rule or "")
    return _TYPES.get(family.group(), "warning") if family else "warning"


def _score(code: str, messages: Sequence[_Message]) -> float:
    """Give 10 less the weight of the messages per statement, never below 0."""
    if not messages:
        return 10.0
    count = Counter(message["type"] for message in messages)
    weight = 5 * count["error"] + count["warning"] + count["refactor"] + count["convention"]
    return max(0.0, 10.0 - weight / _statements(code) * 10)


def _statements(code: str) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 1
    return _count(tree.body) or 1


def _count(statements: list[ast.stmt]) -> int:
    """Count statements and those inside them; expressions, most of a tree, hold none and are not looked into."""
    count = 0
    waiting: list[ast.AST] = [*statements]
    while waiting:
        node = waiting.pop()
        count += isinstance(node, ast.stmt)
        for name in _BODIES:
            waiting += getattr(node, name, ())
    return count
