"""Names of new datasets: one that is taken, or that another run takes at the same moment, gets a sibling."""

import threading
from datetime import datetime
from pathlib import Path

import pytest

from data_designer.engine.dataset import store as stores
from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.store import Store
from data_designer.object_storage import Location

NOON = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - what names a folder is the user's time
THREADS = 6


def claim(root: Location) -> Store:
    """A dataset that is begun."""
    return Store.claim(root, "d", lambda: NOON)


def let_go(store: Store) -> None:
    """End the run that writes a dataset."""
    assert store.lock is not None
    store.lock.release()


def test_siblings_sort_by_the_time_at_which_they_were_made(tmp_path: Path) -> None:
    """Beside the name, by date, and by number within a second."""
    assert [claim(tmp_path).path.name for _ in range(3)] == ["d", "d_2026-01-02_120000", "d_2026-01-02_120000_2"]
    later = Store.claim(tmp_path, "d", lambda: NOON.replace(year=2027))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[-1] == later.path.name


def test_a_name_under_which_a_run_got_nowhere_is_free(tmp_path: Path) -> None:
    """At most settings are there, and accounts."""
    (tmp_path / "d/accounts").mkdir(parents=True)
    (tmp_path / "d/metadata.json").write_text("{}")
    (tmp_path / "d/.77.probe").write_text("")
    store = claim(tmp_path)
    assert store.path.name == "d"
    let_go(store)


def test_all_who_want_a_name_at_once_get_one(tmp_path: Path) -> None:
    """One gets the name, the others names beside it; nobody is refused."""
    together, got = threading.Barrier(THREADS), list[Store]()

    def run() -> None:
        together.wait()
        got.append(claim(tmp_path))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({store.path for store in got}) == THREADS
    assert "d" in {store.path.name for store in got}


@pytest.mark.parametrize("finished", [False, True])
def test_a_name_that_is_taken_between_two_looks_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """Whether the other run still writes there, or has come to its end already."""
    others: list[Store] = []

    def meanwhile(files: Files, who: str) -> None:
        if others:
            return
        other = Store.at(tmp_path / "d")
        others.append(other)
        other.take()
        if finished:
            other.files.put("receipts/batch_00000.json", b"{}")
            let_go(other)

    monkeypatch.setattr(stores, "try_out", meanwhile)
    store = claim(tmp_path)
    assert store.path.name == "d_2026-01-02_120000"
    assert Store.at(tmp_path / "d").is_free() is False
    assert (tmp_path / "d/lock").exists() is not finished
