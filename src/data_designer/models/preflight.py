"""One small request to each model before a run, so that nothing is begun that cannot work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from data_designer.errors import ModelAPIError, ModelError, ModelTimeoutError
from data_designer.models.addresses import server_of
from data_designer.models.model import Model
from data_designer.models.opening import open_model
from data_designer.models.wires import greeting
from data_designer.plan.model import Pool

logger = logging.getLogger(__name__)

Checks = Mapping[asyncio.Task[None], str]
"""Greetings that are under way, each with its alias."""

_DEADLINE = 180.0
_TRIES = 3
_PAUSE = 0.5
_LOADING_PAUSE = 2.0
_LONGEST_PAUSE = 60.0
"""Seconds that a refusal can ask for."""
_QUIET = 5.0
"""Seconds until it is said who has not answered."""


async def check_pools(
    pools: Sequence[tuple[Pool, str | None]],
    *,
    deadline: float = _DEADLINE,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Ask every model for a greeting, all at once and at all of its endpoints, of which one is enough.

    Args:
        pools: each alias's pool with its resolved key.
        deadline: seconds until all must have answered.
        sleep: waits between tries.

    Raises:
        ModelError: models do not answer; its kind is that of the first, in the order given, its text names all.
        TimeoutError: some models have not answered by the deadline; the message names their aliases.
    """
    if not pools:
        return
    from data_designer.models.http_sessions import kept_open

    async with kept_open():
        checks = {asyncio.create_task(_check(pool, key, sleep)): pool.alias for pool, key in pools}
        try:
            late = await _late(checks, deadline)
        finally:
            for check in checks:
                check.cancel()
        results = await asyncio.gather(*checks, return_exceptions=True)
    failed = [result for result in results if isinstance(result, Exception)]
    if failed:
        raise _together(failed)
    if late:
        aliases = _named(checks, late)
        raise TimeoutError(f"no sign of life from {aliases} within {deadline:g} s; are these models being loaded?")


def _together(failed: Sequence[Exception]) -> Exception:
    """One error for all models that do not answer."""
    first = failed[0]
    if len(failed) == 1 or not isinstance(first, ModelError):
        return first
    listed = "\n".join(f"  - {one}" for one in failed)
    return type(first)(f"{len(failed)} models do not answer:\n{listed}", first.retry_after, first.status)


async def _late(checks: Checks, deadline: float) -> set[asyncio.Task[None]]:
    """Those that have not ended by the deadline; where it takes a while, it is said whom all wait for."""
    quiet = min(_QUIET, deadline)
    _, late = await asyncio.wait(checks, timeout=quiet)
    if late and quiet < deadline:
        logger.info(
            "waiting for %s to answer a greeting, for %.0f s more at most", _named(checks, late), deadline - quiet
        )
        _, late = await asyncio.wait(checks, timeout=deadline - quiet)
    return late


def _named(checks: Checks, some: Collection[asyncio.Task[None]]) -> str:
    return ", ".join(f"'{alias}'" for check, alias in checks.items() if check in some)


async def _check(pool: Pool, key: str | None, sleep: Callable[[float], Awaitable[None]]) -> None:
    there = [pool] if pool.client else [_only(pool, address) for address in pool.provider.addresses]
    results = await asyncio.gather(*(_greeted(one, key, sleep) for one in there), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if len(errors) == len(there):
        raise errors[0]
    for error in errors:
        logger.warning("one of %d endpoints is left out until it works: %s", len(there), error)


async def _greeted(pool: Pool, key: str | None, sleep: Callable[[float], Awaitable[None]]) -> None:
    async with open_model(pool, key) as model:
        await _greet(model, pool, sleep)


def _only(pool: Pool, address: str) -> Pool:
    """The same with one endpoint."""
    return replace(pool, provider=pool.provider.model_copy(update={"endpoint": address, "endpoints": None}))


async def _greet(model: Model, pool: Pool, sleep: Callable[[float], Awaitable[None]]) -> None:
    attempt, loading, request = 0, False, greeting(pool)
    while True:
        try:
            response = await model.ask(request)
            if not response.says_nothing:
                return
            failure, may_pass, asked = _silence_of(pool), True, 0.0
        except ModelError as error:
            if _is_loading(error):
                if not loading:
                    logger.info("waiting: %s", error)
                loading = True
                await sleep(_LOADING_PAUSE)
                continue
            failure, may_pass = error, error.retryable and not isinstance(error, ModelTimeoutError)
            asked = min(error.retry_after or 0.0, _LONGEST_PAUSE)
        attempt += 1
        if not may_pass or attempt == _TRIES:
            raise failure
        if asked > _QUIET:
            logger.info("waiting %.0f s, as asked: %s", asked, failure)
        await sleep(max(_PAUSE * attempt, asked))


def _silence_of(pool: Pool) -> ModelError:
    server = server_of(pool.provider.endpoint)
    return ModelAPIError(
        f"{pool.subject} {f'at {server}' if server else 'by its client'} answered "
        "a greeting with nothing; check the model's name and raise max_tokens if it is small"
    )


def _is_loading(error: ModelError) -> bool:
    """Whether a server is there and says that it is not ready, as llama.cpp's does while it reads a model."""
    return error.status == HTTPStatus.SERVICE_UNAVAILABLE and "loading" in str(error).lower()
