"""Reading a declaration from a file, text, dict or URL."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from data_designer.config import places
from data_designer.config.yaml_text import Document, read_document
from data_designer.errors import InvalidConfigError, MissingConfigFileError

_LARGEST = 1 << 20
_SECONDS = 10.0
_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Declared:
    """The wrapped form (`data_designer`, `library_version`) of whatever describes a configuration, and its places."""

    content: dict[str, object]
    name: str = ""
    """What it is called in messages; nothing where it is no file."""
    document: Document | None = None
    is_wrapped: bool = True
    """Whether the document has that form too."""

    def place(self, path: places.Path) -> str:
        """The file and the line to which a path in the content leads."""
        if self.document is None:
            return self.name
        line = self.document.line(path if self.is_wrapped else path[1:])
        if not self.name:
            return f"line {line}"
        return f"{self.name}:{line}" if path else self.name

    def places(self) -> dict[str, str]:
        """Name of a column, alias of a model, to the file and line where it is declared; nothing without a file."""
        found: dict[str, str] = {}
        config = self.content.get(places.WRAPPER)
        if not self.name or not isinstance(config, dict):
            return found
        for key, name in (("model_configs", "alias"), ("columns", "name")):
            for number, one in enumerate(config.get(key) or ()):
                found[str(one[name])] = self.place((places.WRAPPER, key, number))
        return found


def read_config(config: object) -> dict[str, object]:
    """The wrapped form (`data_designer`, `library_version`) of whatever describes a configuration."""
    return read_declared(config).content


def read_declared(config: object) -> Declared:
    """What describes a configuration: a dict, a file, its text or its URL.

    Raises:
        MissingConfigFileError: a YAML or JSON file that is not there; it is a FileNotFoundError, too.
        InvalidConfigError: text that does not parse; the message names line and column.
        ValueError: something that describes no configuration.
    """
    if isinstance(config, str) and config.startswith(("http://", "https://")):
        name, document = config, read_document(_fetch(config), config)
    elif isinstance(config, Path) or (isinstance(config, str) and _is_file(config)):
        name, document = str(config), read_document(_read(Path(config)), str(config))
    elif isinstance(config, str):
        name, document = "", _text(config)
    else:
        name, document = "", None
    content = config if document is None else document.value
    if not isinstance(content, dict):
        if document is not None:
            held = "nothing" if content is None else f"a {'list' if isinstance(content, list) else 'single value'}"
            raise InvalidConfigError(f"{name} is no configuration: it holds {held}, not a mapping with 'columns'")
        raise ValueError(f"a configuration is a mapping, a file or its text; got {type(content).__name__}")  # noqa: TRY004
    wrapped = places.WRAPPER in content
    return Declared(content if wrapped else {places.WRAPPER: content}, name, document, wrapped)


def _is_file(text: str) -> bool:
    return len(text) < 4096 and "\n" not in text and Path(text).is_file()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingConfigFileError(f"there is no configuration file {str(path)!r}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfigError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from error


def _text(text: str) -> Document:
    one_line = "\n" not in text.strip()
    if one_line and text.strip().lower().endswith(_SUFFIXES):
        raise MissingConfigFileError(f"there is no configuration file {text!r}")
    document = read_document(text, "the configuration text")
    if not isinstance(document.value, dict):
        raise ValueError(f"{text[:80]!r} is neither a configuration file nor the text of one")  # noqa: TRY004
    return document


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
