"""Providers and models that are there without being declared; files in the user's home override them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from data_designer.config.base import ConfigBase
from data_designer.config.mcp import LocalStdioMCPProvider, MCPProvider, ToolConfig, ToolProvider
from data_designer.config.models import (
    ChatCompletionInferenceParams,
    EmbeddingInferenceParams,
    ModelConfig,
    ModelProvider,
)
from data_designer.errors import InvalidConfigError

if TYPE_CHECKING:
    from data_designer.config.yaml_text import Document

Kind = TypeVar("Kind", bound=ConfigBase)

PROVIDERS_FILE = "model_providers.yaml"
MODELS_FILE = "model_configs.yaml"
TOOLS_FILE = "mcp_providers.yaml"
TOOL_CONFIGS_FILE = "tool_configs.yaml"
HOME_FILES: Mapping[str, tuple[str, str]] = {
    "providers": (PROVIDERS_FILE, "providers"),
    "models": (MODELS_FILE, "model_configs"),
    "mcp": (TOOLS_FILE, "providers"),
    "tools": (TOOL_CONFIGS_FILE, "tool_configs"),
}
"""What commands call a file of the home, to its name and to the key under which it holds a list."""

_PROVIDERS = {
    "nvidia": "https://integrate.api.nvidia.com/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
_EFFORT: dict[str, object] = {"reasoning_effort": "medium"}
_NO_THINKING: dict[str, object] = {"chat_template_kwargs": {"enable_thinking": False}}
_CHAT: dict[tuple[str, str], tuple[str, float | None, float | None, dict[str, object] | None]] = {
    ("nvidia", "text"): ("nvidia/nemotron-3.5-lightning-30b-a3b", 1.0, 0.95, _NO_THINKING),
    ("nvidia", "reasoning"): ("nvidia/nemotron-3-super-120b-a12b", 1.0, 0.95, _EFFORT),
    ("nvidia", "vision"): ("nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", 0.60, 0.95, None),
    ("openai", "text"): ("gpt-4.1", 0.85, 0.95, None),
    ("openai", "reasoning"): ("gpt-5", None, None, _EFFORT),
    ("openai", "vision"): ("gpt-5", None, None, _EFFORT),
    ("openrouter", "text"): ("nvidia/nemotron-3-nano-30b-a3b", 1.0, 1.0, None),
    ("openrouter", "reasoning"): ("openai/gpt-oss-20b", 0.35, 0.95, None),
    ("openrouter", "vision"): ("nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free", 0.60, 0.95, None),
}
_EMBEDDING: dict[str, tuple[str, dict[str, object] | None]] = {
    "nvidia": ("nvidia/nemotron-3-embed-1b", {"input_type": "query"}),
    "openai": ("text-embedding-3-large", None),
    "openrouter": ("openai/text-embedding-3-large", None),
}


def home() -> Path:
    """The user's folder of settings: `DATA_DESIGNER_HOME`, else `~/.data-designer`."""
    return Path(os.environ.get("DATA_DESIGNER_HOME") or Path.home() / ".data-designer")


def managed_assets() -> Path:
    """The folder of managed data: `DATA_DESIGNER_MANAGED_ASSETS_PATH`, else `managed-assets` in `home()`."""
    return Path(os.environ.get("DATA_DESIGNER_MANAGED_ASSETS_PATH") or home() / "managed-assets")


def default_providers() -> list[ModelProvider]:
    """The user's providers where the home file is there, else the built-in ones.

    Raises:
        InvalidConfigError: the file cannot be read.
    """
    given = _read(PROVIDERS_FILE, "providers", ModelProvider)
    if given is not None:
        return given
    return [
        ModelProvider(name=name, endpoint=endpoint, api_key=f"{name.upper()}_API_KEY")
        for name, endpoint in _PROVIDERS.items()
    ]


def default_models() -> list[ModelConfig]:
    """The user's models where the home file is there, else the built-in ones.

    Raises:
        InvalidConfigError: the file cannot be read.
    """
    given = _read(MODELS_FILE, "model_configs", ModelConfig)
    if given is not None:
        return given
    models = []
    for provider in _PROVIDERS:
        for (owner, role), (model, temperature, top_p, extra) in _CHAT.items():
            if owner == provider:
                params = ChatCompletionInferenceParams(temperature=temperature, top_p=top_p, extra_body=extra)
                alias = f"{provider}-{role}"
                models.append(ModelConfig(alias=alias, model=model, provider=provider, inference_parameters=params))
        name, extra = _EMBEDDING[provider]
        embedding = EmbeddingInferenceParams(extra_body=extra)
        alias = f"{provider}-embedding"
        models.append(ModelConfig(alias=alias, model=name, provider=provider, inference_parameters=embedding))
    return models


def tool_providers() -> list[ToolProvider]:
    """Servers of tools in the user's home file, which commands know; none where it is not there.

    Raises:
        InvalidConfigError: the file cannot be read.
        pydantic.ValidationError: what it holds is none.
    """
    document = _document(TOOLS_FILE)
    if document is None:
        return []
    content = document.value
    if not isinstance(content, dict) or not isinstance(content.get("providers"), list):
        raise InvalidConfigError(f"{home() / TOOLS_FILE} must hold a list under the key 'providers'")
    found: list[ToolProvider] = []
    for item in content["providers"]:
        is_local = isinstance(item, dict) and ("command" in item or item.get("provider_type") == "stdio")
        found.append((LocalStdioMCPProvider if is_local else MCPProvider).model_validate(item))
    return found


def home_tool_configs() -> list[ToolConfig]:
    """Tool configs in the user's home file, which commands show; none where it is not there.

    Raises:
        InvalidConfigError: the file cannot be read.
    """
    return _read(TOOL_CONFIGS_FILE, "tool_configs", ToolConfig) or []


def write_home_file(what: str) -> Path:
    """Write a file of the home that is not there, with what is built in, and give its path."""
    import yaml

    name, key = HOME_FILES[what]
    given: Sequence[ConfigBase] = ()
    if what in ("providers", "models"):
        given = default_providers() if what == "providers" else default_models()
    path = home() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    held = [one.model_dump(mode="json", exclude_none=True) for one in given]
    path.write_text(yaml.safe_dump({key: held}, sort_keys=False), encoding="utf-8")
    return path


def check_home_file(what: str) -> None:
    """Read a file of the home. Raises InvalidConfigError, or pydantic.ValidationError, for what is wrong in it."""
    read: Mapping[str, Callable[[], object]] = {
        "providers": default_providers,
        "models": default_models,
        "mcp": tool_providers,
        "tools": home_tool_configs,
    }
    read[what]()


def _read(name: str, key: str, kind: type[Kind]) -> list[Kind] | None:
    document = _document(name)
    if document is None:
        return None
    from data_designer.config.places import members

    return members(document, str(home() / name), key, kind)


def _document(name: str) -> "Document | None":
    path = home() / name
    if not path.is_file():
        return None
    from data_designer.config.yaml_text import read_document

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfigError(f"{path} cannot be read: {error}") from error
    return read_document(text, str(path))
