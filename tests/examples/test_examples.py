"""Every example runs."""

import runpy
from pathlib import Path

import pytest

import data_designer.config as dd
from data_designer.interface import DataDesigner

pytestmark = pytest.mark.usefixtures("processes")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_makes_records(name: str, tmp_path: Path) -> None:
    """Its builder previews, and every record has every column."""
    example = runpy.run_path(str(EXAMPLES / name), run_name="example")
    load = example["load_config_builder"]
    builder = load(dd.DataDesignerScriptParams()) if load.__code__.co_argcount else load()
    results = DataDesigner(tmp_path, mcp_providers=example.get("MCP_PROVIDERS")).preview(builder, num_records=3)
    assert results.dataset is not None
    assert len(results.dataset) == 3
    assert results.dataset.notna().all().all()
