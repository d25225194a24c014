"""Opens a dataset to write it: a new one, or one that is there and fits what is asked for."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from data_designer.config.run_config import ResumeMode
from data_designer.engine.dataset.column_cache import ColumnCache, reusable
from data_designer.engine.dataset.files import files_at
from data_designer.engine.dataset.intact import refuse_damage
from data_designer.engine.dataset.layout import DROPPED, METADATA, PARQUET
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store
from data_designer.engine.protocol.resume_point import ResumePoint
from data_designer.errors import ArtifactStorageError, DatasetGenerationError
from data_designer.interface.compile import CheckedConfig, CompileContext, PreparedPlan, prepare
from data_designer.interface.differences import code_differences, differences, other_packages
from data_designer.interface.metadata import DatasetRequest
from data_designer.interface.stored import StoredDataset, near_dataset
from data_designer.models.admission.budget_lease import NOTHING, Amount
from data_designer.object_storage import location
from data_designer.plan.model import LOCAL, Geometry, Plan

logger = logging.getLogger(__name__)

_MOST_DIFFERENCES = 10


@dataclass(frozen=True, slots=True)
class OpenDataset:
    """A dataset that this run may write."""

    store: Store
    prepared: PreparedPlan
    request: DatasetRequest
    resume_point: ResumePoint = field(default_factory=ResumePoint)
    """What is there already."""
    resumed: bool = False
    column_cache: ColumnCache | None = None
    """Where columns are taken from that would come out the same."""
    spent: Amount = NOTHING
    """What earlier runs said that they had spent of their budgets."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to make."""
        batches = self.prepared.plan.geometry.batches()
        return self.resumed and all(batch in self.resume_point.committed for batch in batches)


def open_dataset(checked: CheckedConfig, context: CompileContext, request: DatasetRequest) -> OpenDataset:
    """Take a dataset's lock and compile the plan that goes on with what is there, or begins.

    Raises:
        ArtifactStorageError: the folder cannot be written, another run writes it, there is nothing to resume, or files
            of what is there are not as they were committed.
        DatasetGenerationError: what is there does not fit what is asked for, or its metadata are damaged.
    """
    if request.resume != ResumeMode.NEVER:
        path = request.root / request.dataset_name
        there = Store.at(path)
        if there.has_files():
            opened = _resume(there, checked, context, request)
            if opened is not None:
                return opened
        elif request.resume == ResumeMode.ALWAYS:
            near = near_dataset(path) if isinstance(path, Path) else ""
            raise ArtifactStorageError(f"there is no dataset at {path} to resume{near}")
    prepared = _prepared_anew(checked, context, request)
    store = Store.claim(request.root, request.dataset_name, datetime.now)
    assert store.lock is not None
    store.lock.keep()
    if store.path.name != request.dataset_name:
        logger.info("a dataset '%s' exists; writing beside it as '%s'", request.dataset_name, store.path.name)
    return _begun(store, prepared, request)


def _prepared_anew(checked: CheckedConfig, context: CompileContext, request: DatasetRequest) -> PreparedPlan:
    geometry = Geometry(request.num_records, context.run.buffer_size)
    return prepare(checked, context, geometry, seed_data=request.provenance.seed_data)


def _begun(store: Store, prepared: PreparedPlan, request: DatasetRequest) -> OpenDataset:
    with released_on_error(store):
        store.recover()
        store.write_builder_config(request.provenance.declared)
    return OpenDataset(store, prepared, request)


def _resume(
    store: Store, checked: CheckedConfig, context: CompileContext, request: DatasetRequest
) -> OpenDataset | None:
    """Go on with what is there; None where it does not fit and a new dataset may be made instead."""
    store.take().keep()
    with released_on_error(store):
        stored = _stored(store)
        if stored is None:
            return _begun(store, _prepared_anew(checked, context, request), request)
        seed = context.run.seed if context.run.seed is not None else stored.seed
        prepared = prepare(checked, context, stored.geometry, seed=seed, seed_data=request.provenance.seed_data)
        different = list(differences(store, stored, prepared.plan, request.provenance))
        if not different:
            return _continued(store, stored, prepared, request)
        listed = "\n".join(f"  - {line}" for line in _first(different))
        if request.resume == ResumeMode.ALWAYS:
            raise DatasetGenerationError(
                f"the dataset at {store.path} was made with another configuration and cannot be resumed:\n{listed}\n"
                "restore what differs, code included, or give another dataset_name (with reuse, columns that are the "
                "same are taken from this one)"
            )
    assert store.lock is not None
    store.lock.release()
    logger.info("dataset=%s does not fit and is left alone:\n%s", store.path, listed)
    return None


def _continued(store: Store, stored: Metadata, prepared: PreparedPlan, request: DatasetRequest) -> OpenDataset:
    """What is there, mended where a crash has left it half done, with the records that are asked for now."""
    plan, provenance = prepared.plan, request.provenance
    geometry = _geometry(stored, request.num_records, plan.run.buffer_size)
    refuse_damage(store, but_for_holes=True)
    store.recover()
    declared = _kept_declaration(store, stored, provenance.declared)
    for line in other_packages(stored, plan):
        logger.warning("dataset=%s: %s", store.path, line)
    return OpenDataset(
        store,
        replace(prepared, plan=replace(plan, geometry=geometry)),
        replace(request, provenance=replace(provenance, declared=declared, reuse=provenance.reuse or stored.reuse)),
        store.resume_point(geometry),
        resumed=True,
        spent=stored.spent,
    )


