"""Whoever watches a dataset sees how its run stands, and whether there is one."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engine.observe.test_views import PLAIN

from data_designer.engine.dataset.files import LocalFiles
from data_designer.engine.dataset.lock import Lock, Process
from data_designer.engine.dataset.run_snapshot import write_snapshot
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.errors import ArtifactStorageError
from data_designer.interface.watch_server import Pages, serving
from data_designer.interface.watching import Look, Watch, follow, said_of

ELSEWHERE = Process("node-7", "another boot", 4711, "1234")
"""A process of a machine whose processes cannot be seen from here."""
ENDED = replace(PLAIN, state="ended", done=1.0, generated=118, reasons=())


class Run:
    """A run as others see it: its lock, and what it writes."""

    def __init__(self, path: Path, owner: Process | None = None) -> None:
        self.path = path
        self.files = LocalFiles(path)
        self.lock = Lock(self.files, 1, owner or Process.this())
        assert self.lock.begin()

    def say(self, snapshot: Snapshot) -> None:
        """Write how it stands."""
        write_snapshot(self.files, snapshot)

    def end(self) -> None:
        """Write how it ended, and let go."""
        self.say(ENDED)
        self.lock.release()


class Noting:
    """A view that notes what it is shown."""

    interval = 0.0

    def __init__(self) -> None:
        self.seen: list[Snapshot] = []
        self.closed: list[Snapshot] = []

    def show(self, snapshot: Snapshot) -> None:
        """Note it."""
        self.seen.append(snapshot)

    def close(self, snapshot: Snapshot) -> None:
        """Note it."""
        self.closed.append(snapshot)


def acting(*steps: Callable[[], Any]) -> Callable[[float], None]:
    """A wait in which the next thing happens."""
    left = list(steps)
    return lambda _: left.pop(0)()


def test_a_run_is_shown_until_it_is_over(tmp_path: Path) -> None:
    """Whatever it writes meanwhile; then how it ended."""
    run, view = Run(tmp_path), Noting()
    run.say(PLAIN)
    half = replace(PLAIN, done=0.5, at=1.0)
    look = follow(Watch(tmp_path, clock=lambda: 0.0), view, acting(lambda: run.say(half), run.end))
    assert view.seen == [PLAIN, half]
    assert view.closed == [ENDED]
    assert said_of(look, tmp_path)[0].startswith("ended: 118 of 120 records written, 2 rejected (1:15, ")


def test_a_run_that_has_said_nothing_yet_is_waited_for(tmp_path: Path) -> None:
    """It has the lock, so that it will."""
    run, view = Run(tmp_path), Noting()
    follow(Watch(tmp_path), view, acting(lambda: run.say(PLAIN), run.end))
    assert len(view.seen) == 1


def test_a_run_that_was_killed_is_not_taken_for_one_that_goes_on(tmp_path: Path) -> None:
    """What it wrote last is stale; how to go on is said."""
    Run(tmp_path, replace(Process.this(), started="1")).say(PLAIN)
    look = Watch(tmp_path).look()
    assert not look.is_running
    first, second = said_of(look, tmp_path)
    assert first.startswith("killed at 48 %: 57 of 120 records written")
    assert second == f"to go on: data-designer resume {tmp_path}"


def test_a_run_of_another_machine_counts_as_gone_once_it_is_silent(tmp_path: Path) -> None:
    """It cannot be seen from here whether it lives; time passes for it meanwhile."""
    now = [0.0]
    Run(tmp_path, ELSEWHERE).say(PLAIN)
    watch = Watch(tmp_path, clock=lambda: now[0])
    assert watch.look() == Look(PLAIN, is_running=True)
    now[0] = 10.0
    later = watch.look()
    assert later.is_running
    assert later.snapshot == replace(PLAIN, elapsed=85.0, seconds_left=pytest.approx(4.2))
    now[0] = 61.0
    assert not watch.look().is_running


def test_a_stopped_run_says_how_to_go_on(tmp_path: Path) -> None:
    """As the run itself has said."""
    write_snapshot(LocalFiles(tmp_path), replace(PLAIN, state="stopped"))
    look = Watch(tmp_path).look()
    assert not look.is_running
    assert [line.split()[0] for line in said_of(look, tmp_path)] == ["stopped", "to"]


def test_where_there_is_no_dataset_that_is_said(tmp_path: Path) -> None:
    """With the place; a dataset of an earlier version has said nothing."""
    with pytest.raises(ArtifactStorageError, match="there is no dataset at .*/nowhere"):
        Watch(tmp_path / "nowhere")
    (tmp_path / "metadata.json").write_text("{}")
    look = Watch(tmp_path).look()
    assert look == Look(None, is_running=False)
    assert said_of(look, tmp_path) == [f"no run of {tmp_path} has said how it stands"]


# --- as a page ---------------------------------------------------------------------------------------------------


def fetched(url: str, **headers: str) -> tuple[int, str]:
    """Status and text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as reply:  # noqa: S310 - loopback
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.usefixtures("sockets")
def test_the_report_is_served_as_a_page_that_follows_the_run(tmp_path: Path) -> None:
    """The page, how the run stands, and the report, which is not made for each who asks."""
    run, made = Run(tmp_path), []
    run.say(replace(PLAIN, reasons=("<script>",)))

    def report() -> str:
        made.append(1)
        return "<p>the report</p>"

    with serving(Pages(Watch(tmp_path), report), 0) as url:
        assert 'src="/report"' in fetched(url)[1]
        assert [fetched(f"{url}report")[1] for _ in range(3)] == ["<p>the report</p>"] * 3
        now = json.loads(fetched(f"{url}now.json")[1])
        assert (now["running"], now["snapshot"]["generated"]) == (True, 57)
        assert "&lt;script&gt;" in now["html"]
        run.end()
        now = json.loads(fetched(f"{url}now.json")[1])
        assert not now["running"]
        assert "ended: 118 of 120 records written" in now["html"]
        assert fetched(f"{url}else")[0] == 404
    assert len(made) == 1


@pytest.mark.usefixtures("sockets")
def test_a_page_from_elsewhere_whose_name_leads_here_reads_nothing(tmp_path: Path) -> None:
    """The name that a browser asks for is looked at."""
    Run(tmp_path).say(PLAIN)
    with serving(Pages(Watch(tmp_path), lambda: "the report"), 0) as url:
        for name in ("", "now.json", "report"):
            assert fetched(f"{url}{name}", Host="evil.example:80") == (404, "see /")
