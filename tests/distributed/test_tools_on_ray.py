"""Tools on Ray: the same rows as in one process, and no server that is left, whatever dies."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.distributed.driving import Driven, meanwhile
from tests.fakes import designer, model, numbered
from tests.programs import started
from tests.tool_server import called, living, provider, wait_for_none

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults

pytestmark = pytest.mark.usefixtures("local_ray")

RECORDS = 40
MODEL = "sim?tool_turns=2&latency=0.1"


@dd.custom_column_generator(required_columns=["n"])
def twice(row: dict[str, Any]) -> dict[str, Any]:
    """A function, which is called on Ray alone where there is one."""
    return {**row, "twice": 2 * row["n"]}


def waiting_for(gate: Path) -> Callable[..., dict[str, Any]]:
    """A function that comes to nothing before a file is there."""

    @dd.custom_column_generator(required_columns=["text"])
    def after(row: dict[str, Any]) -> dict[str, Any]:
        while not gate.exists():
            time.sleep(0.01)
        return {**row, "after": "done"}

    return after


def make(
    url: str, path: Path, folder: Path, executor: str, resume: str = "never", gate: Path | None = None
) -> DatasetCreationResults:
    """A text about each seed row, for which a model calls a tool twice; on Ray, by replicas on Ray alone.

    With a gate no row is whole, and the run not over, before that file is there.
    """
    made = dd.DataDesignerConfigBuilder(
        model_configs=[model("m", MODEL, max_parallel_requests=8)],
        tool_configs=[dd.ToolConfig(tool_alias="tools", providers=["tools"], timeout_sec=30)],
    )
    made.with_seed_dataset(numbered())
    made.add_column(dd.CustomColumnConfig(name="twice", generator_function=twice))  # So that work waits for Ray.
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="row {{ twice }}", tool_alias="tools")
    if gate is not None:
        made.add_column(dd.CustomColumnConfig(name="after", generator_function=waiting_for(gate)))
    # Whoever asks for resources is served by replicas on Ray alone.
    where = {"m": {"node:__internal_head__": 0.001}} if executor == "ray" else {}
    run = designer(url, path, [provider(folder, "add")], executor=executor, replica_resources=where)
    return run.create(made, num_records=RECORDS, dataset_name="d", resume=resume)


def folder(path: Path, name: str) -> Path:
    """A folder of servers."""
    (path / name).mkdir()
    return path / name


def ever(folder: Path) -> list[str]:
    """Servers that there have been."""
    return (folder / "servers").read_text().split()


def parents(numbers: list[int]) -> set[int]:
    """The processes that reach servers: each server is a child of the program that watches it."""
    return {psutil.Process(number).parents()[1].pid for number in numbers}


def test_rows_are_the_same_as_in_one_process(simulated: str, tmp_path: Path) -> None:
    """Each call is made once, by servers of the replicas; all of them end with the run."""
    inline, there = folder(tmp_path, "inline"), folder(tmp_path, "ray")
    one = make(simulated, tmp_path / "a", inline, "inline").load_dataset()
    other = make(simulated, tmp_path / "b", there, "ray").load_dataset()
    assert other.equals(one)
    assert len(called(there)) == len(called(inline)) == 2 * RECORDS
    assert len(ever(there)) > 1 == len(ever(inline))
    assert wait_for_none(there) == []


def test_a_replica_that_is_killed_takes_its_servers_along(simulated: str, tmp_path: Path) -> None:
    """SIGKILL of the process that has a server: that ends, another replica's calls go on, the rows are whole."""
    there, gate = folder(tmp_path, "ray"), tmp_path / "gate"
    killed: list[int] = []

    def kill(run: Driven) -> None:
        try:
            run.wait(lambda: len(called(there)) > 10 and len(living(there)) > 1, "calls are made by a replica")
            before = living(there)
            victim = next(iter(parents(before[-1:])))
            killed.extend(number for number in before if parents([number]) == {victim})
            assert "ray::" in " ".join(psutil.Process(victim).cmdline())
            psutil.Process(victim).kill()
        finally:
            gate.touch()

    with meanwhile(kill):
        results = make(simulated, tmp_path, there, "ray", gate=gate)
    assert results.outcomes.generated == RECORDS
    assert killed
    assert wait_for_none(there) == []


def begin(url: str, path: Path, folder: Path) -> None:
    """What a process does that is killed."""
    with suppress(KeyboardInterrupt):
        make(url, path, folder, "ray", gate=path / "gate")


def test_a_driver_that_is_killed_leaves_no_server(simulated: str, tmp_path: Path) -> None:
    """SIGKILL of the driver of a Ray of its own; the run goes on where it stopped, and calls what was not called."""
    there = folder(tmp_path, "ray")
    program = started(begin, simulated, tmp_path, there)
    while len(called(there)) < 20:
        assert program.is_alive()
        time.sleep(0.01)
    program.kill()
    program.join()
    assert program.exitcode == -signal.SIGKILL
    assert wait_for_none(there) == []
    gate = tmp_path / "gate"
    gate.touch()
    assert make(simulated, tmp_path, there, "inline", "always", gate).outcomes.generated == RECORDS
    assert 2 * RECORDS <= len(called(there)) <= 2 * RECORDS + 16
