"""A plan as the scheduler sees it, and how many processes an alias gets."""

from collections import Counter
from collections.abc import Iterable, Iterator

from data_designer.engine.scheduling.events import Shape, StageShape
from data_designer.plan.model import LOCAL, Plan, Pool, Step

_SLOTS_A_REPLICA = 256
_UNBOUNDED = 1 << 62


def shape_of(plan: Plan, held_bytes: int = _UNBOUNDED, replicas: Iterable[str] = ()) -> Shape:
    """What the scheduler must know of a plan.

    Args:
        plan: the plan.
        held_bytes: values of open batches beyond which no further batch is opened.
        replicas: the alias of each replica that is started.
    """
    run = plan.run
    given = run.model_fields_set
    return Shape(
        stages=tuple(StageShape(s.pool, s.scope == "batch", s.upstream, s.depth, s.makes, s.asks) for s in plan.stages),
        slots={alias: pool.slots for alias, pool in plan.pools.items()},
        geometry=plan.geometry,
        workers=run.non_inference_max_parallel_workers,
        max_open_batches=run.max_concurrent_row_groups if "max_concurrent_row_groups" in given else None,
        max_rows_out=run.max_in_flight_tasks if "max_in_flight_tasks" in given else None,
        held_bytes=held_bytes,
        error_rate=run.effective_shutdown_error_rate,
        error_window=run.shutdown_error_window,
        inference_columns=frozenset(step.name for step in plan.steps if step.pool != LOCAL),
        rows_a_request={
            step.name: rows for step in plan.steps if step.pool != LOCAL and (rows := _rows_a_request(plan, step)) > 1
        },
        replicas=dict(Counter(replicas)),
        shared=tuple(_shared(plan)),
        rows_a_slot={alias: rows for alias, pool in plan.pools.items() if (rows := pool.cells_a_request) > 1},
    )


def _rows_a_request(plan: Plan, step: Step) -> int:
    return plan.pools[step.pool].rows_a_request


def _shared(plan: Plan) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Providers with a cap of their own, each with it and its aliases."""
    providers = {pool.provider.name: pool.provider for pool in plan.pools.values()}
    for name, provider in providers.items():
        if provider.max_parallel_requests is not None:
            aliases = tuple(alias for alias, pool in plan.pools.items() if pool.provider.name == name)
            yield provider.max_parallel_requests, aliases


def replica_numbers(plan: Plan, cpus: int) -> dict[int, str]:
    """Replica number to alias: as many as the user asked for, else one for each 256 slots, within the CPUs."""
    numbers: dict[int, str] = {}
    for alias, pool in plan.pools.items():
        automatic = min(-(-pool.slots // _SLOTS_A_REPLICA), max(1, cpus))
        count = min(plan.run.replicas_per_model or automatic, pool.slots, _most_replicas(plan, pool))
        for _ in range(count):
            numbers[len(numbers)] = alias
    return numbers


def _most_replicas(plan: Plan, pool: Pool) -> int:
    """So many that each has a slot when all aliases of a provider with a cap are busy."""
    cap = pool.provider.max_parallel_requests
    if cap is None:
        return pool.slots
    aliases = sum(other.provider.name == pool.provider.name for other in plan.pools.values())
    return max(1, cap // aliases)
