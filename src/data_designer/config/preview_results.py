"""Where users import PreviewResults from."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Give PreviewResults, which lives where results are made."""
    if name == "PreviewResults":
        return importlib.import_module("data_designer.interface.results").PreviewResults
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
