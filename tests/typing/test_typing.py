"""The public API as a type checker of a user sees it: in strict mode, without plugins."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STRICT = (
    *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "--no-pretty"),
    f"--cache-dir={ROOT / '.mypy_cache' / 'users'}",
)


@pytest.mark.usefixtures("processes")
def test_type_checkers_accept_what_works_and_refuse_what_does_not() -> None:
    """Nothing is said of `accepted.py`, and in `refused.py` something of each line that is marked, and of no other."""
    files = ["accepted.py", "refused.py"]
    done = subprocess.run(
        [*STRICT, *files],
        cwd=HERE,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line for line in errors if not line.startswith("refused.py:")] == []
    said = {int(number) for number in re.findall(r"^refused\.py:(\d+): error", done.stdout, re.MULTILINE)}
    lines = enumerate((HERE / "refused.py").read_text().splitlines(), 1)
    assert {f"{n}: {line}" for n, line in lines if line.endswith("# refused") != (n in said)} == set()
