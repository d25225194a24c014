"""Receipts as files: sealed JSON, which tells when it was changed."""

from collections.abc import Mapping
from typing import Any

from data_designer.engine.dataset.sealed import DamagedError, seal, unseal
from data_designer.engine.protocol.receipt import BatchFile, Receipt
from data_designer.engine.protocol.spending import Spending


def written(receipt: Receipt) -> bytes:
    """A receipt as sealed JSON."""
    return seal(receipt)


def read(text: bytes) -> Receipt:
    """Read sealed JSON. Raises DamagedError where it is not as it was written."""
    try:
        return _receipt(unseal(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"it is no receipt of this version ({type(error).__name__}: {error})") from error


def _receipt(data: Mapping[str, Any]) -> Receipt:
    successor = data["successor"]
    return Receipt(
        **{
            **data,
            "files": tuple(BatchFile(**file) for file in data["files"]),
            "kept": tuple((start, stop) for start, stop in data["kept"]),
            "unfinished": tuple((start, stop) for start, stop in data["unfinished"]),
            "inexact": tuple(data["inexact"]),
            "spent": {column: Spending.from_dict(numbers) for column, numbers in data["spent"].items()},
            "successor": None if successor is None else _receipt(successor),
        }
    )
