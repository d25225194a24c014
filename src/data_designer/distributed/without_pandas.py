"""Keeps pandas out of worker processes that have no use for it.

pyarrow imports pandas when it makes its first array, to tell series from lists: half a second and 45 MB a process.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import pyarrow as pa

_PANDAS = "pandas"


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Nothing for other modules, which are found by others."""
        if fullname == _PANDAS:
            raise ModuleNotFoundError(fullname)
        return None


def spare_pandas() -> None:
    """Have pyarrow make arrays without pandas, where no code of the user's is called that could make them of series.

    It asks once whether there is pandas. Who imports pandas afterwards has it, and so has `to_pandas`.
    """
    if _PANDAS in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(finder)


def know_pandas() -> None:
    """Have pyarrow know series, also after `spare_pandas`."""
    pa.table({}).to_pandas()
