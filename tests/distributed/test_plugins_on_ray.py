"""Columns of installed plugins on workers: their code is imported there, not sent."""

import json
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


def test_the_code_of_a_plugin_is_not_sent(tmp_path: Path) -> None:
    """A process without the package cannot read the plan, and says which package it lacks."""
    packed = tmp_path / "plan"
    environment = install(tmp_path)
    plan = f"""{HEAD}
from pathlib import Path
from data_designer.distributed.pickling import pack
from data_designer.plan.model import Geometry
designer = DataDesigner({str(tmp_path)!r})
Path({str(packed)!r}).write_bytes(pack(designer._prepare(declared(), 3).plan))
"""
    run(environment, plan)
    read = f"""
from pathlib import Path
from ray import cloudpickle
try:
    print(cloudpickle.loads(Path({str(packed)!r}).read_bytes()).output_columns)
except ImportError as error:
    print(error)
"""
    assert "place" in run(environment, read)[0]
    without = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    without["PYTHONPATH"] = ":".join(path for path in sys.path if path)
    assert "No module named 'plugged'" in run(without, read)[0]