def _first(lines: list[str]) -> list[str]:
    """The first of many lines, and how many there are more."""
    more = len(lines) - _MOST_DIFFERENCES
    return [*lines[:_MOST_DIFFERENCES], *([f"and {more} more"] if more > 0 else [])]


@contextmanager
def released_on_error(store: Store) -> Iterator[None]:
    """What goes wrong inside leaves no lock behind."""
    try:
        yield
    except BaseException:
        if store.lock is not None:
            with suppress(OSError):  # What went wrong first is what is said.
                store.lock.release()
            store.lock = None
        raise


def _stored(store: Store) -> Metadata | None:
    """The metadata of what is there; None where a run died before it wrote any.

    Raises:
        DatasetGenerationError: they are damaged or of another version, or missing though there are batches.
    """
    if not store.files.exists(METADATA):
        if store.batches():
            raise DatasetGenerationError(
                f"{store.path / METADATA} is missing, though there are finished batches; restore it from a copy, "
                "or give another dataset_name"
            )
        return None
    try:
        return store.read_metadata()
    except ArtifactStorageError as error:
        raise DatasetGenerationError(str(error)) from error


def _geometry(stored: Metadata, num_records: int, buffer_size: int) -> Geometry:
    """The geometry with the records that are asked for.

    Raises:
        DatasetGenerationError: there would be fewer, or those that are there would be cut otherwise.
    """
    geometry, requested = stored.geometry, stored.requested_num_records
    if num_records < requested:
        raise DatasetGenerationError(
            f"num_records={num_records} is fewer than the {requested} that this dataset is to have; "
            f"give {requested} or more"
        )
    if num_records == requested and buffer_size != geometry.buffer_size:
        raise DatasetGenerationError(
            f"buffer_size={buffer_size} differs from this dataset's {geometry.buffer_size}: its records are divided "
            f"into batches already; set buffer_size={geometry.buffer_size} (other sizes are for records that are added)"
        )
    return geometry.extended(geometry.num_records + num_records - requested, buffer_size)


def _kept_declaration(store: Store, stored: Metadata, declared: bytes) -> bytes:
    """What was declared at first; where that is damaged, what is declared now, which means the same."""
    with suppress(OSError, DamagedError):
        return store.declaration(stored.builder_config_sha256)
    store.write_builder_config(declared)
    return declared


def with_column_cache(opened: OpenDataset, *, required: bool = False) -> OpenDataset:
    """The same dataset, made with what the dataset that it is to reuse has of its columns, if there is one.

    Args:
        opened: the dataset.
        required: whether it was asked for now; one that was asked for earlier may be gone by now.

    Raises:
        ArtifactStorageError: that dataset is damaged, or is not there though it is required.
        DatasetGenerationError: it was made with another seed, so that no column can be the same.
    """
    reuse = opened.request.provenance.reuse
    if reuse is None or opened.done:
        return opened
    if not required and not Store.at(location(reuse)).has_files():
        logger.warning("reuse=%s is gone: what is left to make is asked for", reuse)
        return opened
    stored = StoredDataset.at(reuse)
    plan = opened.prepared.plan
    if stored.metadata.seed != plan.seed:
        raise DatasetGenerationError(
            f"the dataset {stored.path} was made with seed {stored.metadata.seed}, this one with {plan.seed}: "
            "no record of theirs is the same; leave the seed out, and the other's is taken"
        )
    try:
        refuse_damage(Store.at(stored.path), (PARQUET, DROPPED))
    except ArtifactStorageError as error:
        raise ArtifactStorageError(f"the dataset {stored.path}, which is to be reused: {error}") from error
    parts = reusable(plan, stored.metadata.fingerprints)
    costly = [step.name for step in plan.steps if step.pool != LOCAL]
    taken = sorted(part.names[0] for part in parts.values())
    for line in (*code_differences(stored.metadata, plan, shared=True), *other_packages(stored.metadata, plan)):
        logger.info("reuse=%s: %s", stored.path, line)
    logger.info("reuse=%s columns=%s asked=%s", stored.path, taken, [name for name in costly if name not in taken])
    return replace(opened, column_cache=ColumnCache(stored.path, files_at(stored.path), stored.geometry, parts))


def refilled(opened: OpenDataset, generated: int) -> OpenDataset | None:
    """The dataset with further records drawn for those that are missing; None where none are, or none may be drawn.

    They come at consecutive indices after all others, in batches of their own.
    """
    plan = opened.prepared.plan
    if plan.run.on_row_failure != "refill":
        return None
    requested = opened.request.num_records
    allowed = (plan.run.refill_candidates or requested) - (plan.geometry.num_records - requested)
    more = min(requested - generated, allowed)
    if more <= 0:
        return None
    geometry = plan.geometry.extended(plan.geometry.num_records + more, plan.geometry.buffer_size)
    prepared = replace(opened.prepared, plan=replace(plan, geometry=geometry))
    return replace(opened, prepared=prepared, resume_point=opened.store.resume_point(geometry))


def with_time_left(opened: OpenDataset, plan: Plan, elapsed: float) -> OpenDataset:
    """The dataset, to be gone on with in what is left of the seconds that a plan's budget allows."""
    budget = plan.run.budget
    if budget is None or budget.seconds is None:
        return opened
    left = budget.model_copy(update={"seconds": max(budget.seconds - elapsed, 0.0)})
    run = plan.run.model_copy(update={"budget": left})
    prepared = opened.prepared
    return replace(opened, prepared=replace(prepared, plan=replace(prepared.plan, run=run)))
