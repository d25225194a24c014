"""Columns of installed plugins on workers: their code is imported there, not sent."""

import json
import os
import sys
from pathlib import Path

import pytest
from tests.plugin_package import install, run

HEAD = """
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


@pytest.mark.ray
def test_workers_make_what_one_process_makes(tmp_path: Path) -> None:
    """With the same seed, row by row."""
    code = f"""{HEAD}
for executor in ("inline", "ray"):
    designer = DataDesigner({str(tmp_path)!r})
    designer.set_run_config(dd.RunConfig(seed=1, buffer_size=20, executor=executor))
    print(designer.create(declared(), num_records=60, dataset_name=executor).load_dataset().to_json(orient="records"))
"""
    inline, on_ray = map(json.loads, run(install(tmp_path), code)[0].splitlines())
    assert len(inline) == 60
    assert all(row["back"] == row["word"][::-1] for row in inline)
    assert on_ray == inline


PACK = f"""{HEAD}
from pathlib import Path
from data_designer.distributed.pickling import pack
Path("FOLDER", "plan").write_bytes(pack(DataDesigner("FOLDER")._prepare(declared(), 3).plan))
"""
LACKING = """
from pathlib import Path
from data_designer.distributed.reach import _lacking
print(_lacking(Path("FOLDER", "plan").read_bytes()))
"""


@pytest.mark.parametrize("linked", [False, True], ids=["copied", "linked"])
def test_the_code_of_a_plugin_is_not_sent(tmp_path: Path, *, linked: bool) -> None:
    """A process without the package says which it lacks, however the package was installed where the plan was made."""
    environment = install(tmp_path)
    if linked:
        (tmp_path / "plugged-1.0.dist-info" / "RECORD").write_text("_plugged.pth,,\n")
    run(environment, PACK.replace("FOLDER", str(tmp_path)))
    lacking = LACKING.replace("FOLDER", str(tmp_path))
    assert run(environment, lacking)[0].strip() == "None"
    without = {**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert run(without, lacking)[0].strip() == "No module named 'plugged'"


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
    tmp_path: Path, name: str | None, text: str, variables: dict[str, str], said: str
) -> None:
    """Also what only the class needs that makes the column, which reading the plan does not import."""
    environment = install(tmp_path)
    run(environment, PACK.replace("FOLDER", str(tmp_path)))
    if name is not None:
        (tmp_path / "plugged" / f"{name}.py").write_text(text)
    assert said in run(environment, LACKING.replace("FOLDER", str(tmp_path)), **variables)[0]


@pytest.mark.ray
def test_a_node_that_cannot_make_a_plugin_s_column_is_named_before_anything_is_made(tmp_path: Path) -> None:
    """The second of two nodes has its plugins turned off."""
    code = f"""{HEAD}
import os, subprocess, sys, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={{"num_cpus": 1, "include_dashboard": False}})
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
second = subprocess.Popen(
    [Path(sys.executable).parent / "ray", "start", f"--address={{cluster.address}}", "--num-cpus=1", "--block"],
    env={{**os.environ, "DISABLE_DATA_DESIGNER_PLUGINS": "true"}},
    stdout=subprocess.DEVNULL,
)
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.1)
designer = DataDesigner({str(tmp_path)!r})
designer.set_run_config(dd.RunConfig(seed=1, executor="ray"))
try:
    designer.create(declared(), num_records=60, dataset_name="d")
except Exception as error:
    print(type(error.__cause__).__name__, error)
finally:
    second.terminate()
    second.wait()
    ray.shutdown()
    cluster.shutdown()
"""
    said = run(install(tmp_path), code, RAY_USAGE_STATS_ENABLED="0")[0]
    assert said.startswith("CodeDoesNotTravelError node ")
    assert "no installed plugin makes 'mirrored-text' columns" in said
    assert not list((tmp_path / "d").rglob("*.parquet"))
