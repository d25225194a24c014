"""Decides, record by record, whether a step's cell is computed or skipped."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from data_designer.columns.templating.decoding import decoded
from data_designer.columns.templating.environments import compiled, condition_environment
from data_designer.config.templates import references
from data_designer.plan.model import Step
from data_designer.values import Record

logger = logging.getLogger(__name__)


class SkipCondition:
    """The skip rules of one step, compiled once.

    Attributes:
        values: what a skipped cell holds, aligned with the step's `makes`: the skip value, then nulls.
        failures: how many records were skipped because the condition could not be evaluated.
    """

    def __init__(self, step: Step, producers: Mapping[str, str] | None = None) -> None:
        """Compile the skip_condition.

        Args:
            step: The step to guard.
            producers: Side-effect column to the column that makes it, for callers that report only the latter
                as skipped.
        """
        named = producers or {}
        through = {*step.required, *(named[name] for name in step.required if name in named)}
        self._through = frozenset(through) if step.propagate_skip else frozenset()
        self._condition = None if step.skip is None else Condition(step.skip.when)
        self._name = step.name
        value = None if step.skip is None else step.skip.value
        self.values: tuple[object, ...] = (value, *(None for _ in step.makes[1:]))
        self.failures = 0

    def skips_none(self, skipped: Iterable[object]) -> bool:
        """Tell whether no cell can be skipped in rows that have these columns skipped, each or None."""
        return self._condition is None and not any(skipped)

    def decide(self, record: Record, skipped: Collection[str]) -> bool:
        """Tell whether to skip a record's cell.

        Args:
            record: The record, with at least the step's `needs`.
            skipped: Columns already skipped in this record.
        """
        if skipped and not self._through.isdisjoint(skipped):
            return True
        return self._condition is not None and self._holds(self._condition, record)

    def decisions(
        self, columns: Mapping[str, Sequence[object]], skipped: Sequence[Collection[str] | None], places: Iterable[int]
    ) -> Iterator[bool]:
        """Tell for each of some rows whether to skip its cell.

        Args:
            columns: The columns of a block.
            skipped: For each row of the block, the columns already skipped in it.
            places: The rows to decide about, as places in the block.
        """
        names = () if self._condition is None else self._condition.names
        read = {name: columns[name] for name in names if name in columns}
        for place in places:
            record = {name: values[place] for name, values in read.items()}
            yield self.decide(record, skipped[place] or ())

    def _holds(self, condition: "Condition", record: Record) -> bool:
        # The condition is the user's program and may raise anything; a cell in doubt costs no tokens.
        try:
            return condition.holds(record)
        except Exception as error:  # noqa: BLE001 - see above
            self.failures += 1
            if self.failures == 1:
                logger.warning(
                    "column=%s skip.when could not be evaluated, so the cell is skipped; "
                    "later such records are only counted: %s: %s",
                    self._name,
                    type(error).__name__,
                    error,
                )
            return True


class Condition:
    """A template that evaluates to a Python value, such as `skip.when`."""

    def __init__(self, when: str) -> None:
        self.names = tuple(sorted(references(when)))
        self._template = compiled(condition_environment(), when)
        self._concat = condition_environment().concat

    def holds(self, record: Record) -> bool:
        """Evaluate for a record; raises whatever the condition does."""
        values = {name: decoded(record[name]) for name in self.names if name in record}
        template = self._template
        return bool(self._concat(template.root_render_func(template.new_context(values))))
