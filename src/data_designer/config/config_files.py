"""Reading a declaration from a file, text, dict or URL."""

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from data_designer.config.yaml_text import read_yaml
from data_designer.errors import InvalidConfigError

_LARGEST = 1 << 20
_SECONDS = 10.0
_SUFFIXES = (".yaml", ".yml", ".json")


def read_config(config: object) -> dict[str, object]:
    """The wrapped form (`data_designer`, `library_version`) of whatever describes a configuration.

    Raises:
        FileNotFoundError: a YAML file that is not there.
        InvalidConfigError: text that does not parse; the message names line and column.
        ValueError: something that describes no configuration.
    """
    if isinstance(config, str) and config.startswith(("http://", "https://")):
        content = read_yaml(_fetch(config), config)
    elif isinstance(config, Path) or (isinstance(config, str) and _is_file(config)):
        content = read_yaml(_read(Path(config)), str(config))
    elif isinstance(config, str):
        content = _text(config)
    else:
        content = config
    if not isinstance(content, dict):
        raise ValueError(f"a configuration is a mapping, a file or its text; got {type(content).__name__}")  # noqa: TRY004
    wrapped = "columns" not in content or "data_designer" in content
    return content if wrapped else {"data_designer": content}


def _is_file(text: str) -> bool:
    return len(text) < 4096 and "\n" not in text and Path(text).is_file()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidConfigError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from error


def _text(text: str) -> dict[str, object]:
    one_line = "\n" not in text.strip()
    if one_line and text.strip().endswith((".yaml", ".yml")):
        raise FileNotFoundError(f"there is no configuration file {text!r}")
    content = read_yaml(text, "the configuration text")
    if not isinstance(content, dict):
        raise ValueError(f"{text[:80]!r} is neither a configuration file nor the text of one")  # noqa: TRY004
    return content


def _fetch(url: str) -> str:
    url = _raw(url)
    if not urlsplit(url).path.endswith(_SUFFIXES):
        raise ValueError(f"{url} must end in one of {', '.join(_SUFFIXES)}")
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as reply:  # noqa: S310 - http(s) only, see read_config
            content: bytes = reply.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{url} answered with HTTP {error.code}") from error
    except OSError as error:
        raise ValueError(f"{url} cannot be fetched: {error}") from error
    if len(content) > _LARGEST:
        raise ValueError(f"{url} is larger than {_LARGEST} bytes")
    return content.decode("utf-8")


def _raw(url: str) -> str:
    """The file itself where the address is that of a page about it."""
    parts = urlsplit(url)
    if parts.netloc == "github.com" and "/blob/" in parts.path:
        return f"https://raw.githubusercontent.com{parts.path.replace('/blob/', '/', 1)}"
    if parts.netloc == "huggingface.co":
        return url.replace("/blob/", "/resolve/", 1)
    return url
