"""What a run on Ray finds around it: room, tokens, shared memory, a Ray that comes up late or goes early."""

import asyncio
import os
import threading
from collections import namedtuple
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ray

from data_designer.distributed import cluster, tokens
from data_designer.distributed import local_ray as local
from data_designer.distributed import run as of_run
from data_designer.distributed.cluster import connected
from data_designer.distributed.executor import RayReplica
from data_designer.distributed.nodes import lacking
from data_designer.distributed.placement import Place
from data_designer.distributed.run import tell_of_wait, while_connected
from data_designer.distributed.unsendable import without_what_stays
from data_designer.engine.protocol.messages import Finished, Summary
from data_designer.engine.protocol.parcels import REJECTED
from data_designer.errors import DataDesignerRuntimeError, RayGoneError
from data_designer.values import Block, Reason

# --- room ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpus", "free", "queued", "words"),
    [
        (0, 0, 0, "no CPU at all: start it with some"),
        (4, 0, 2, "all 4 are held by tasks and actors, and 2 more wait for one"),
        (4, 0.5, 1, "no CPU of this Ray is free"),
        (4, 0, 0, ""),
        (4, 1, 7, ""),
    ],
)
def test_what_is_lacking_is_said_with_what_helps(cpus: float, free: float, queued: int, words: str) -> None:
    """And nothing where there is room, or nobody waits for some: then the CPUs are the run's own."""
    said = lacking(cpus, free, lambda: queued)
    assert words in said
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("place", "asked", "most"),
    [
        (Place(), 1, 4),
        (Place(is_inside=True, held=1.0, free=0.0), 0, 1),
        (Place(is_inside=True, held=0.0, free=0.5), 0, 1),
        (Place(is_inside=True, held=1.0, free=2.0), 0, 3),
        (Place(is_inside=True, held=8.0, free=90.0), 0, 4),
    ],
)
def test_a_driver_inside_of_a_task_asks_for_no_cpu_and_uses_no_more_than_there_are(
    place: Place, asked: int, most: int
) -> None:
    """The last CPU may be the one that it holds itself."""
    assert (place.cpus_a_task, place.most(4)) == (asked, most)


# --- tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "there"),
    [
        ({}, False),
        ({"RAY_AUTH_TOKEN": "abc"}, True),
        ({"RAY_AUTH_TOKEN_PATH": "{home}/elsewhere"}, True),
        ({"RAY_AUTH_TOKEN_PATH": "{home}/missing"}, False),
        ({"HOME": "{home}/with"}, True),
        ({"HOME": "{home}/with", "RAY_AUTH_MODE": "disabled"}, False),
        ({"HOME": "{home}/empty"}, False),
    ],
)
def test_a_token_is_found_in_its_usual_places_unless_the_user_has_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], there: bool
) -> None:
    """Without asking Ray, which would demand it of others from then on."""
    (tmp_path / "elsewhere").write_text("abc", encoding="utf-8")
    for home, text in (("with", "abc\n"), ("empty", " \n")):
        (tmp_path / home / ".ray").mkdir(parents=True)
        (tmp_path / home / ".ray" / "auth_token").write_text(text, encoding="utf-8")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "{home}", **variables}.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    assert tokens.may_be_given() is there


