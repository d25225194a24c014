"""Turns what stands on the command line into a builder and run settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_designer.errors import InvalidConfigError

if TYPE_CHECKING:
    from data_designer.config.config_builder import DataDesignerConfigBuilder
    from data_designer.config.run_config import RunConfig
    from data_designer.interface import DataDesigner
    from data_designer.interface.stored import StoredDataset
    from data_designer.object_storage import Location

SUFFIXES = (".yaml", ".yml", ".json", ".py")
"""Of files that a configuration may be in."""


def is_url(source: str) -> bool:
    """Whether a configuration is fetched instead of read from a file."""
    return source.startswith(("http://", "https://"))


def load_builder(source: str, arguments: Sequence[str] = ()) -> "DataDesignerConfigBuilder":
    """The builder that a YAML or JSON file, its URL, or a Python file describes.

    Raises:
        InvalidConfigError: the file is not there, does not parse, or does not do what it must.
    """
    from data_designer.config.config_builder import DataDesignerConfigBuilder
    from data_designer.config.near_names import near_file

    if source.endswith(".py"):
        from data_designer.cli.scripts import run_script

        return run_script(Path(source), arguments)
    if arguments:
        raise InvalidConfigError("arguments after -- are for Python configurations only")
    if Path(source).is_dir():
        raise InvalidConfigError(f"{source!r} is a folder; name the configuration file in it")
    if not is_url(source) and not Path(source).is_file():
        raise InvalidConfigError(f"there is no configuration file {source!r}{near_file(Path(source), SUFFIXES)}")
    return DataDesignerConfigBuilder.from_config(source)


def parse_settings(path: Path | None, settings: Sequence[str]) -> dict[str, object]:
    """Run settings from a YAML file, overridden by `name=value` settings.

    Raises:
        InvalidConfigError: the file is not there or no mapping, or a setting has no value.
        pydantic.ValidationError: a setting is unknown or its value does not fit.
    """
    from data_designer.config.yaml_text import read_document, read_yaml

    given: dict[str, object] = {}
    places: dict[str, str] = {}
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfigError(f"the run settings {path} cannot be read: {error}") from error
        document = read_document(text, f"the run settings {path}")
        content = document.value or {}
        if not isinstance(content, dict):
            raise InvalidConfigError(f"the run settings {path} must be a mapping of names to values")
        given.update(content)
        places.update({str(name): f"{path}:{document.line((name,))}" for name in content})
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise InvalidConfigError(f"--set takes NAME=VALUE, not {setting!r}")
        given[name] = read_yaml(value, f"--set {setting}: the value")
        places[name] = f"--set {setting}"
    _check_settings(given, places)
    return given


def _check_settings(given: Mapping[str, object], places: Mapping[str, str]) -> None:
    """Raise pydantic.ValidationError for settings that are wrong, each with the place where it is given."""
    import warnings

    from pydantic import ValidationError

    from data_designer.config.places import placed
    from data_designer.config.run_config import RunConfig

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # They are for whoever takes the settings.
            RunConfig.model_validate(given)
    except ValidationError as error:
        faults = placed(error, given, lambda path: places.get(str(path[0]), "") if path else "")
        raise ValidationError.from_exception_data("the run settings", faults, hide_input=True) from None


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


def with_view(settings: Sequence[str] | None, progress: str | None, tui: "bool | None") -> list[str]:
    """The settings, of which `--progress` and `--tui/--no-tui` are the last."""
    view = [] if tui is None else [f"display_tui={str(tui).lower()}"]
    if progress is not None or tui is not None:
        view.append(f"progress={progress or 'auto'}")
    return [*(settings or ()), *view]


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
