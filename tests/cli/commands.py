"""The command line as tests call it, in this process, and what they call it with."""

import os
from pathlib import Path

from typer.testing import CliRunner

from data_designer.cli.main import app
from data_designer.logging import reset_logging

INLINE = ("--set", "executor=inline", "--set", "buffer_size=5", "--set", "otel_metrics_port=null", "--seed", "1")
"""Settings of `create`: in this process, in batches of five."""
GOOD = """
model_configs:
- {alias: a, model: small, provider: p, skip_health_check: true}
- {alias: b, model: large, provider: p, skip_health_check: true}
columns:
- {name: id, column_type: sampler, sampler_type: uuid, params: {}}
- {name: draft, column_type: llm-text, prompt: "about {{ id }}", model_alias: a}
- {name: final, column_type: llm-text, prompt: "better {{ draft }}", model_alias: b}
"""
SEEDED = GOOD.replace("- {name: id, column_type: sampler, sampler_type: uuid, params: {}}\n", "")
"""The same about a seed column `id`, whose source is to be added."""


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and everything printed, in one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    reset_logging()  # Its stream is closed by now.
    return result.exit_code, " ".join((result.output + result.stderr).split())


def name_provider(url: str, name: str = "p", **more: str) -> None:
    """Write the home file: the provider that configurations name."""
    settings = {"name": name, "endpoint": f"'{url}'", "api_key": "k", **more}
    text = ", ".join(f"{key}: {value}" for key, value in settings.items())
    (Path(os.environ["DATA_DESIGNER_HOME"]) / "model_providers.yaml").write_text(f"providers: [{{{text}}}]")
