"""What a configuration script is given."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataDesignerScriptParams:
    """Arguments that stood after `--` on the command line."""

    argv: tuple[str, ...] = ()
