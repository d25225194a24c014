"""Models for scripts: those of the home file, asked outside of a run."""

import asyncio
from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import NOWHERE, provider
from tests.replies import answer

from data_designer.config.defaults import home
from data_designer.errors import ModelBadRequestError, UnknownProviderError
from data_designer.interface import DataDesigner

MODELS = """
model_configs:
- {alias: mine, model: big, provider: p, inference_parameters: {max_parallel_requests: 2, temperature: 0.5}}
- {alias: lost, model: big, provider: nobody}
"""


def script(url: str, path: Path) -> DataDesigner:
    """A designer whose home file names two models."""
    (home() / "model_configs.yaml").write_text(MODELS)
    return DataDesigner(path, model_providers=[provider(url)], auto_configure_logging=False)


def test_a_script_asks_a_model_of_the_home_file(endpoint: Endpoint, tmp_path: Path) -> None:
    """Waiting, on loops of its own, and with what the file says of it."""
    with endpoint(answer) as counted:
        model = script(counted.url, tmp_path).get_models(["mine"])["mine"]
        assert counted.prompts == []
        assert model.generate("hello")[0] == "<hello>"
        for prompt in ("once", "again"):
            assert asyncio.run(model.agenerate(prompt))[0] == f"<{prompt}>"
    assert (model.model_name, model.max_parallel_requests) == ("big", 2)
    assert [body["temperature"] for body in counted.bodies] == [0.5] * 3
    assert model.usage_stats.request_usage.successful_requests == 3


def test_a_refusal_is_raised_by_its_kind(endpoint: Endpoint, tmp_path: Path) -> None:
    """And counted."""
    with endpoint(lambda _: Reply("no", 400)) as counted:
        model = script(counted.url, tmp_path).get_models(["mine"])["mine"]
        with pytest.raises(ModelBadRequestError, match="no"):
            model.generate("hello")
    assert model.usage_stats.request_usage.failed_requests == 1


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """An alias with those that there are, a provider likewise."""
    designer = script(NOWHERE, tmp_path)
    with pytest.raises(ValueError, match="no default model 'yours'; there are mine, lost"):
        designer.get_models(["yours"])
    with pytest.raises(UnknownProviderError, match="no provider 'nobody'"):
        designer.get_models(["lost"])
