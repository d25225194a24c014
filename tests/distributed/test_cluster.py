"""Which Ray a run is driven on."""

from pathlib import Path

import pytest

import data_designer.config as dd
from data_designer.errors import DataDesignerGenerationError
from data_designer.interface import DataDesigner


def test_ray_client_is_refused_before_anything_is_asked(
    sockets: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do instead; nobody listens at the endpoint, so that asking it would be another error."""
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    nobody = dd.ModelProvider(name="nobody", endpoint="http://127.0.0.1:9/v1")
    declared = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model="m", provider="nobody")])
    declared.add_column(name="text", column_type="llm-text", prompt="Anything", model_alias="m")
    with pytest.raises(
        DataDesignerGenerationError, match=r"Ray Client \(ray://127.0.0.1:10001\).*data-designer submit"
    ):
        DataDesigner(tmp_path, model_providers=[nobody]).create(declared, num_records=1)