def test_a_token_is_shown_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster without authentication is none of its business."""
    given: list[str] = []
    monkeypatch.setattr(tokens, "may_be_given", lambda: True)
    monkeypatch.setattr(tokens, "_is_asked", lambda address: address == "asks:1")
    monkeypatch.setattr(tokens, "give", lambda: given.append("token"))
    tokens.give_where_asked("does not:1")
    assert not given
    tokens.give_where_asked("asks:1")
    assert given


def test_what_is_decided_about_tokens_holds_for_one_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one may be another."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with tokens.as_before():
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "abc"})
    assert (os.environ["RAY_AUTH_MODE"], os.environ.get("RAY_AUTH_TOKEN")) == ("disabled", None)


# --- a Ray of this machine -------------------------------------------------------------------------------------

Usage = namedtuple("Usage", ["total", "used", "free"])  # noqa: PYI024 - as that of `shutil.disk_usage`


@pytest.mark.parametrize(
    ("shared", "disk", "store"),
    [
        (1 << 50, 0, {}),
        (1 << 30, 0, {"object_store_memory": int(0.9 * (1 << 30))}),
        (64 << 20, 1 << 40, {"object_store_memory": 2 << 30, "_plasma_directory": "/where"}),
        (64 << 20, 1 << 30, {"object_store_memory": 1 << 29, "_plasma_directory": "/where"}),
        (64 << 20, 1, {"object_store_memory": 75 << 20, "_plasma_directory": "/where"}),
    ],
)
def test_the_store_of_values_fits_into_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    shared: int,
    disk: int,
    store: dict[str, Any],
) -> None:
    """Into shared memory where there is some, else into files, of which it is said that they are slower."""
    monkeypatch.setattr(local.sys, "platform", "linux")
    monkeypatch.setattr(local, "_SHARED_MEMORY", Path("/"))
    monkeypatch.setenv("RAY_TMPDIR", "/where")
    free = {"/": shared, "/where": disk}
    monkeypatch.setattr(local.shutil, "disk_usage", lambda path: Usage(0, 0, free[str(path)]))
    assert local.object_store() == store
    assert ("which is slower" in caplog.text) == ("_plasma_directory" in store)


def failing(monkeypatch: pytest.MonkeyPatch, errors: list[Exception | None]) -> list[Exception | None]:
    """Rays that come up or not, in turn; gives those that are left."""

    def start(*_: Any) -> None:
        if error := errors.pop(0):
            raise error

    monkeypatch.setattr(local, "_start", start)
    monkeypatch.setattr(local, "object_store", dict)
    monkeypatch.setattr(tokens, "have_one", lambda: None)
    return errors


def test_a_ray_that_does_not_come_up_in_time_is_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It gives up after half a minute, which on a busy machine says nothing."""
    left = failing(monkeypatch, [RuntimeError("The current node timed out"), RuntimeError("once more"), None])
    local.start_local(1, lambda: True)
    assert not left
    assert "is started again: The current node timed out" in caplog.text


def test_a_ray_that_was_ended_by_others_is_not_taken_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls `ray.shutdown()` kills it; the one that is started then has lost nothing."""
    failing(monkeypatch, [None])
    killed = SimpleNamespace(args=["gcs_server"], pid=1, poll=lambda: -9)
    monkeypatch.setattr(local, "_started", [killed])
    assert local.dead_part() == "its gcs_server (process 1) was killed by signal 9"
    local.start_local(1, lambda: True)
    assert local.dead_part() is None


@pytest.mark.parametrize(
    ("error", "wanted", "tries"),
    [(RuntimeError("no"), True, 3), (RuntimeError("no"), False, 1), (ValueError("no"), True, 1)],
)
def test_a_ray_that_never_comes_up_is_given_up(
    monkeypatch: pytest.MonkeyPatch, error: Exception, wanted: bool, tries: int
) -> None:
    """At once where nobody waits for it any more, or where it cannot be started as it is asked to."""
    left = failing(monkeypatch, [error] * 5)
    with pytest.raises(type(error)):
        local.start_local(1, lambda: wanted)
    assert len(left) == 5 - tries


# --- one Ray for all runs of a process -------------------------------------------------------------------------


class FakeRay:
    """Counts how often it is started and shut down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started = self.ended = 0
        self.there: object = None
        monkeypatch.setattr(cluster, "_connect_or_start", self._start)
        monkeypatch.setattr(cluster, "shut_down", self._end)
        monkeypatch.setattr(cluster, "session", lambda: self.there)

    def _start(self, *_: Any) -> int:
        self.started += 1
        self.there = object()
        return 3

    def _end(self) -> None:
        self.ended += 1
        self.there = None


