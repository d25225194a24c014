"""The accounts of a dataset's runs, a small file each: statistics, without which nothing is lost."""

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import ACCOUNTS
from data_designer.engine.dataset.sealed import seal, unseal
from data_designer.engine.protocol.slot_time import RunAccounts

_RUN = "run_"
"""What the names of their files begin with."""


def accounts_name(run: int) -> str:
    """The accounts of a run."""
    return f"{ACCOUNTS}/{_RUN}{run:05d}.json"


def write_accounts(files: Files, accounts: RunAccounts) -> None:
    """Write the accounts of a run, over what it wrote before. Raises OSError where that cannot be done."""
    files.put(accounts_name(accounts.run), seal(accounts.to_dict()))


def read_accounts(files: Files) -> RunAccounts | None:
    """What all runs of a dataset add up to; None where none has left any. One that is damaged counts as missing."""
    total = None
    for name in files.list(ACCOUNTS):
        if not name.startswith(_RUN):
            continue
        try:
            accounts = RunAccounts.from_dict(unseal(files.read(f"{ACCOUNTS}/{name}")))
        except (OSError, ValueError, TypeError, KeyError):
            continue
        total = accounts if total is None else total + accounts
    return total
