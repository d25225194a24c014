"""Which steps a declaration comes to, what each needs and makes, and in which order they can run."""

from collections.abc import Iterable, Mapping, Sequence

from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_types import COLUMN_PLUGINS
from data_designer.errors import DAGCircularDependencyError
from data_designer.plan.model import LOCAL, SAMPLERS, SEED, Scope, Step

SEED_TYPE = "seed-dataset"
SAMPLER_TYPE = "sampler"


def makes(column: SingleColumnConfig) -> tuple[str, ...]:
    """The column's name and its side effects."""
    return (column.name, *column.side_effect_columns)


def producers(columns: Iterable[SingleColumnConfig]) -> dict[str, str]:
    """Every name that can be referenced, to the column that makes it; a real column wins over a side effect."""
    columns = list(columns)
    found = {effect: column.name for column in columns for effect in column.side_effect_columns}
    return found | {column.name: column.name for column in columns}


def needs(column: SingleColumnConfig) -> tuple[str, ...]:
    """Names the column reads, those of its skip condition included, sorted."""
    gate = column.skip.columns if column.skip is not None else ()
    return tuple(sorted({*column.required_columns, *gate} - {*makes(column)}))


def find_cycle(columns: Sequence[SingleColumnConfig]) -> list[str] | None:
    """A circle of columns that need each other, first name repeated at the end; None when there is none."""
    made_by = producers(columns)
    edges = {c.name: [made_by[name] for name in needs(c) if name in made_by] for c in columns}
    done: set[str] = set()
    for start, first in edges.items():
        if start in done:
            continue
        path, stack = [start], [iter(first)]
        while stack:
            after = next((name for name in stack[-1] if name not in done), None)
            if after is None:
                done.add(path.pop())
                stack.pop()
            elif after in path:
                return [*path[path.index(after) :], after]
            else:
                stack.append(iter(edges[after]))
                path.append(after)
    return None


def ordered_steps(columns: Sequence[SingleColumnConfig]) -> tuple[Step, ...]:
    """All steps, each after those it needs, else in the order of declaration.

    Raises:
        DAGCircularDependencyError: columns need each other in a circle.
    """
    seeds = tuple(c for c in columns if c.column_type == SEED_TYPE)
    samplers = tuple(c for c in columns if c.column_type == SAMPLER_TYPE)
    groups = [_group(SEED, seeds), _group(SAMPLERS, samplers)]
    steps = [step for step in groups if step is not None]
    available = {name for step in steps for name in step.makes}
    known = producers(columns)
    waiting = [_step(c, known) for c in columns if c not in seeds and c not in samplers]
    while waiting:
        runnable = next((s for s in waiting if available.issuperset(n for n in s.needs if n in known)), None)
        if runnable is None:
            circle = find_cycle(columns) or [step.name for step in waiting]
            raise DAGCircularDependencyError(f"columns need each other in a circle: {' -> '.join(circle)}")
        waiting.remove(runnable)
        steps.append(runnable)
        available.update(runnable.makes)
    return tuple(steps)


def _group(kind: str, columns: tuple[SingleColumnConfig, ...]) -> Step | None:
    if not columns:
        return None
    names = tuple(c.name for c in columns)
    return Step(kind, kind, columns, needs=(), makes=names, scope="batch", pool=LOCAL)


def _step(column: SingleColumnConfig, known: Mapping[str, str]) -> Step:
    aliases = [alias for alias in column.get_model_aliases() if alias]
    return Step(
        name=column.name,
        # What an installed plugin makes is carried out as what a function of the user makes.
        kind="custom" if column.column_type in COLUMN_PLUGINS else column.column_type,
        configs=(column,),
        needs=tuple(name for name in needs(column) if name in known),
        makes=makes(column),
        scope=_scope(column),
        pool=aliases[0] if aliases else LOCAL,
        required=tuple(known[n] for n in column.required_columns if n in known and known[n] != column.name),
        skip=column.skip,
        propagate_skip=column.propagate_skip,
    )


def _scope(column: SingleColumnConfig) -> Scope:
    """Functions of the user that see several rows must see the same ones however a run is divided."""
    plugin = COLUMN_PLUGINS.get(column.column_type)
    strategy = plugin.impl_cls.get_generation_strategy() if plugin else getattr(column, "generation_strategy", None)
    whole_column = strategy == "full_column"
    local_callable = getattr(column, "validator_type", None) == "local_callable"
    return "batch" if whole_column or local_callable else "cell"
