"""Gathers what a configuration needs on a cluster: itself, the modules beside it, and the files of its seed dataset."""

import glob
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_designer.cli.loading import is_url, load_builder
from data_designer.columns.seeds.folders import FolderSource, files_of
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.defaults import MODELS_FILE, PROVIDERS_FILE, default_providers, home
from data_designer.config.seed import SeedConfig
from data_designer.config.seed_source import LocalFileSeedSource
from data_designer.errors import InvalidConfigError

MOST_BYTES = 200 * 1024 * 1024
"""Of all files together: Ray keeps them in the memory of its head."""
HOME = ".data-designer"
"""Where the user's settings of providers and models are in the folder."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_NOT_CODE = ("__pycache__", "node_modules", "site-packages")


@dataclass(frozen=True, slots=True)
class Staged:
    """A folder that can be sent."""

    config: str
    """What to give to the command line there."""
    left: tuple[str, ...]
    """Files that are named by absolute paths outside, which the cluster has to have."""
    variables: tuple[str, ...]
    """Environment variables that hold the keys of its providers, which the cluster has to have."""


def stage(source: str, arguments: Sequence[str], folder: Path) -> Staged:
    """Copy what a configuration needs into a folder, once it is known to be readable.

    Args:
        source: the file, or its URL.
        arguments: of a Python configuration.
        folder: where to; empty.

    Raises:
        InvalidConfigError: the configuration cannot be read, or it needs more than can be sent.
    """
    builder = load_builder(source, arguments)
    wanted, variables = _settings(builder)
    config = Path(source).absolute()
    if not is_url(source):
        wanted |= dict(_code(config)) if config.suffix == ".py" else {config: config.name}
    left: list[str] = []
    # A path that is written relative is looked for in the working directory, others may come from where the script is.
    written, files = _seed_files(builder.get_seed_config())
    root = config.parent if written.is_absolute() else Path.cwd()
    for path in files:
        if path.is_relative_to(root):
            wanted[path] = str(path.relative_to(root))
        else:
            left.append(str(path))
    _check_size(wanted)
    for path, place in wanted.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return Staged(source if is_url(source) else config.name, tuple(left), variables)


def _settings(builder: DataDesignerConfigBuilder) -> tuple[dict[Path, str], tuple[str, ...]]:
    """The user's files of providers and models, and the variables of the keys that the configuration needs."""
    providers = default_providers()
    used = {model.provider or providers[0].name for model in builder.model_configs}
    for provider in providers:
        if provider.api_key and not _VARIABLE.fullmatch(provider.api_key):
            raise InvalidConfigError(
                f"provider '{provider.name}' in {home() / PROVIDERS_FILE} holds its key itself, which the cluster "
                "would keep: put it into an environment variable of the cluster's nodes, and name that as api_key"
            )
    variables = sorted({one.api_key for one in providers if one.name in used and one.api_key})
    files = {home() / name: f"{HOME}/{name}" for name in (PROVIDERS_FILE, MODELS_FILE)}
    return {path.absolute(): place for path, place in files.items() if path.is_file()}, tuple(variables)


def _code(config: Path) -> Iterator[tuple[Path, str]]:
    """The script, the modules and the packages beside it."""
    for path in sorted(config.parent.iterdir()):
        if path.suffix == ".py" and path.is_file():
            yield path, path.name
        elif path.is_dir() and (path / "__init__.py").is_file():
            yield from ((one, str(one.relative_to(config.parent))) for one in _package(path))


def _package(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in _NOT_CODE or part.startswith(".") for part in path.parts):
            yield path


def _seed_files(seed: SeedConfig | None) -> tuple[Path, list[Path]]:
    """The path that is written for them, and the files.

    Raises:
        SeedReaderError: there is no such folder, or no such file in it.
    """
    source = None if seed is None else seed.source
    if isinstance(source, LocalFileSeedSource):
        found = map(Path, sorted(glob.glob(source.runtime_path)))
        return Path(source.path), [path for path in found if path.is_file()]
    if isinstance(source, FolderSource) and source.path is not None:
        root = Path(source.runtime_path)
        return Path(source.path), [root / name for name in files_of(source)]
    return Path(), []


def _check_size(wanted: dict[Path, str]) -> None:
    sizes = {place: path.stat().st_size for path, place in wanted.items()}
    if sum(sizes.values()) > MOST_BYTES:
        largest = max(sizes, key=lambda place: sizes[place])
        raise InvalidConfigError(
            f"what the configuration needs is {sum(sizes.values()) >> 20} MiB, of which '{largest}' is "
            f"{sizes[largest] >> 20}; at most {MOST_BYTES >> 20} can be sent: put it where every node of the cluster "
            "can read it, and name it by its absolute path"
        )
