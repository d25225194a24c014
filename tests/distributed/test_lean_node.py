"""What a Ray of this machine is started without, and what of it is there when it is wanted all the same."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import ray
from ray._private import parameter, services

from data_designer.distributed import idle_agent, lean_node
from data_designer.distributed.lean_node import lean


def names() -> list[str]:
    """The command lines of what this process has started, and of what that has, as far as it runs."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # It may end meanwhile, or have ended unseen.
            found.append(" ".join(one.cmdline()))
    return found


def test_a_ray_of_this_machine_has_no_process_that_nobody_asked_for(local_ray: None) -> None:
    """Of Ray's own there are the two that it cannot do without; its agents are two processes of little memory."""
    # Another test of this process may have a Ray of its own.
    session = ray._private.worker._global_node.get_session_dir_path()
    there = [name for name in names() if session in name or name.startswith("ray::")]
    assert len([name for name in there if name.partition(" ")[0].endswith("/gcs_server")]) == 1
    for absent in ("monitor.py", "dashboard.py", "ray::DashboardAgent"):
        assert not any(absent in name for name in there)


@ray.remote(num_cpus=0, runtime_env={"env_vars": {"ASKED_FOR": "yes"}})
def _asked_for() -> str:
    return os.environ["ASKED_FOR"]


def test_a_task_that_wants_another_environment_gets_it(local_ray: None) -> None:
    """Its agent starts when it is asked, in the place of what stands in for it."""
    assert ray.get(_asked_for.remote(), timeout=120) == "yes"


def replaced() -> tuple[object, ...]:
    """What stands for the names that are replaced."""
    return (
        parameter.RayParams,
        services.start_api_server,
        services._build_python_executable_command_memory_profileable,
    )


def test_what_is_replaced_is_ray_s_own_again_afterwards() -> None:
    """Also where what is started fails."""

    def fail() -> None:
        assert parameter.RayParams().no_monitor
        raise OSError("no memory")

    before = replaced()
    with pytest.raises(OSError, match="no memory"), lean():
        fail()
    assert replaced() == before


@pytest.mark.parametrize(("setting", "there"), [(None, False), ("0", False), ("1", True)])
def test_what_reports_usage_is_there_for_who_wants_it(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, there: bool
) -> None:
    """It is the one thing that Ray's dashboard does without its pages."""
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    if setting is not None:
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", setting)
    before = services.start_api_server
    with lean():
        assert (services.start_api_server is before) is there


def test_agents_of_another_ray_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that tells ports in another way or not by files, or that was told not to hold their standard input."""
    with monkeypatch.context() as otherwise:
        otherwise.setattr(lean_node._raylet, "get_port_filename", lambda node, name: f"{node}.{name}")
        assert not lean_node._agents_are_known()
        otherwise.delattr(lean_node._raylet, "get_port_filename")
        assert not lean_node._agents_are_known()
    assert lean_node._agents_are_known() is (sys.platform == "linux")
    monkeypatch.setenv("RAY_enable_pipe_based_agent_to_parent_health_check", "0")
    assert not lean_node._agents_are_known()


def stand_in(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """A stand-in for an agent that would say what it was given."""
    agent = [sys.executable, "-c", "import sys; print(*sys.argv[1:])", "--node-id=n", "--node-ip-address=127.0.0.1"]
    agent += [f"--session-dir={folder}", "--some-port=0"]
    command = [sys.executable, "-I", "-S", idle_agent.__file__, *arguments, *agent]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def port_of(folder: Path, name: str) -> str:
    """What a stand-in has told, once it has."""
    file = folder / f"{name}_n"
    end = time.monotonic() + 30
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return file.read_text()


@pytest.mark.parametrize("arguments", [("absent", "one,some_port"), ("asleep", "some_port")])
def test_who_stands_in_for_an_agent_ends_with_its_raylet(
    processes: None, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    """It says that there is no agent, or where it listens, and starts nothing."""
    with stand_in(tmp_path, *arguments) as process:
        assert (port_of(tmp_path, "some_port") == "-1") is (arguments[0] == "absent")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_who_is_asked_becomes_the_agent_at_the_same_port(processes: None, tmp_path: Path) -> None:
    """Whoever asked finds nobody once, and asks again."""
    with stand_in(tmp_path, "asleep", "some_port") as process:
        port = port_of(tmp_path, "some_port")
        socket.create_connection(("127.0.0.1", int(port)), timeout=30).close()
        said = process.communicate(timeout=30)[0].decode().split()
        assert said == [
            "--node-id=n",
            "--node-ip-address=127.0.0.1",
            f"--session-dir={tmp_path}",
            f"--some-port={port}",
        ]


_ARROW = """
import sys
import pyarrow as pa
from data_designer.distributed.worker_memory import know_pandas, spare_pandas
spare_pandas()
pa.array(["a"]), pa.table({"a": pa.array([1])})
print("pandas" in sys.modules)
know_pandas()
import pandas
print(pa.array(pandas.Series([1.0, None])).null_count)
"""


def test_a_worker_without_functions_of_the_user_has_no_pandas_and_gets_it_for_those(processes: None) -> None:
    """By itself pyarrow would import it at its first array, and tells series from lists by it."""
    said = subprocess.run([sys.executable, "-c", _ARROW], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["False", "1"]
