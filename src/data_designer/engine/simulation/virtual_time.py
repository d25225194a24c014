"""The executor in virtual time: answers what-if questions, and proves the scheduler right under faults.

Nothing here waits: a run of hours takes as long as its events take to decide. A forecast is a plan's shape and a
world: `Simulation(shape, World(replicas=4, latency=...), random.Random(1)).run()` says how long the run takes and how
busy each pool is. Latencies and faults are drawn from the generator that is passed in, so a run can be repeated
exactly. Whoever is in `Simulation.timeline.watchers`, such as `SlotAccounts`, is shown what happens.
"""

import random

from data_designer.engine.scheduling import events as ev
from data_designer.engine.simulation.dataset import CellKey, Dataset, NoDataset
from data_designer.engine.simulation.replica import SimulatedReplica
from data_designer.engine.simulation.timeline import Report, Timeline
from data_designer.engine.simulation.world import Faults, World


class Simulation:
    """Runs a scheduler against a world. `run()` returns the report.

    Args:
        shape: the plan.
        world: the machines.
        rng: draws every latency and fault.
        faults: what goes wrong.
        dataset: where values, journal and commits are kept; without it they are only counted.
        proving: check the scheduler's invariants at every event, and keep in the report which rows were
            committed; without it, nothing here grows with the number of records.
    """

    def __init__(
        self,
        shape: ev.Shape,
        world: World,
        rng: random.Random,
        *,
        faults: Faults = Faults(),  # noqa: B008 - frozen
        dataset: Dataset | None = None,
        proving: bool = False,
    ) -> None:
        self._world = world
        self._proving = proving
        self.timeline = Timeline(
            shape=shape, world=world, faults=faults, rng=rng, dataset=dataset or NoDataset(), obey=self.obey,
            check=proving,
        )  # fmt: skip
        pools = [pool for pool in shape.slots for _ in range(world.replicas)]
        self._replicas = [SimulatedReplica(number, pool, self.timeline) for number, pool in enumerate(pools)]
        self.timeline.watch = self._watch
        self._computing: set[CellKey] = set()
        """What CPU tasks run."""
        self.timeline.held.append(self._computing)

    def run(self) -> Report:
        """Run to the end. Raises StalledError or AssertionError where the scheduler breaks its promises."""
        timeline = self.timeline
        for replica in self._replicas:
            timeline.soon(0.5, replica.come_up)
        timeline.tell(ev.Started(timeline.dataset.open()))
        if self._world.stop_at is not None:
            timeline.at(self._world.stop_at, lambda: timeline.tell(ev.Stop("asked to")))
        timeline.at(0.25, timeline.tick)
        timeline.run()
        for replica in self._replicas:
            replica.say()
        timeline.dataset.close()
        timeline.report.seconds = timeline.now
        timeline.report.stopped = timeline.scheduler.stop_reason
        return timeline.report

    def _watch(self) -> None:
        """Show whoever watches what the slots have done, and what idle ones wait for."""
        for replica in self._replicas:
            replica.say()
        arrived = {replica.number: replica.arrived for replica in self._replicas}
        demand = self.timeline.scheduler.demand(arrived)
        for watcher in self.timeline.watchers:
            watcher.look(demand)

    def obey(self, command: ev.Command) -> None:
        """Carry out what the scheduler says."""
        match command:
            case ev.Send():
                self._replicas[command.replica].receive(command)
            case ev.RunTask():
                self._run_task(command)
            case ev.Commit():
                self._commit(command)
            case ev.Reject(rows=rows):
                self.timeline.report.rejected.update(rows.tolist())
            case ev.Regrant(replica):
                self.timeline.at(0.001, lambda: self._replicas[replica].regrant(command))
            case ev.Dismiss(replica):
                self.timeline.at(0.001, lambda: self._replicas[replica].dismiss(command))
            case ev.Abandon():
                self.timeline.soon(1, lambda: self.timeline.tell(ev.Drained()))
            case ev.Forget(batch):
                self.timeline.dataset.forget(batch)
            case ev.HoldBack():
                pass

    def _run_task(self, command: ev.RunTask) -> None:
        timeline = self.timeline
        timeline.report.executions += len(command.rows)
        cells = {(command.stage, row) for row in command.rows.tolist()}
        if not timeline.faults.poison.isdisjoint(cells) or timeline.happens(timeline.faults.task_death):
            timeline.at(0.01, lambda: timeline.tell(ev.TaskLost(command.ticket, "killed")))
            return
        compute = timeline.dataset.task(command)
        self._computing |= cells

        def done() -> None:
            self._computing.difference_update(cells)
            try:
                answers = compute()
            except OSError:
                timeline.tell(ev.TaskLost(command.ticket, "disk full", started=False))
                return
            kept = timeline.kept(command.stage, command.rows)
            timeline.tell_done(ev.TaskDone(command.ticket, kept, 100), answers)
            timeline.maybe_lose_values(command.stage, command.rows)

        timeline.at(self._world.task_seconds, done)

    def _commit(self, command: ev.Commit) -> None:
        timeline = self.timeline

        def done() -> None:
            failure = self._written(command)
            if failure is not None:
                timeline.tell(ev.CommitFailed(command.batch, failure))
                return
            timeline.report.committed += len(command.rows)
            if self._proving:
                timeline.report.rows[command.batch] = frozenset(command.rows.tolist())
            timeline.tell(ev.Committed(command.batch))

        pause = min(2.0 ** (command.failures - 1), 60.0) if command.failures else 0.0
        timeline.at(self._world.commit_seconds + pause, done)

    def _written(self, command: ev.Commit) -> str | None:
        """Write a batch; says why that failed, if it did."""
        if self.timeline.happens(self.timeline.faults.commit_failure):
            return "disk full"
        try:
            self.timeline.dataset.commit(command)
        except OSError as error:
            return str(error)
        return None
