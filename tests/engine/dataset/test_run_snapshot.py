"""How a run stands is written beside its dataset, for other processes."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.engine.observe.test_views import PLAIN

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.run_accounts import read_accounts
from data_designer.engine.dataset.run_snapshot import NOW, read_snapshot, write_snapshot
from data_designer.engine.dataset.store import Store


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    """And nothing before anything was; it is none of the accounts beside it."""
    files = LocalFiles(tmp_path)
    assert read_snapshot(files) is None
    for done in (0.1, 0.2):
        write_snapshot(files, replace(PLAIN, done=done))
    assert read_snapshot(files) == replace(PLAIN, done=0.2)
    assert read_accounts(files) is None


@pytest.mark.parametrize("content", [b"", b'{"dataset": "d", "st', b"[]", b"{}", b'"x"', b"\xff"])
def test_what_is_just_being_written_is_as_if_it_were_not_there(tmp_path: Path, content: bytes) -> None:
    """A reader looks again later."""
    files = LocalFiles(tmp_path)
    files.write(NOW, content)
    assert read_snapshot(files) is None


def test_what_got_nowhere_leaves_its_name_free(tmp_path: Path) -> None:
    """Nobody would miss how it stood."""
    write_snapshot(LocalFiles(tmp_path), PLAIN)
    assert Store.at(tmp_path).is_free()
