"""Which steps a declaration comes to, what each needs and makes, and in which order they can run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from data_designer.config.base import SingleColumnConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.mcp import ToolConfig
from data_designer.errors import DAGCircularDependencyError
from data_designer.plan.kinds import ColumnKind, Kinds
from data_designer.plan.model import LOCAL, Step


def makes(column: SingleColumnConfig) -> tuple[str, ...]:
    """The column's name and its side effects."""
    return (column.name, *column.side_effect_columns)


def tool_alias_of(column: SingleColumnConfig) -> str | None:
    """The alias of the tools that a column's model may call; None where it may call none."""
    alias = getattr(column, "tool_alias", None)
    return alias if isinstance(alias, str) else None


def tools_of(column: SingleColumnConfig, config: DataDesignerConfig, kinds: Kinds) -> list[ToolConfig]:
    """Tool configs whose tools a column's models may call, in order of their aliases."""
    may_all = kinds[column.column_type].calls_any_tools and bool(column.get_model_aliases())
    own = tool_alias_of(column)
    found = [tool for tool in config.tool_configs or () if may_all or tool.tool_alias == own]
    return sorted(found, key=lambda tool: tool.tool_alias)


def tools_used(config: DataDesignerConfig, kinds: Kinds) -> list[ToolConfig]:
    """Tool configs that columns use, in order of their aliases."""
    found = {tool.tool_alias: tool for column in config.columns for tool in tools_of(column, config, kinds)}
    return [found[alias] for alias in sorted(found)]


def producers(columns: Iterable[SingleColumnConfig]) -> dict[str, str]:
    """Every name that can be referenced, to the column that makes it; a real column wins over a side effect."""
    columns = list(columns)
    found = {effect: column.name for column in columns for effect in column.side_effect_columns}
    return found | {column.name: column.name for column in columns}


def needs(column: SingleColumnConfig) -> tuple[str, ...]:
    """Names the column reads, those of its skip condition included, sorted."""
    condition = column.skip.columns if column.skip is not None else ()
    return tuple(sorted({*column.required_columns, *condition} - {*makes(column)}))


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


def ordered_steps(columns: Sequence[SingleColumnConfig], kinds: Kinds) -> tuple[Step, ...]:
    """All steps, each after those it needs, else in the order of declaration; joint ones first.

    Raises:
        DAGCircularDependencyError: columns need each other in a circle.
    """
    steps = [step for kind in kinds.values() for step in _joint(kind, columns)]
    available = {name for step in steps for name in step.makes}
    known = producers(columns)
    waiting = [_step(c, kinds[c.column_type], known) for c in columns if kinds[c.column_type].joint is None]
    while waiting:
        runnable = next((s for s in waiting if available.issuperset(n for n in s.needs if n in known)), None)
        if runnable is None:
            circle = find_cycle(columns) or [step.name for step in waiting]
            raise DAGCircularDependencyError(f"columns need each other in a circle: {' -> '.join(circle)}")
        waiting.remove(runnable)
        steps.append(runnable)
        available.update(runnable.makes)
    return tuple(steps)


def _joint(kind: ColumnKind[SingleColumnConfig], columns: Sequence[SingleColumnConfig]) -> Iterator[Step]:
    if kind.joint is not None and (mine := kind.among(columns)):
        made = tuple(column.name for column in mine)
        yield Step(kind.joint.step, mine, needs=(), makes=made, scope="batch", pool=LOCAL, joint=True)


def _step(column: SingleColumnConfig, kind: ColumnKind[SingleColumnConfig], known: Mapping[str, str]) -> Step:
    aliases = [*dict.fromkeys(alias for alias in column.get_model_aliases() if alias)]
    service = kind.service(column)
    return Step(
        name=column.name,
        configs=(column,),
        needs=tuple(name for name in needs(column) if name in known),
        makes=makes(column),
        scope=kind.scope(column),
        pool=service.alias if service is not None else aliases[0] if aliases else LOCAL,
        asks=tuple(aliases[1:]),
        required=tuple(known[n] for n in column.required_columns if n in known and known[n] != column.name),
        skip=column.skip,
        propagate_skip=column.propagate_skip,
        cheap=kind.cheap,
    )
