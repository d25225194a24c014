"""Columns of installed plugins on workers: their code is imported there, not sent."""

import json
import os
import sys
from pathlib import Path

import pytest
from tests.distributed.head import Head
from tests.plugin_package import install, run

DECLARED = """
import data_designer.config as dd
from data_designer.interface import DataDesigner

def declared():
    built = dd.DataDesignerConfigBuilder(model_configs=[])
    built.add_column(name="word", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(name="back", column_type="mirrored-text", of="word")
    built.add_column(name="place", column_type="ranked", of="back_length")
    built.add_column(name="later", column_type="awaited", of="back")
    return built
"""
CONNECTED = """
import os, ray

# The head was started without the package.
found = {"PYTHONPATH": os.environ["PYTHONPATH"]}
ray.init(address="ADDRESS", runtime_env={"env_vars": found}, log_to_driver=False, logging_level="ERROR")
"""


def test_workers_make_what_one_process_makes(head: Head, tmp_path: Path) -> None:
    """With the same seed, row by row."""
    code = f"""{DECLARED}{CONNECTED.replace("ADDRESS", head.ray)}
for executor in ("inline", "ray"):
    designer = DataDesigner({str(tmp_path)!r})
    designer.set_run_config(dd.RunConfig(seed=1, buffer_size=20, executor=executor))
    print(designer.create(declared(), num_records=60, dataset_name=executor).load_dataset().to_json(orient="records"))
"""
    inline, on_ray = map(json.loads, run(install(tmp_path), code)[0].splitlines())
    assert len(inline) == 60
    assert all(row["back"] == row["word"][::-1] for row in inline)
    assert on_ray == inline


def test_a_node_that_cannot_make_a_plugin_s_column_is_named_before_anything_is_made(head: Head, tmp_path: Path) -> None:
    """Another has its plugins turned off."""
    code = f"""{DECLARED}{CONNECTED.replace("ADDRESS", head.ray)}
designer = DataDesigner({str(tmp_path)!r})
designer.set_run_config(dd.RunConfig(seed=1, executor="ray"))
try:
    designer.create(declared(), num_records=60, dataset_name="d")
except Exception as error:
    print(type(error.__cause__).__name__, error)
"""
    node = head.join(DISABLE_DATA_DESIGNER_PLUGINS="true")
    try:
        said = run(install(tmp_path), code)[0]
    finally:
        head.end(node)
    assert said.startswith("CodeDoesNotTravelError node ")
    assert "no installed plugin makes 'mirrored-text' columns" in said
    assert not list((tmp_path / "d").rglob("*.parquet"))


PACK = f"""{DECLARED}
from pathlib import Path
from data_designer.distributed.code_transport import pack
Path("FOLDER", "plan").write_bytes(pack(DataDesigner("FOLDER")._prepare(declared(), 3).plan))
"""
LACKING = """
from pathlib import Path
from data_designer.distributed.preflight import _lacking
for plan in PLANS:
    print(_lacking(Path(plan).read_bytes()))
"""


def packed(folder: Path, *, linked: bool = False) -> str:
    """Where a plan is that a process has packed in which the package is installed, in one way or the other."""
    environment = install(folder)
    if linked:
        (folder / "plugged-1.0.dist-info" / "RECORD").write_text("_plugged.pth,,\n")
    run(environment, PACK.replace("FOLDER", str(folder)))
    return str(folder / "plan")


def lacking(environment: dict[str, str], *plans: str) -> list[str]:
    """What a process says that it lacks for plans."""
    return run(environment, LACKING.replace("PLANS", repr(plans)))[0].splitlines()


@pytest.fixture(scope="module")
def plan(processes: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One that was packed where the package is copied."""
    return packed(tmp_path_factory.mktemp("copied"))


def test_the_code_of_a_plugin_is_not_sent(plan: str, tmp_path: Path) -> None:
    """A process without the package says which it lacks, however the package was installed where the plan was made."""
    plans = [plan, packed(tmp_path, linked=True)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    assert lacking(environment, *plans) == 2 * ["None"]
    without = {**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert lacking(without, *plans) == 2 * ["No module named 'plugged'"]


@pytest.mark.parametrize(
    ("name", "text", "variables", "said"),
    [
        ("configs", "", {}, "Can't get attribute 'Mirrored'"),
        ("work", "import a_library_that_is_not_there", {}, "No module named 'a_library_that_is_not_there'"),
        (None, "", {"DISABLE_DATA_DESIGNER_PLUGINS": "true"}, "no installed plugin makes 'mirrored-text' columns"),
    ],
    ids=["another version", "a library is missing", "turned off"],
)
def test_what_a_process_has_not_got_of_a_plugin_is_named(
    plan: str, tmp_path: Path, name: str | None, text: str, variables: dict[str, str], said: str
) -> None:
    """Also what only the class needs that makes the column, which reading the plan does not import."""
    environment = {**install(tmp_path), **variables}
    if name is not None:
        (tmp_path / "plugged" / f"{name}.py").write_text(text)
    assert said in lacking(environment, plan)[0]
