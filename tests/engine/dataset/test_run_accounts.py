"""Accounts of runs on a disk: each run has its file, all add up, and a damaged one is as if it were missing."""

from pathlib import Path

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.run_accounts import accounts_name, read_accounts, write_accounts
from data_designer.engine.protocol.slot_time import Account, AliasAccounts, RunAccounts


def _run(number: int) -> RunAccounts:
    return RunAccounts(number, 1.0, 2.0, "inline", {"m": AliasAccounts("x", 4, 8.0, {Account.ASKING: 8.0}, 5)})


def test_runs_add_up(tmp_path: Path) -> None:
    """What a run writes later replaces what it wrote before."""
    files = LocalFiles(tmp_path)
    assert read_accounts(files) is None
    write_accounts(files, RunAccounts(1))
    write_accounts(files, _run(1))
    write_accounts(files, _run(2))
    total = read_accounts(files)
    assert total is not None
    assert (total.run, total.seconds, total.aliases["m"].requests) == (2, 4.0, 10)


def test_a_damaged_file_counts_as_missing(tmp_path: Path) -> None:
    """No run and no report ends for it."""
    files = LocalFiles(tmp_path)
    write_accounts(files, _run(1))
    write_accounts(files, _run(2))
    path = tmp_path / accounts_name(2)
    path.write_bytes(path.read_bytes().replace(b"inline", b"inlime"))
    assert read_accounts(files) == _run(1)
    path.write_bytes(b"\xff\x00")
    assert read_accounts(files) == _run(1)
