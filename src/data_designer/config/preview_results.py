"""Where users import PreviewResults, and the TaskTrace that is in it, from."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Give PreviewResults or TaskTrace, which live where results are made."""
    if name in ("PreviewResults", "TaskTrace"):
        return getattr(importlib.import_module("data_designer.interface.results"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
