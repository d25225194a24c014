"""What holds a run up on this side: batches that are not opened, the disk, columns that ask no model."""

import math
from collections.abc import Iterator
from dataclasses import replace

from data_designer.engine.observe.bottlenecks.evidence import FULL, SEEN, Bottleneck, Change, Evidence, Finding, percent
from data_designer.engine.observe.forecast import Scenario, stage_making
from data_designer.engine.protocol.slot_time import Account
from data_designer.plan.model import LOCAL

_IDLE = 0.1
"""Share of the workers' time below which it is not them that are waited for."""


def batches(of: Evidence) -> Iterator[Finding]:
    """Rows that were left, and could not be begun."""
    run, given = of.plan.run, of.plan.run.model_fields_set
    alias, share = of.most(Account.STORAGE)
    size, slots = of.plan.geometry.buffer_size, sum(of.usual.shape.slots.values())
    if "max_concurrent_row_groups" in given and share >= SEEN:
        before = run.max_concurrent_row_groups
        after = max(before + 1, math.ceil(2 * slots / size) + 1)
        waited = f"'{alias}' waited {percent(share)} of the time for a further batch"
        seen = f"{waited}: {before} of {size:,} records may be open"
        changes = (Change("max_concurrent_row_groups", before=before, after=after),)
        note = f"or buffer_size {size:,} → {size * 4:,}"
        yield Finding(
            Bottleneck.BATCHES, alias, seen, changes, share, of.usual.with_shape(max_open_batches=after), note=note
        )
    elif of.closed_meanwhile(alias) >= SEEN and of.usual.records > size and not _is_writing(of, share):
        seen = f"'{alias}' waited {percent(share)} of the time for a further batch: open ones fill the memory they may"
        changes = (Change("buffer_size", before=size, after=max(1, size // 2)),)
        yield Finding(Bottleneck.MEMORY, alias, seen, changes, share, at_most=True, note="or more memory")
    if of.few_rows_out:
        asking = of.most(Account.ASKING)[1]
        seen = f"slots were full at most {percent(asking)} of the time, and {run.max_in_flight_tasks:,} rows may be out"
        changes = (Change("max_in_flight_tasks", before=run.max_in_flight_tasks, after=4 * slots),)
        changed = of.usual.with_shape(max_rows_out=4 * slots)
        yield Finding(Bottleneck.BATCHES, "", seen, changes, 1.0 - asking, changed)


def _is_writing(of: Evidence, share: float) -> bool:
    """Whether the time in which no batch was opened is that in which some were written."""
    return of.accounts.writing_seconds >= 0.5 * share * of.accounts.seconds


def disk(of: Evidence) -> Iterator[Finding]:
    """Batches that are made faster than they are written."""
    share = of.accounts.writing_seconds / of.accounts.seconds if of.accounts.seconds else 0.0
    if share < SEEN:
        return
    cost = min(1.0, of.most(Account.STORAGE)[1] + of.least(Account.LAST)[1]) if of.aliases else min(1.0, share)
    size = of.plan.geometry.buffer_size
    seen = f"writing took {percent(share)} of the time, {of.usual.writing * size:.2g} s a batch of {size:,} records"
    changes = (Change("artifact_path", before="here", after="a faster disk"),)
    yield Finding(Bottleneck.DISK, "", seen, changes, cost, replace(of.usual, writing=0.0), at_most=True)


def cpu(of: Evidence) -> Iterator[Finding]:
    """Columns that ask no model and keep the others waiting, or come after all of them."""
    worked, workers, use = of.accounts.worker_seconds, of.workers, of.workers_busy
    alias, share = of.most(Account.CPU)
    cost = max(share, of.least(Account.LAST)[1]) if use >= FULL else share
    if (of.aliases and cost < SEEN) or not worked:
        return
    if use < _IDLE:
        yield from _gathering(of, alias, share)
        return
    name, seconds = max(worked.items(), key=lambda item: item[1])
    each = 1000 * seconds / of.usual.records
    waited = f"'{alias}' waited {percent(share)} of the time for" if share >= SEEN else "workers were busy with"
    seen = f"{waited} columns that ask no model, most of all '{name}': {each:.3g} ms a record, {workers} at once"
    most, cores = cost if of.aliases else 1.0, of.cores or 2 * workers
    if use >= FULL and workers < cores:
        after = min(cores, 2 * workers)
        changes = (Change("non_inference_max_parallel_workers", before=workers, after=after),)
        changed = of.usual.with_shape(workers=after)
        yield Finding(Bottleneck.CPU, name, seen, changes, most, changed, note="as long as there are CPUs for them")
    changed = _costing_nothing(of, name)
    yield Finding(Bottleneck.CPU, name, seen, (_cheaper(of, name),), most, changed, at_most=True)


def _cheaper(of: Evidence, name: str) -> Change:
    """What makes a column's own work cheaper."""
    config = next((one for one in of.plan.config.columns if one.name == name), None)
    if isinstance(size := getattr(config, "batch_size", None), int):
        return Change("batch_size", name, size, 10 * size)
    return Change("the work a record", name, "as it is", "less, such as a call for many records at once")


def _costing_nothing(of: Evidence, name: str) -> Scenario:
    stage = stage_making(of.plan, name)
    return replace(of.usual, cpu={number: cost for number, cost in of.usual.cpu.items() if number != stage})


def _gathering(of: Evidence, alias: str, share: float) -> Iterator[Finding]:
    """A stage that needs all rows of a batch, which come one by one."""
    whole = [one for one in of.plan.stages if one.pool == LOCAL and one.scope == "batch" and one.upstream]
    size = of.plan.geometry.buffer_size
    if whole and size > 1:
        after = max(1, size // 4)
        names = ", ".join(f"'{name}'" for stage in whole for name in stage.makes)
        seen = f"'{alias}' waited {percent(share)} of the time for all rows of a batch, which {names} needs together"
        changes = (Change("buffer_size", before=size, after=after),)
        yield Finding(Bottleneck.CPU, whole[0].makes[0], seen, changes, share, of.usual.with_buffer_size(after))
