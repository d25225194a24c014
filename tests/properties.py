"""How many examples a property is tried with: as many as its test says, or as the caller has time for.

`tests/conftest.py` imports this, so that it holds for every test.
"""

import os
from typing import Any

from hypothesis import settings

_MOST = int(os.environ.get("TEST_EXAMPLES", "1000000"))

# Where nothing else is said. An example may take its time: a busy machine takes it.
settings.register_profile("tests", max_examples=min(100, _MOST), deadline=None)
settings.load_profile("tests")


def examples(number: int = 100, **more: Any) -> settings:
    """Settings for so many examples at most."""
    return settings(max_examples=min(number, _MOST), **more)


def cases(number: int) -> range:
    """Numbers of so many random cases, or of as many as the caller has time for."""
    return range(min(number, _MOST))
