"""Threads that no process waits for as it ends."""

import subprocess
import sys
import threading

import pytest

from data_designer.engine.execution.daemon_threads import DaemonThreads

NEVER_ENDS = """
import threading
from data_designer.engine.execution.daemon_threads import DaemonThreads
began = threading.Event()
DaemonThreads(1, "t").submit(lambda: (began.set(), threading.Event().wait()))
began.wait()
"""


def test_a_process_ends_whatever_they_are_at(processes: None) -> None:
    """A function that never ends keeps no script from ending."""
    subprocess.run([sys.executable, "-c", NEVER_ENDS], check=True, timeout=120)


def test_so_many_run_at_once_and_give_what_they_come_to() -> None:
    """Errors too, of whatever kind."""

    def fail() -> None:
        raise SystemExit(3)

    barrier, threads = threading.Barrier(3), DaemonThreads(3, "t")
    together = [threads.submit(barrier.wait, 30) for _ in range(3)]
    assert sorted(one.result(30) for one in together) == [0, 1, 2]
    with pytest.raises(SystemExit):
        threads.submit(fail).result(30)
    assert threads.submit(max, 1, 2).result(30) == 2
    threads.shutdown()


def test_what_has_not_begun_is_left_out() -> None:
    """What has begun ends."""
    began, ends, threads = threading.Event(), threading.Event(), DaemonThreads(1, "t")
    first, second = threads.submit(lambda: (began.set(), ends.wait(30))[1]), threads.submit(max, 1, 2)
    assert began.wait(30)
    threads.shutdown(wait=False, cancel_futures=True)
    assert second.cancelled()
    ends.set()
    assert first.result(30) is True
