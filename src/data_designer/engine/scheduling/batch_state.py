"""The state of an open batch: a few small arrays over rows and stages."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_designer.engine.protocol.rows import Flags, Rows
from data_designer.engine.scheduling.events import StageShape

WAITING, READY, OUT, DONE, GONE = range(5)
"""A row at a stage: lacks inputs; may be dispatched; is dispatched; has its values; its row was rejected."""

_NAMES = ("waiting", "ready", "out", "done", "gone")

Positions = npt.NDArray[np.int64]
"""Positions of rows inside a batch, shape [n]."""


@dataclass(frozen=True, slots=True)
class Released:
    """Rows of a batch that became ready for a stage."""

    stage: int
    positions: Positions


class OpenBatch:
    """Where each row of one batch stands at each stage.

    Every method costs time in proportion to the rows it names, times the number of stages.
    """

    def __init__(self, number: int, records: range, stages: tuple[StageShape, ...], wanted: Rows | None = None) -> None:
        """Start with nothing done.

        Args:
            number: the batch's.
            records: its record indices.
            stages: what they go through.
            wanted: those of the records that are to be made, where not all are.
        """
        size, count = len(records), len(stages)
        self.number = number
        self.start = records.start
        self.size = size
        self.bytes = 0
        self.committing = False
        self.lost_while_committing: list[tuple[int, Rows]] = []
        """(stage, rows) whose values went since a commit was asked for: if it fails, they are made again."""
        self.commit_failures = 0
        self.lost = 0
        """How often work of it was lost, the end of an earlier run included."""
        self._wanted = np.ones(size, dtype=np.bool_) if wanted is None else np.isin(np.array(records), wanted)
        asked = int(self._wanted.sum())
        self.unfinished = count * asked
        """Live (row, stage) pairs that are not done."""
        self.active = 0
        """(row, stage) pairs that are ready or out."""
        self.counts = np.zeros((2, count), dtype=np.int64)
        """How many rows are done, and how many were rejected before they were, a stage."""
        self._stages = stages
        self._downstream = [[n for n, shape in enumerate(stages) if up in shape.upstream] for up in range(count)]
        self._state = np.full((count, size), WAITING, dtype=np.uint8)
        self._state[:, ~self._wanted] = GONE
        upstream = np.array([len(shape.upstream) for shape in stages], dtype=np.uint8)
        self._missing = np.tile(upstream[:, None], (1, size))
        self._ticket = np.full((count, size), -1, dtype=np.int64)
        self._losses = np.zeros((count, size), dtype=np.uint8)
        self._live = self._wanted.copy()
        self._blocked = [asked if shape.upstream else 0 for shape in stages]
        """Live rows that still lack inputs, a stage."""
        self._gathering = {n for n, shape in enumerate(stages) if shape.whole_batch and shape.upstream}
        """Whole-batch stages that still wait for rows."""

    def __repr__(self) -> str:
        counts = {name: int((self._state == code).sum()) for code, name in enumerate(_NAMES)}
        return f"OpenBatch({self.number}, live={int(self._live.sum())}/{self.size}, {counts})"

    # --- looking -----------------------------------------------------------------------------------------

    def positions(self, rows: Rows) -> Positions:
        """Record indices to positions."""
        return rows - self.start

    def rows(self, positions: Positions) -> Rows:
        """Positions to record indices."""
        return positions + self.start

    def ready(self, stage: int, rows: Rows) -> Rows:
        """Those of the rows that are still ready for a stage."""
        ready: Flags = self._state[stage, rows - self.start] == READY
        return rows[ready]

    def out_under(self, ticket: "int | Rows", stage: int, positions: Positions) -> Flags:
        """Which of the rows are out under this very ticket, or each under its own."""
        under: Flags = self._ticket[stage, positions] == ticket
        out: Flags = under & (self._state[stage, positions] == OUT)
        return out

    def losses(self, stage: int, positions: Positions) -> npt.NDArray[np.uint8]:
        """How often each row was lost at a stage after it had started."""
        losses: npt.NDArray[np.uint8] = self._losses[stage, positions]
        return losses

    def at_stages(self) -> "npt.NDArray[np.int64]":
        """How many rows are ready or out at each stage. Costs time in proportion to rows times stages."""
        counts: npt.NDArray[np.int64] = np.count_nonzero(self._state - np.uint8(READY) <= OUT - READY, axis=1)
        return counts

    def gathered_at(self) -> dict[int, int]:
        """Whole-batch stages that wait for rows, each with how many of its rows wait for the others there."""
        live = int(self._live.sum()) if self._gathering else 0
        return {stage: live - self._blocked[stage] for stage in self._gathering}

    def rejected_rows(self) -> Rows:
        """Record indices of rows that have left the dataset."""
        return self.rows(np.flatnonzero(self._wanted & ~self._live))

    def complete_rows(self) -> Rows:
        """Record indices of live rows that are done at every stage."""
        return self.rows(np.flatnonzero(self._live & (self._state == DONE).all(axis=0)))

    # --- moving ------------------------------------------------------------------------------------------

    def roots(self) -> Iterator[Released]:
        """Release every row to the stages that need nothing."""
        everything = np.flatnonzero(self._wanted)
        for stage, shape in enumerate(self._stages):
            if not shape.upstream:
                yield self._release(stage, everything)

    def dispatch(self, stage: int, positions: Positions, ticket: int) -> None:
        """Ready rows go out under a ticket."""
        self._state[stage, positions] = OUT
        self._ticket[stage, positions] = ticket

    def finish(self, stage: int, positions: Positions) -> Iterator[Released]:
        """Rows that were out have their values for a stage; yields what that makes ready."""
        self._state[stage, positions] = DONE
        self.counts[0, stage] += len(positions)
        self.unfinished -= len(positions)
        self.active -= len(positions)
        for later in self._downstream[stage]:
            missing = self._missing[later]
            missing[positions] -= 1
            complete = positions[(missing[positions] == 0) & self._live[positions]]
            self._blocked[later] -= len(complete)
            if len(complete) and not self._stages[later].whole_batch:
                yield self._release(later, complete)
        yield from self._gathered()

    def reject(self, positions: Positions) -> Iterator[Released]:
        """Rows leave the dataset, wherever they stand; yields what became ready because they left."""
        positions = positions[self._live[positions]]
        states = self._state[:, positions]
        self.active -= int(((states == READY) | (states == OUT)).sum())
        gone = (states != DONE).sum(axis=1)
        self.counts[1] += gone
        self.unfinished -= int(gone.sum())
        for stage in range(len(self._stages)):
            self._blocked[stage] -= int((self._missing[stage, positions] > 0).sum())
        self._state[:, positions] = np.where(states == DONE, DONE, GONE)
        self._live[positions] = False
        yield from self._gathered()

    def count_loss(self, stage: int, positions: Positions) -> None:
        """Rows were lost at a stage after they had started."""
        self._losses[stage, positions] += 1

    def restore(self, stage: int, positions: Positions) -> list[Released]:
        """Rows that were out came back unfinished: they are ready again."""
        self.active -= len(positions)
        return [self._release(stage, positions)] if len(positions) else []

    def undo(self, stage: int, positions: Positions) -> list[Released]:
        """Values of finished rows are gone: those rows go back to before the stage, and what used them too.

        Returns what is ready now.
        """
        # A report names a row twice that was taken back from its replica and given to it again.
        positions = np.unique(positions[(self._state[stage, positions] == DONE) & self._live[positions]])
        affected: dict[int, Positions] = {stage: positions} if len(positions) else {}
        for number in range(stage, len(self._stages)) if affected else ():
            users = [affected[up] for up in self._stages[number].upstream if up in affected]
            if users:
                affected[number] = np.unique(np.concatenate(users))
            if number in affected:
                if self._stages[number].whole_batch:
                    affected[number] = np.flatnonzero(self._live)
                self._reset(number, affected[number])
        return self._release_reset(affected)

    def _reset(self, stage: int, positions: Positions) -> None:
        state = self._state[stage, positions]
        done = positions[state == DONE]
        self.counts[0, stage] -= len(done)
        self.unfinished += len(done)
        self.active -= int(((state == READY) | (state == OUT)).sum())
        self._state[stage, positions] = WAITING
        self._ticket[stage, positions] = -1
        for later in self._downstream[stage]:
            self._blocked[later] += int((self._missing[later, done] == 0).sum())
            self._missing[later, done] += 1

    def _release_reset(self, affected: dict[int, Positions]) -> list[Released]:
        released = []
        for stage, positions in affected.items():
            shape = self._stages[stage]
            complete = positions[self._missing[stage, positions] == 0]
            if shape.whole_batch and shape.upstream:
                self._gathering.add(stage)
            elif len(complete):
                released.append(self._release(stage, complete))
        return [*released, *self._gathered()]

    def _release(self, stage: int, positions: Positions) -> Released:
        self._state[stage, positions] = READY
        self._ticket[stage, positions] = -1
        self.active += len(positions)
        return Released(stage, positions)

    def _gathered(self) -> Iterator[Released]:
        """Whole-batch stages for which the last row has just become complete."""
        for stage in [stage for stage in self._gathering if self._blocked[stage] == 0]:
            self._gathering.discard(stage)
            waiting = np.flatnonzero(self._live & (self._state[stage] == WAITING))
            if len(waiting):
                yield self._release(stage, waiting)

    # --- the promise -------------------------------------------------------------------------------------

    def check_invariants(self) -> None:
        """Raise AssertionError where the counters and the arrays disagree."""
        live, done = self._live, self._state == DONE
        gone = (self._state == GONE) & self._wanted
        active = (self._state == READY) | (self._state == OUT)
        missing = np.zeros_like(self._missing)
        for stage, shape in enumerate(self._stages):
            for up in shape.upstream:
                missing[stage] += ~done[up]
        lacking = (self._missing > 0) & live
        problems = {
            "unfinished": self.unfinished != int((~done & live).sum()),
            "active": self.active != int(active.sum()),
            "a rejected row is active": bool((active & ~live).any()),
            "missing inputs": bool(((self._missing != missing) & live).any()),
            "counts": self.counts.tolist() != [done.sum(axis=1).tolist(), gone.sum(axis=1).tolist()],
            "blocked rows": self._blocked != lacking.sum(axis=1).tolist(),
            "a stage ran without its inputs": bool(((active | done) & lacking).any()),
        }
        wrong = [name for name, is_wrong in problems.items() if is_wrong]
        if wrong:
            raise AssertionError(f"{self!r}: {', '.join(wrong)}")
