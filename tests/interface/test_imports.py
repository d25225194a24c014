"""What is imported when: a library that takes long to import is imported where it is used."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply

from data_designer.interface import making

FEATURES = frozenset({
    "faker", "json_repair", "jsonschema", "jsonschema_rs", "obstore", "openai", "pandas", "pyarrow.compute",
    "pyarrow.csv", "pyarrow.dataset", "ray", "rich", "ruff", "scipy", "sqlfluff", "typer", "yaml",
})  # fmt: skip
"""What only some configurations, or only who looks at the data, need."""

CREATE = """
import data_designer.config as dd
from data_designer.interface import DataDesigner
m = dd.ModelConfig(alias="m", model="m", provider="p")
b = dd.DataDesignerConfigBuilder(model_configs=[m])
b.add_column(name="c", column_type="sampler", sampler_type="category", params={{"values": ["tea", "rain"]}})
b.add_column(name="n", column_type="sampler", sampler_type="uniform", params={{"low": 1, "high": 2}})
{more}
d = DataDesigner("out", model_providers=[dd.ModelProvider(name="p", endpoint="{url}")])
d.set_run_config(dd.RunConfig(executor="inline"))
d.create(b, num_records=2)
"""
TEXT = 'b.add_column(name="t", column_type="llm-text", prompt="Write about {{ c }}", model_alias="m")'


def imported(code: str, folder: Path) -> set[str]:
    """Modules that are there after some code was run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        cwd=folder,
        env={**os.environ, "DATA_DESIGNER_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.usefixtures("processes")
def test_the_interface_imports_nothing_that_only_a_run_needs(tmp_path: Path) -> None:
    """Neither the libraries of single features, nor HTTP, nor the engine."""
    there = imported("from data_designer.interface import DataDesigner", tmp_path)
    assert sorted((FEATURES | {"aiohttp", "asyncio", "data_designer.engine", "pyarrow.parquet"}) & there) == []


@pytest.mark.usefixtures("processes")
def test_a_run_imports_no_library_of_a_feature_that_it_does_not_use(
    endpoint: Callable[..., Endpoint], tmp_path: Path
) -> None:
    """Samplers and text, written to Parquet: not even pandas, which is for who gets or gives a DataFrame."""
    with endpoint(lambda _: Reply("tea")) as server:
        there = imported(CREATE.format(url=server.url, more=TEXT), tmp_path)
    assert (tmp_path / "out/dataset/parquet-files/batch_00000.parquet").is_file()
    assert sorted(FEATURES & there) == []


@pytest.mark.usefixtures("processes")
def test_a_run_without_models_imports_no_http(tmp_path: Path) -> None:
    """Samplers ask nobody."""
    there = imported(CREATE.format(url="http://127.0.0.1:9/v1", more=""), tmp_path)
    assert sorted((FEATURES | {"aiohttp"}) & there) == []


@pytest.mark.usefixtures("processes")
def test_the_help_of_the_command_line_imports_no_library_of_the_engine(tmp_path: Path) -> None:
    """What a command needs is imported by that command."""
    code = (
        "import contextlib\nsys.argv = ['data-designer', 'create', '--help']\n"
        "from data_designer.cli.main import main\nwith contextlib.suppress(SystemExit): main()"
    )
    there = imported(code, tmp_path)
    assert sorted((FEATURES - {"rich", "typer"} | {"aiohttp", "jinja2", "numpy", "pyarrow"}) & there) == []


def timers() -> list[threading.Thread]:
    """Those that run."""
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.mark.parametrize(("seconds", "is_there"), [(0.0, True), (3600.0, False)])
def test_a_module_is_imported_while_a_run_waits(
    monkeypatch: pytest.MonkeyPatch, seconds: float, *, is_there: bool
) -> None:
    """In a thread, a moment after its beginning; a run that is over by then leaves no thread."""
    monkeypatch.setattr(making, "_BEGINNING", seconds)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with making._imported_meanwhile("colorsys"):
        for timer in timers() if is_there else ():
            timer.join()
    for timer in timers():
        timer.join(10)
    assert not timers()
    assert ("colorsys" in sys.modules) == is_there
