"""Metrics while a dataset is made."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.fakes import designer, model
from tests.loopback import free_port

import data_designer.config as dd


def fetched(port: int) -> str:
    """What a Prometheus would read."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        text: str = reply.read().decode()
    return text


def test_a_run_is_measured_while_it_lasts(simulated: str, tmp_path: Path) -> None:
    """After the last batch all of its cells, tokens and records have been counted; after the run nobody answers."""
    port, seen = free_port(), [""]
    built = dd.DataDesignerConfigBuilder(model_configs=[model("a")])
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(name="text", column_type="llm-text", model_alias="a", prompt="{{ id }}")
    maker = designer(simulated, tmp_path, buffer_size=5, otel_metrics_port=port)

    def look(_path: Path) -> None:
        seen.append(fetched(port))

    results = maker.create(built, num_records=20, dataset_name="d", on_batch_complete=look)
    tokens = results.outcomes.usage["a"].output_tokens
    for line in (
        'data_designer_cells_total{alias="a",column="text",outcome="ok"} 20',
        'data_designer_requests_total{alias="a",outcome="answered"} 20',
        f'data_designer_tokens_total{{alias="a",kind="output"}} {tokens}',
        'data_designer_slots{alias="a"} 4',
        "data_designer_records_target 20",
    ):
        assert line in seen[-1].splitlines(), seen[-1]
    with pytest.raises(urllib.error.URLError):
        fetched(port)
