"""What a configuration script is given."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataDesignerScriptParams:
    """What a configuration script is given: a `load_config_builder(params)` that takes an argument gets it."""

    argv: tuple[str, ...] = ()
    """The arguments that stood after `--` on the command line."""
