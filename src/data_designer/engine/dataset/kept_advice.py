"""The advice that a run has ended with, beside its accounts: those who read it need not be able to run its plan."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import ACCOUNTS
from data_designer.engine.dataset.sealed import seal, unseal

ADVICE = f"{ACCOUNTS}/advice.json"


def write_advice(files: Files, run: int, advice: Sequence[Mapping[str, Any]]) -> None:
    """Keep the advice of a run, in place of that of an earlier one. Raises OSError where that cannot be done."""
    files.put(ADVICE, seal({"run": run, "advice": list(advice)}))


def read_advice(files: Files) -> tuple[int, list[dict[str, Any]]] | None:
    """The latest run that has left advice, and that; None where there is none, or it is damaged."""
    try:
        content = unseal(files.read(ADVICE))
        return int(content["run"]), list(content["advice"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
