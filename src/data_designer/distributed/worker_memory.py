"""Keeps a process that computes and writes small."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

_PANDAS = "pandas"


def save_memory(*, calls_users: bool) -> None:
    """Have pyarrow hold no more here than it needs.

    Its own pools keep up to 20 MB of what has been freed, and are no faster for batches.

    Args:
        calls_users: whether functions of the user are called here, which may make arrays of what pandas has.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    (know_pandas if calls_users else spare_pandas)()


def spare_pandas() -> None:
    """Have pyarrow make arrays without pandas.

    At its first array it asks, once, whether there is pandas, to tell series from lists, and so imports it: an eighth
    of a second of CPU and 33 MB. Who imports pandas afterwards has it, and so has `to_pandas`.
    """
    import pyarrow as pa

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
    import pyarrow as pa

    pa.table({}).to_pandas()


class _NoPandas(MetaPathFinder):
    """Says that there is no pandas."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Nothing for other modules, which are found by others."""
        if fullname == _PANDAS:
            raise ModuleNotFoundError(fullname)
        return None
