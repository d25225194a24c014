"""How many examples a property is tried with: as many as its test says, or as the caller has time for."""

import os
from typing import Any

from hypothesis import settings

_MOST = int(os.environ.get("TEST_EXAMPLES", "1000000"))


def examples(number: int = 100, **more: Any) -> settings:
    """Settings for so many examples at most, each of which may take its time."""
    return settings(max_examples=min(number, _MOST), deadline=None, **more)


def cases(number: int) -> range:
    """Numbers of so many random cases, or of as many as the caller has time for."""
    return range(min(number, _MOST))
