"""The commands about what is there when nothing is given: files of the home, plugins, people, what to declare."""

from pathlib import Path

import pytest
from tests.cli.commands import name_provider, run

import data_designer.config as dd
from data_designer.config.defaults import default_models, home, write_home_file


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home, and no key."""
    monkeypatch.setenv("DATA_DESIGNER_HOME", str(tmp_path))
    monkeypatch.delenv("DATA_DESIGNER_MANAGED_ASSETS_PATH", raising=False)
    for name in ("NVIDIA", "OPENAI", "OPENROUTER"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


def test_the_list_shows_all_files_and_no_key() -> None:
    """Names of variables are shown, keys are not."""
    name_provider("http://host/v1", api_key="sk-secret-1234")
    (home() / "mcp_providers.yaml").write_text("providers: [{name: docs, command: python, args: [server.py]}]")
    (home() / "tool_configs.yaml").write_text("tool_configs: [{tool_alias: t, providers: [docs]}]")
    code, text = run("config", "list")
    assert code == 0
    for word in ("http://host/v1", "***1234", "nvidia-text", "python server.py", "docs", str(home())):
        assert word in text
    assert "secret" not in text


def test_a_reset_asks_for_each_file() -> None:
    """What is not confirmed stays; with nothing there, that is said."""
    assert "nothing to reset" in run("config", "reset")[1]
    write_home_file("models")
    name_provider("http://host/v1")
    code, text = run("config", "reset")
    assert "model_providers.yaml" in text
    assert (home() / "model_providers.yaml").is_file()
    assert code == 1  # Nobody has answered.
    assert "--debug" not in text


def test_an_editor_gets_a_file_that_is_well_formed(processes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds what is built in; what is wrong afterwards is said."""
    before = default_models()
    monkeypatch.setenv("EDITOR", "true")
    for what in ("providers", "models", "mcp", "tools"):
        code, text = run("config", what)
        assert (code, "is well-formed" in text) == (0, True), text
    assert default_models() == before
    assert run("config", "models", "--path") == (0, str(home() / "model_configs.yaml"))
    (home() / "model_configs.yaml").write_text("model_configs: [{alias: a}]")
    code, text = run("config", "models")
    assert code == 1
    assert "model" in text


def test_models_of_the_home_are_those_of_a_builder_that_is_given_none() -> None:
    """And its providers those of a designer."""
    (home() / "model_configs.yaml").write_text("model_configs: [{alias: mine, model: m, provider: p}]")
    assert [one.alias for one in dd.DataDesignerConfigBuilder().model_configs] == ["mine"]


def test_people_are_listed_and_not_fetched(tmp_path: Path) -> None:
    """Where each file belongs is said."""
    assert "en_US 1.24 GB" in run("download", "personas", "--list")[1]
    code, text = run("download", "personas", "-l", "fr_FR", "--dry-run")
    assert (code, str(tmp_path / "managed-assets/datasets/fr_FR.parquet") in text) == (0, True)
    code, text = run("download", "personas", "--all")
    assert (code, "fetching them is not built" in text) == (1, True)
    assert run("download", "personas", "-l", "xx_XX")[0] == 1
    assert run("download", "personas")[0] == 1


def test_plugins_are_packages() -> None:
    """Whoever asks for a catalog is told so."""
    assert run("plugin", "installed")[0] == 0
    for words in (("install", "x", "--yes"), ("list",), ("search", "q", "--refresh"), ("catalog", "add", "a", "b")):
        code, text = run("plugin", *words)
        assert (code, "no catalogs of plugins" in text) == (1, True)


def test_the_inventory_says_what_there_is_to_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types with the files of their classes, models with whether they can be used, people, commands."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    code, text = run("agent", "context")
    assert code == 0
    for word in ("config_root: /", "### columns", "| llm-judge |", "| person_from_faker |", "| remote |"):
        assert word in text
    for word in ("| drop_columns |", "| scalar_inequality |", "## Model Aliases", "## Persona Datasets", "## Commands"):
        assert word in text
    assert "| openai-text | gpt-4.1 | chat-completion | openai | yes | |" in text
    assert "no | NVIDIA_API_KEY is not set |" in text
    root = Path(text.partition("config_root: ")[2].partition(" ")[0])
    for name in ("config_builder", "base", "column_configs", "sampler_params", "sampler_constraints", "processors"):
        assert (root / f"{name}.py").is_file()


def test_a_family_is_listed_by_itself() -> None:
    """One that is none has a code of its own."""
    code, text = run("agent", "types", "validators")
    assert (code, "| code |" in text, "| uuid |" in text) == (0, True, False)
    assert "| uuid |" in run("agent", "types")[1]
    code, text = run("agent", "types", "animals")
    assert (code, "Error [unknown_family]" in text) == (1, True)
    assert "No model can be used" in run("agent", "state", "model-aliases")[1]
    assert "| en_US | 1.24 GB | no |" in run("agent", "state", "persona-datasets")[1]