def test_runs_of_several_threads_share_one_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first starts it, the last shuts it down, and it is another one after that."""
    fake, barrier = FakeRay(monkeypatch), threading.Barrier(4)

    def work(_: int) -> int:
        with connected(2) as cpus:
            barrier.wait(30)
            assert fake.ended == fake.started - 1
            return cpus

    for time in (1, 2):
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(work, range(4))) == [3] * 4
        assert (fake.started, fake.ended) == (time, time)


def test_a_ray_that_somebody_has_shut_down_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes next starts another, which the first one's end leaves alone."""
    fake = FakeRay(monkeypatch)
    with connected(1):
        fake.there = None
        with connected(1):
            assert fake.started == 2
            second = fake.there
    assert second is not None
    assert (fake.started, fake.ended) == (2, 1)


def test_a_ray_that_does_not_come_up_fails_whoever_awaits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And who comes next tries again."""
    fake = FakeRay(monkeypatch)

    def fail(*_: Any) -> int:
        raise ConnectionError("nobody there")

    with monkeypatch.context() as failing_once:
        failing_once.setattr(cluster, "_connect_or_start", fail)
        with pytest.raises(ConnectionError, match="nobody there"), connected(1):
            pass
    with connected(1) as cpus:
        assert cpus == 3
    assert fake.started == 1


# --- a Ray that goes, or keeps a run waiting -------------------------------------------------------------------


async def _connected(work: Awaitable[int], session: Callable[[], Any]) -> int:
    async with while_connected(session):
        return await work


async def _for_ever() -> int:
    await asyncio.get_running_loop().create_future()
    return 0


def test_work_that_needs_a_ray_which_is_gone_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever."""
    monkeypatch.setattr(of_run, "_LOOK_SECONDS", 0.0)
    sessions = iter([1, 1, 1, 1])
    with pytest.raises(DataDesignerRuntimeError, match=r"Ray is gone: .* a resume makes the rest"):
        asyncio.run(_connected(_for_ever(), lambda: next(sessions, None)))


def test_a_ray_that_is_gone_before_work_on_it_begins_is_not_asked() -> None:
    """It would wait for one that is not there, and then end the process."""
    working = _for_ever()
    with pytest.raises(DataDesignerRuntimeError, match="Ray is gone"):
        asyncio.run(_connected(working, lambda: None))
    working.close()


async def _fails() -> int:
    raise ValueError("what Ray said")


def test_what_breaks_because_ray_is_gone_is_not_what_is_told() -> None:
    """But it is chained to that."""
    sessions = iter([1])
    with pytest.raises(DataDesignerRuntimeError, match="Ray is gone") as told:
        asyncio.run(_connected(_fails(), lambda: next(sessions, None)))
    assert str(told.value.__cause__) == "what Ray said"


def test_a_ray_of_which_a_part_has_died_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though this process is connected to it as before; what has died is said."""
    monkeypatch.setattr(of_run, "_LOOK_SECONDS", 0.0)
    seen = iter([None, None, None])

    async def work() -> None:
        async with while_connected(lambda: 1, lambda: next(seen, "its raylet (process 7) was killed by signal 9")):
            await _for_ever()

    with pytest.raises(RayGoneError, match=r"Ray is gone: its raylet \(process 7\) was killed by signal 9; .* resume"):
        asyncio.run(work())


@pytest.mark.parametrize(("code", "how"), [(None, None), (3, "ended with exit code 3"), (-9, "was killed by signal 9")])
def test_what_has_died_of_a_ray_that_was_started_here(
    monkeypatch: pytest.MonkeyPatch, code: int | None, how: str | None
) -> None:
    """By its name and how it ended; nothing where all of it lives."""
    one = SimpleNamespace(args=["/bin/raylet", "--x"], pid=7, poll=lambda: code)
    monkeypatch.setattr(local, "_started", [one])
    assert local.dead_part() == (how and f"its raylet (process 7) {how}")
    one.args[0] = "python"  # One of those that tell of logs, without which work goes on.
    assert local.dead_part() is None


@pytest.mark.parametrize("session", [1, 2])
def test_work_on_a_ray_that_stays_comes_to_what_it_comes_to(session: int) -> None:
    """As if nobody watched."""
    assert asyncio.run(_connected(asyncio.sleep(0, 7), lambda: session)) == 7
    with pytest.raises(ValueError, match="what Ray said"):
        asyncio.run(_connected(_fails(), lambda: session))


def test_who_is_left_while_ray_stays_is_cancelled() -> None:
    """As a second Ctrl-C does."""

    async def scenario() -> None:
        working = asyncio.create_task(_connected(_for_ever(), lambda: 1))
        await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(scenario())


def test_who_waits_for_ray_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is there."""
    monkeypatch.setattr(of_run, "_TOLD_SECONDS", 0.001)

    async def scenario() -> None:
        connected: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        telling = asyncio.create_task(tell_of_wait(connected, "head:6379"))
        await asyncio.to_thread(said.wait, 30)
        connected.set_result(1)
        await telling

    said = threading.Event()
    monkeypatch.setattr(of_run.logger, "info", lambda *words: (said.set(), told.append(words[0] % words[1:])))
    told: list[str] = []
    asyncio.run(scenario())
    assert told[0] == "waiting for Ray at head:6379 to answer"


