"""Logging of the library: one text line a fact, or JSON lines."""

import json
import logging
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TextIO

from data_designer.terminal import columns_of, in_notebook, is_coloured, visible, wrapped

LOG_INDENT = "  |-- "
LOG_DOUBLE_INDENT = "  |  |-- "
_OURS = "_data_designer_handler"


@dataclass(frozen=True)
class LoggerConfig:
    """Level of one logger."""

    name: str
    """Name of the logger, such as `data_designer`."""
    level: str
    """`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`."""


@dataclass(frozen=True)
class OutputConfig:
    """Where lines go, and in which form."""

    destination: TextIO | Path | None
    """A stream, or a file, which is appended to; None for nowhere."""
    structured: bool = False
    """JSON, an object a line (`asctime`, `levelname`, `name`, `message`), instead of text."""


@dataclass(frozen=True)
class LoggingConfig:
    """Loggers, outputs and what to silence."""

    logger_configs: list[LoggerConfig]
    """Levels of loggers."""
    output_configs: list[OutputConfig]
    """Where lines go; several at once are fine."""
    root_level: str = "INFO"
    """Level of loggers that nothing else is said of."""
    to_silence: list[str] = field(default_factory=lambda: ["httpx", "matplotlib", "mcp"])
    """Loggers of which only warnings are wanted."""

    @classmethod
    def default(cls) -> "LoggingConfig":
        """The library at INFO, to standard error; in a notebook, where that is red, to standard output."""
        stream = sys.stdout if in_notebook() else sys.stderr
        return cls([LoggerConfig("data_designer", "INFO")], [OutputConfig(stream)])

    @classmethod
    def debug(cls) -> "LoggingConfig":
        """The library at DEBUG, to standard error."""
        return cls([LoggerConfig("data_designer", "DEBUG")], [OutputConfig(sys.stderr)], root_level="DEBUG")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "asctime": self.formatTime(record),
            "levelname": record.levelname,
            "name": record.name,
            "message": visible(record.getMessage()),
        }
        return json.dumps(fields, ensure_ascii=False)


_INDENT = "    "
_PLAIN = "\x1b[0m"
_COLOURS = {
    logging.DEBUG: "\x1b[2m",
    logging.INFO: "\x1b[32m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
"""Level to what begins its colour."""


class _Lines(logging.Formatter):
    """What models and endpoints have said is in many a line: it steers no terminal, and makes no lines of its own.

    On a terminal lines are no longer than it is wide, and levels have colours.
    """

    def __init__(self, stream: TextIO | Path | None) -> None:
        super().__init__("[%(asctime)s] [%(levelname)s] %(message)s", datefmt="%H:%M:%S")
        self._stream = None if isinstance(stream, Path) else stream

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        text = visible(super().formatMessage(record)).replace("\n", f"\n{_INDENT}")
        text = wrapped(text, columns_of(self._stream), _INDENT)
        colour = _COLOURS.get(record.levelno) if is_coloured(self._stream) else None
        level = f"[{record.levelname}]"
        return text if colour is None else text.replace(level, f"{colour}{level}{_PLAIN}", 1)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
        return _INDENT + visible(super().formatException(ei)).replace("\n", f"\n{_INDENT}")

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name that logging calls
        return _INDENT + visible(stack_info).replace("\n", f"\n{_INDENT}")


def configure_logging(config: LoggingConfig | None = None) -> None:
    """Replace the root logger's handlers by those of the configuration."""
    config = config or LoggingConfig.default()
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(config.root_level)
    for output in config.output_configs:
        root.addHandler(_handler(output))
    for logger in config.logger_configs:
        logging.getLogger(logger.name).setLevel(logger.level)
    for name in config.to_silence:
        logging.getLogger(name).setLevel(logging.WARNING)


def _handler(output: OutputConfig) -> logging.Handler:
    handler = _to(output.destination)
    handler.setFormatter(_JsonLines() if output.structured else _Lines(output.destination))
    setattr(handler, _OURS, True)
    return handler


def _to(destination: TextIO | Path | None) -> logging.Handler:
    if isinstance(destination, Path):
        return logging.FileHandler(destination, encoding="utf-8")
    if destination is None or getattr(destination, "closed", False):
        return logging.NullHandler()
    return logging.StreamHandler(destination)


def is_logging_configured() -> bool:
    """Whether a handler of the library is in force."""
    return any(hasattr(handler, _OURS) for handler in logging.getLogger().handlers)


def reset_logging() -> None:
    """Remove the library's handlers, and no others."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if hasattr(handler, _OURS):
            root.removeHandler(handler)
            handler.close()


class RandomEmoji:
    """Symbols for those who like them."""

    _PROGRESS: ClassVar[tuple[str, ...]] = ("🌱", "🌿", "🌳", "🌲", "🍎")

    @staticmethod
    def previewing() -> str:
        """For a preview."""
        return random.choice(("👀", "🔭", "📺"))

    @staticmethod
    def cooking() -> str:
        """For what is being prepared."""
        return random.choice(("🍳", "🥘", "🧑‍🍳"))

    @staticmethod
    def data() -> str:
        """For data."""
        return random.choice(("📊", "📈", "💾"))

    @staticmethod
    def generating() -> str:
        """For what is being made."""
        return random.choice(("🏭", "🔨", "🖨️"))

    @staticmethod
    def loading() -> str:
        """For what is being read."""
        return random.choice(("📥", "📦", "⏳"))

    @staticmethod
    def magic() -> str:
        """For what is hard to explain."""
        return random.choice(("✨", "🔮", "🪄"))

    @staticmethod
    def speed() -> str:
        """For what is fast."""
        return random.choice(("⚡", "🏎️", "💨"))

    @staticmethod
    def start() -> str:
        """For a beginning."""
        return random.choice(("🚀", "🏁", "🎬"))

    @staticmethod
    def thinking() -> str:
        """For what takes thought."""
        return random.choice(("🤔", "🧠", "💭"))

    @staticmethod
    def working() -> str:
        """For what is under way."""
        return random.choice(("⚙️", "🛠️", "🏗️"))

    @staticmethod
    def success() -> str:
        """For what went well."""
        return random.choice(("🎉", "🥳", "🎊"))

    @classmethod
    def progress(cls, percent: float) -> str:
        """For how far something is."""
        return cls._PROGRESS[min(len(cls._PROGRESS) - 1, int(percent / 100 * len(cls._PROGRESS)))]
