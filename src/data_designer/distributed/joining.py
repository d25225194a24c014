"""Ray, as what may join a run that begins without it: nothing of Ray is imported before it is to be opened."""

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from data_designer.columns.registry import KINDS
from data_designer.config.column_configs import BUILT_IN_COLUMNS
from data_designer.engine.execution.assembly import OpenExecutor, Run
from data_designer.engine.execution.daemon_threads import DaemonThreads
from data_designer.engine.protocol.parcels import Values
from data_designer.errors import InvalidConfigError
from data_designer.plan.model import Plan

if TYPE_CHECKING:
    from ray import ObjectRef

Part = Literal["sure", "if it pays", "none"]
"""Whether Ray takes part in a run."""

_CLIENT = "ray://"


def part_of_ray(plan: Plan) -> Part:
    """Whether Ray takes part: as the user says, else surely where one is there or is needed."""
    if plan.run.executor == "inline":
        return "none"
    if plan.run.executor == "ray" or plan.run.replica_resources or os.environ.get("RAY_ADDRESS"):
        return "sure"
    return "sure" if _is_initialized() else "if it pays"


def _is_initialized() -> bool:
    """Whether this process is connected to a Ray already."""
    if "ray" not in sys.modules:
        return False
    import ray

    return bool(ray.is_initialized())


def refuse(plan: Plan) -> None:
    """Refuse what can be seen before Ray is there, and before anything is asked.

    Raises:
        InvalidConfigError: it would be by Ray Client, or resources are asked for replicas that there are not.
        CodeDoesNotTravelError: a function of the user holds something that cannot be sent to other processes.
    """
    _refuse_client()
    unknown = sorted(set(plan.run.replica_resources) - set(plan.pools))
    if unknown:
        raise InvalidConfigError(
            f"replica_resources names {', '.join(unknown)}, but the models that this configuration asks are "
            f"{', '.join(plan.pools) or 'none'}"
        )
    if part_of_ray(plan) == "sure" and _has_code_of_users(plan):
        from data_designer.distributed.code_transport import pack

        pack(plan)


def _refuse_client() -> None:
    """Raise InvalidConfigError for Ray Client, whose calls all go over one connection that may break."""
    address, is_connected = os.environ.get("RAY_ADDRESS", ""), False
    if _is_initialized():
        import ray

        is_connected = ray.util.client.ray.is_connected()
    if address.startswith(_CLIENT) or is_connected:
        raise InvalidConfigError(
            f"a run cannot be driven by Ray Client ({address or _CLIENT}): run the script on a node of the cluster "
            "with RAY_ADDRESS=HOST:6379, or send it there with `data-designer submit`"
        )


def _has_code_of_users(plan: Plan) -> bool:
    columns = plan.config.columns
    if any(pool.client for pool in plan.pools.values()):
        return True
    return any(type(one) not in BUILT_IN_COLUMNS or KINDS[one.column_type].functions(one) for one in columns)


class Ray:
    """The Ray of this process: one that it is connected to, that at `RAY_ADDRESS`, or one that is started for it.

    Args:
        run: what is run.
        is_kept: whether it stays for further runs of this process, until `let_go`.
    """

    name = "Ray"

    def __init__(self, run: Run, *, is_kept: bool) -> None:
        self._run = run
        self._is_kept = is_kept
        address = os.environ.get("RAY_ADDRESS")
        self.awaited = f"Ray at {address} to answer" if address else "Ray of this machine to come up"
        self.opening = f"connecting to Ray at {address}" if address else "starting Ray"

    @asynccontextmanager
    async def open(self, first: int) -> "AsyncIterator[OpenExecutor[ObjectRef]]":
        """Import it in a thread, which the end of the process need not wait for, and connect to it."""
        importing = DaemonThreads(1, "data-designer-import")
        name = "data_designer.distributed.run"
        await asyncio.get_running_loop().run_in_executor(importing, importlib.import_module, name)
        importing.shutdown(wait=False)
        from data_designer.distributed.run import on_ray

        async with on_ray(self._run, first, is_kept=self._is_kept) as opened:
            yield opened

    async def put(self, values: Sequence[Values]) -> "list[ObjectRef]":
        """Bring values into the object store, in a thread."""
        import ray

        from data_designer.distributed.executor import in_thread

        return await in_thread(lambda: [ray.put(one) for one in values])

    async def get(self, ref: "ObjectRef") -> Values:
        """Bring values out of the object store. Raises ValuesGoneError."""
        from data_designer.distributed.executor import values_of

        return await values_of(ref)


def let_go() -> None:
    """End a Ray that was kept for further runs, if there is one."""
    if "data_designer.distributed.cluster" in sys.modules:
        from data_designer.distributed.cluster import let_go

        let_go()
