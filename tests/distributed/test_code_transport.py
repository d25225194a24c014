"""How functions of the user reach other processes, and what is said of those that cannot."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jinja2.utils import urlize

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.distributed.code_transport import pack
from data_designer.errors import CodeDoesNotTravelError
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan

READS = """
import sys
from pathlib import Path
from ray import cloudpickle

plan = cloudpickle.loads(Path(sys.argv[1]).read_bytes())
print(*(column.generator_function({"n": 3}) for column in plan.config.columns if column.name != "n"))
"""

WRITES = """
import sys
from pathlib import Path
from tests.distributed.test_code_transport import plan_of
from data_designer.distributed.code_transport import pack

FACTOR = 7

def helper(value):
    return value * FACTOR

def mine(row):
    return {"x": helper(row["n"])}

Path(sys.argv[1]).write_bytes(pack(plan_of(mine)))
"""


def plan_of(*functions: Callable[..., Any]) -> Plan:
    """A plan with a custom column a function; they are called x0, x1 and so on."""
    built = dd.DataDesignerConfigBuilder(model_configs=[])
    built.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    for number, function in enumerate(functions):
        made = dd.custom_column_generator(required_columns=["n"])(function)
        built.add_column(dd.CustomColumnConfig(name=f"x{number}", generator_function=made))
    return compile_plan(built.build(), {}, dd.RunConfig(), Geometry(4, 4), seed=1, kinds=KINDS)


def elsewhere(code: str, *arguments: Path, cwd: Path) -> str:
    """What a program prints that is run in another process, in a folder that has nothing of ours."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=cwd,
        env={"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_function_of_a_script_travels_with_what_it_uses(processes: None, tmp_path: Path) -> None:
    """One of `__main__`, its helper and a constant of theirs."""
    elsewhere(WRITES, tmp_path / "plan", cwd=tmp_path)
    assert elsewhere(READS, tmp_path / "plan", cwd=tmp_path) == "{'x': 21}"


def test_a_module_beside_the_script_travels_too(
    processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the modules beside it that it imports; the process that runs it has none of them."""
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "my_columns.py").write_text(
        "from my_helpers import double\n\ndef mine(row):\n    return double(row['n'])\n"
    )
    (beside / "my_helpers.py").write_text("def double(value):\n    return 2 * value\n")
    monkeypatch.syspath_prepend(beside)
    import my_columns  # type: ignore[import-not-found]

    (tmp_path / "plan").write_bytes(pack(plan_of(my_columns.mine)))
    assert elsewhere(READS, tmp_path / "plan", cwd=tmp_path) == "6"


def test_code_is_the_same_where_it_arrives(processes: None, tmp_path: Path) -> None:
    """Workers have the driver's digests with the plan, and would find no others: nothing of a function is lost."""
    elsewhere(WRITES, tmp_path / "plan", cwd=tmp_path)
    found = elsewhere(
        """
        import sys
        from pathlib import Path
        from ray import cloudpickle
        from data_designer.columns.registry import KINDS
        from data_designer.plan.fingerprints import code_of

        plan = cloudpickle.loads(Path(sys.argv[1]).read_bytes())
        print(*plan.code["x0"].parts, sep=", ")
        print(plan.code["x0"] == code_of(next(column for column in plan.config.columns if column.name == "x0"), KINDS))
        """,
        tmp_path / "plan",
        cwd=tmp_path,
    )
    assert found.splitlines() == ["constant FACTOR, function helper, function mine", "True"]


def test_what_is_installed_goes_by_name() -> None:
    """A function of a package is found in that package, which the workers must have as well."""
    packed = pack(plan_of(lambda row: urlize(row["n"])))
    assert b"jinja2.utils" in packed
    assert b"trim_url_limit" not in packed


LOCK = threading.Lock()


class Client:
    """Something with a connection."""

    def __init__(self) -> None:
        self.connection = threading.Lock()

    def fetch(self, row: dict[str, Any]) -> dict[str, Any]:
        """Use it."""
        with self.connection:
            return row


def _holding(held: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: (held, row)


def _with_default(row: dict[str, Any], generator_params: Any = LOCK) -> Any:
    return generator_params, row


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (_holding(LOCK), r"generator_function .*<lambda> captures 'held', a _thread.lock"),
        (_holding({"a": [1, LOCK]}), r"captures 'item 1', a _thread.lock, through a of held"),
        (_holding(Client()), r"captures 'connection', a _thread.lock, through held"),
        (_with_default, r"_with_default captures 'generator_params', a _thread.lock"),
        (partial(_with_default, generator_params=LOCK), r"captures 'generator_params', a _thread.lock"),
    ],
    ids=["closure", "nested", "attribute", "default", "partial"],
)
def test_what_cannot_be_sent_is_named(function: Callable[..., Any], says: str) -> None:
    """The column, the function, the thing, and the way to it."""
    with pytest.raises(CodeDoesNotTravelError, match=rf"column 'x0': .*{says}"):
        pack(plan_of(function))


def test_a_validator_s_method_travels_with_its_object_or_not_at_all() -> None:
    """What `self` holds is sent along."""
    built = dd.DataDesignerConfigBuilder(model_configs=[])
    built.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    checks = {"validation_function": Client().fetch}
    built.add_column(
        name="v",
        column_type="validation",
        target_columns=["n"],
        validator_type="local_callable",
        validator_params=checks,
    )
    plan = compile_plan(built.build(), {}, dd.RunConfig(), Geometry(4, 4), seed=1, kinds=KINDS)
    with pytest.raises(
        CodeDoesNotTravelError, match=r"Client.fetch captures 'connection', a _thread.lock, through self"
    ):
        pack(plan)


def test_all_that_cannot_be_sent_is_named_at_once() -> None:
    """So that nobody mends one after the other."""
    with pytest.raises(CodeDoesNotTravelError) as caught:
        pack(plan_of(_holding(LOCK), lambda row: row, _holding(Client())))
    assert [f"column 'x{number}'" in str(caught.value) for number in range(3)] == [True, False, True]
    assert "create such objects inside the function" in str(caught.value)
