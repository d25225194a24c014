"""What idle slots wait for, as a scheduler sees it, step by step."""

import numpy as np

from data_designer.engine.protocol.slot_time import Account
from data_designer.engine.scheduling import events as ev
from data_designer.engine.scheduling.demand import Demand
from data_designer.engine.scheduling.scheduler import Scheduler
from data_designer.plan.model import LOCAL, Geometry

STAGES = (
    ev.StageShape(LOCAL, whole_batch=True, upstream=(), depth=0),
    ev.StageShape("a", whole_batch=False, upstream=(0,), depth=1),
    ev.StageShape(LOCAL, whole_batch=True, upstream=(1,), depth=2),
    ev.StageShape("b", whole_batch=False, upstream=(2,), depth=3),
)
"""Samplers, a model, something that looks at whole batches, and another model."""


def begun(records: int = 4, **shape: int) -> Scheduler:
    """A run of batches of four records, one replica a model."""
    scheduler = Scheduler(ev.Shape(STAGES, {"a": 4, "b": 4}, Geometry(records, 4), **shape))
    scheduler.handle(ev.Started())
    for number, pool in enumerate("ab"):
        scheduler.handle(ev.ReplicaUp(number, 1, pool))
        scheduler.handle(ev.Regranted(number, 1, 4))
    return scheduler


def task_done(scheduler: Scheduler, ticket: int) -> list[ev.Command]:
    """A CPU task keeps all of its four rows."""
    return scheduler.handle(ev.TaskDone(ticket, np.ones(4, dtype=np.bool_)))


def rows_done(scheduler: Scheduler, send: ev.Command, rows: int) -> list[ev.Command]:
    """The first rows of those that were sent."""
    assert isinstance(send, ev.Send)
    done = send.rows[:rows]
    kept = np.ones(rows, dtype=np.bool_)
    tickets = np.full(rows, send.ticket)
    return scheduler.handle(ev.RowsDone(send.replica, send.epoch, send.stage, done, tickets, kept))


def test_one_batch_on_its_way() -> None:
    """Rows that are sampled, at a model, at rest until all of their batch are there, at the other one, and written."""
    scheduler = begun()
    assert scheduler.demand({}) == {"a": Demand(cpu=4), "b": Demand(cpu=4)}

    (send,) = task_done(scheduler, 1)
    assert scheduler.demand({}) == {"a": Demand(ready=4), "b": Demand(upstream=4)}
    assert scheduler.demand({0: 4}) == {"a": Demand(), "b": Demand(upstream=4)}

    assert rows_done(scheduler, send, 3) == []
    assert scheduler.demand({0: 1}) == {"a": Demand(), "b": Demand(cpu=3, upstream=1)}

    (task,) = rows_done(scheduler, ev.Send(0, 1, 1, send.rows[3:], send.ticket), 1)
    assert isinstance(task, ev.RunTask)
    assert scheduler.demand({}) == {"a": Demand(), "b": Demand(cpu=4)}

    (send,) = task_done(scheduler, task.ticket)
    assert scheduler.demand({1: 3}) == {"a": Demand(), "b": Demand(ready=1)}

    rows_done(scheduler, send, 4)
    is_written = Demand(rest=Account.STORAGE)
    assert scheduler.demand({}) == {"a": is_written, "b": is_written}


def test_rows_that_are_lost_are_ready_again() -> None:
    """Whoever has slots is to have them."""
    scheduler = begun()
    task_done(scheduler, 1)
    scheduler.handle(ev.ReplicaLost(0, 1))
    assert scheduler.demand({}) == {"a": Demand(ready=4), "b": Demand(upstream=4)}


def test_a_batch_that_may_not_be_opened_is_waited_for() -> None:
    """As many are open as the user allows, or more would not fit."""
    for limit in ({"max_open_batches": 1}, {"held_bytes": 1}):
        scheduler = begun(400, **limit)
        for ticket in range(1, 5):
            # Rows that are rejected leave room for others.
            scheduler.handle(ev.TaskDone(ticket, np.arange(4) > 2, bytes=10))
        assert {one.rest for one in scheduler.demand({}).values()} == {Account.STORAGE}


def test_where_rows_enough_are_open_what_keeps_most_of_them_is_waited_for() -> None:
    """The first model's slots may be idle since the second is slow."""
    scheduler = begun(1000, workers=1)
    assert {one.rest for one in scheduler.demand({}).values()} == {Account.CPU}
    for ticket in range(1, 40):
        task_done(scheduler, ticket)
    assert {name: one.rest for name, one in scheduler.demand({}).items()} == {
        "a": Account.ENGINE,
        "b": Account.UPSTREAM,
    }


def test_a_run_that_stops_has_nothing_left_to_do() -> None:
    """Whatever is open."""
    scheduler = begun(1000)
    scheduler.handle(ev.Stop("enough"))
    assert set(scheduler.demand({}).values()) == {Demand(rest=Account.LAST)}