# --- reports that do not travel --------------------------------------------------------------------------------


def _travels(thing: Any) -> bool:
    return "stays" not in repr(thing)


def report(**columns: list[Any]) -> tuple[Summary, dict[int, Block]]:
    """A report of three rows."""
    rows = np.arange(3, dtype=np.int64)
    kept = np.array([True, True, False])
    reasons = [None, None, Reason("Kind", "it was so before", "b")]
    block = Block(rows, {**columns, REJECTED: reasons})
    return Summary(1, (Finished(5, rows, rows, kept, (), 0),), None), {5: block}


def test_rows_that_do_not_travel_are_rejected_and_the_others_reported() -> None:
    """With the column that does not; why another row failed is kept."""
    summary, values = without_what_stays(*report(a=[1, "stays", 3], b=[1, 2, "stays"]), _travels)
    assert summary.finished[0].kept.tolist() == [True, False, False]
    block = values[5]
    assert (block.columns["a"], block.columns["b"]) == ([1, None, 3], [1, 2, None])
    assert [reason and (reason.kind, reason.column) for reason in block.columns[REJECTED]] == [
        None,
        ("DataConversionError", "a"),
        ("Kind", "b"),
    ]


def test_a_report_that_travels_is_the_same() -> None:
    """To the object."""
    summary, values = report(a=[1, 2, 3])
    same, whole = without_what_stays(summary, values, _travels)
    assert whole[5] is values[5]
    assert same.finished[0].kept.tolist() == [True, True, False]


class FakeMethod:
    """A method of an actor, which gives what it is told to in turn."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def options(self, **_: Any) -> "FakeMethod":
        """It is itself."""
        return self

    def remote(self, acknowledged: int, **options: Any) -> tuple[Any, str]:
        """Ask."""
        self.asked.append({"acknowledged": acknowledged, **options})
        return FakeRef(self.answers.pop(0)), "values"


class FakeRef:
    """Something that comes to a value or an error."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def future(self) -> Any:
        """What is awaited."""
        done: Any = cluster.Future()
        if isinstance(self.answer, Exception):
            done.set_exception(self.answer)
        else:
            done.set_result(self.answer)
        return done


def test_a_report_that_does_not_come_through_is_asked_for_without_what_does_not() -> None:
    """Once: what breaks again is no matter of its values."""
    broken = ray.exceptions.RayTaskError("collect", "traceback", TypeError("it does not pickle"))
    summary = Summary(4, (), None)
    actor: Any = type("Actor", (), {"collect": FakeMethod([broken, summary])})
    home: Any = None
    assert asyncio.run(RayReplica(actor, home).collect(3)) == (summary, "values")
    assert actor.collect.asked == [{"acknowledged": 3}, {"acknowledged": 3, "only_what_travels": True}]
    actor.collect.answers = [broken, broken]
    with pytest.raises(TypeError, match="does not pickle"):
        asyncio.run(RayReplica(actor, home).collect(4))
