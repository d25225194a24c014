"""Turns what stands on the command line into a builder and run settings."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_designer.errors import InvalidConfigError

if TYPE_CHECKING:
    from data_designer.config.config_builder import DataDesignerConfigBuilder
    from data_designer.config.run_config import RunConfig
    from data_designer.interface import DataDesigner
    from data_designer.interface.stored import StoredDataset
    from data_designer.object_storage import Location

_FUNCTION = "load_config_builder"


def is_url(source: str) -> bool:
    """Whether a configuration is fetched instead of read from a file."""
    return source.startswith(("http://", "https://"))


def load_builder(source: str, arguments: Sequence[str] = ()) -> "DataDesignerConfigBuilder":
    """The builder that a YAML or JSON file, its URL, or a Python file describes.

    Raises:
        InvalidConfigError: the file is not there, does not parse, or does not do what it must.
    """
    from data_designer.config.config_builder import DataDesignerConfigBuilder

    if source.endswith(".py"):
        return _from_script(Path(source), arguments)
    if arguments:
        raise InvalidConfigError("arguments after -- are for Python configurations only")
    if not is_url(source) and not Path(source).is_file():
        raise InvalidConfigError(f"there is no configuration file {source!r}")
    return DataDesignerConfigBuilder.from_config(source)


def _from_script(path: Path, arguments: Sequence[str]) -> "DataDesignerConfigBuilder":
    from data_designer.config.config_builder import DataDesignerConfigBuilder

    if not path.is_file():
        raise InvalidConfigError(f"there is no configuration script {str(path)!r}")
    sys.path.insert(0, str(path.parent.absolute()))
    try:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except Exception as error:
        raise InvalidConfigError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    function = getattr(module, _FUNCTION, None)
    if function is None:
        raise InvalidConfigError(f"{path} must define {_FUNCTION}(), which returns a builder")
    builder = _call(path, function, arguments)
    if not isinstance(builder, DataDesignerConfigBuilder):
        raise InvalidConfigError(f"{_FUNCTION}() of {path} returned {type(builder).__name__}, not a builder")
    return builder


def _call(path: Path, function: Callable[..., object], arguments: Sequence[str]) -> object:
    from data_designer.config.script_params import DataDesignerScriptParams

    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        if arguments:
            raise InvalidConfigError(f"{_FUNCTION}() of {path} takes no arguments")
        return function()
    params = DataDesignerScriptParams(tuple(arguments))
    only = parameters[0]
    return function(**{only.name: params}) if only.kind == only.KEYWORD_ONLY else function(params)


def parse_settings(path: Path | None, settings: Sequence[str]) -> dict[str, object]:
    """Run settings from a YAML file, overridden by `name=value` settings, not yet checked.

    Raises:
        InvalidConfigError: the file is not there or no mapping, or a setting has no value.
    """
    from data_designer.config.yaml_text import read_yaml

    given: dict[str, object] = {}
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfigError(f"the run settings {path} cannot be read: {error}") from error
        content = read_yaml(text, f"the run settings {path}") or {}
        if not isinstance(content, dict):
            raise InvalidConfigError(f"the run settings {path} must be a mapping of names to values")
        given.update(content)
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise InvalidConfigError(f"--set takes NAME=VALUE, not {setting!r}")
        given[name] = read_yaml(value, f"--set {setting}: the value")
    return given


def load_run_config(path: Path | None, settings: Sequence[str]) -> "RunConfig":
    """Run settings from a YAML file, overridden by `name=value` settings.

    Raises:
        InvalidConfigError: the file is not there or no mapping, or a setting has no value.
        pydantic.ValidationError: a setting is unknown or its value does not fit.
    """
    from data_designer.config.run_config import RunConfig

    return RunConfig.model_validate(parse_settings(path, settings))


def with_seed(settings: Sequence[str] | None, seed: int | None) -> list[str]:
    """The settings, of which `--seed` is the last."""
    return [*(settings or ()), *([] if seed is None else [f"seed={seed}"])]


def source_of(source: str, arguments: Sequence[str]) -> dict[str, object]:
    """What a dataset keeps of where its configuration comes from."""
    return {"config": source if is_url(source) else str(Path(source).absolute()), "arguments": list(arguments)}


def designer_for(
    artifact_path: "str | Location",
    run: "RunConfig | None",
    *,
    simulate: bool,
    source: Mapping[str, object] | None = None,
) -> "DataDesigner":
    """A designer with run settings, or with the usual ones; it knows the servers of tools of the home file."""
    from data_designer.config.defaults import tool_providers
    from data_designer.interface import DataDesigner

    designer = DataDesigner(artifact_path, mcp_providers=tool_providers(), simulate=simulate, source=source)
    if run is not None:
        designer.set_run_config(run)
    return designer


def reload_builder(stored: "StoredDataset") -> "DataDesignerConfigBuilder":
    """The builder that a dataset was made with.

    Raises:
        InvalidConfigError: the configuration holds functions or a DataFrame, and the file it came from is not known.
    """
    if not stored.needs_source:
        return stored.builder()
    source = stored.source
    if source is None:
        raise InvalidConfigError(
            f"the configuration of {stored.path} holds functions or a DataFrame, which no file can carry: run the "
            "script that made it again, with resume='always'"
        )
    return load_builder(str(source["config"]), source["arguments"])
