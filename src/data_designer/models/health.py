"""One small request to each model before a run, so that nothing is begun that cannot work."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus

import aiohttp

from data_designer.errors import ModelAPIError, ModelError, ModelTimeoutError
from data_designer.models.client import ModelClient
from data_designer.models.transport import server_of
from data_designer.plan.model import Pool
from data_designer.values import Request

logger = logging.getLogger(__name__)

_DEADLINE = 180.0
_TRIES = 3
_PAUSE = 0.5
_LOADING_PAUSE = 2.0
_GREETING = Request(
    [
        {"role": "system", "content": [{"type": "text", "text": "You are a helpful assistant."}]},
        {"role": "user", "content": [{"type": "text", "text": "Hello!"}]},
    ]
)


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
        ModelError: the first model, in the order given, that does not answer.
        TimeoutError: some models have not answered by the deadline; the message names their aliases.
    """
    if not pools:
        return
    async with aiohttp.ClientSession() as session:
        checks = {asyncio.create_task(_check(pool, key, session, sleep)): pool.alias for pool, key in pools}
        try:
            _, late = await asyncio.wait(checks, timeout=deadline)
        finally:
            for check in checks:
                check.cancel()
        results = await asyncio.gather(*checks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    if late:
        aliases = ", ".join(f"'{alias}'" for check, alias in checks.items() if check in late)
        raise TimeoutError(f"no sign of life from {aliases} within {deadline:g} s; are these models being loaded?")


async def _check(
    pool: Pool, key: str | None, session: aiohttp.ClientSession, sleep: Callable[[float], Awaitable[None]]
) -> None:
    addresses = pool.provider.addresses
    there = [_only(pool, address) for address in addresses]
    greetings = (_greet(ModelClient(one, key, session), one, sleep) for one in there)
    results = await asyncio.gather(*greetings, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if len(errors) == len(addresses):
        raise errors[0]
    for error in errors:
        logger.warning("one of %d endpoints is left out until it works: %s", len(addresses), error)


def _only(pool: Pool, address: str) -> Pool:
    """The same with one endpoint."""
    return replace(pool, provider=pool.provider.model_copy(update={"endpoint": address, "endpoints": None}))


async def _greet(client: ModelClient, pool: Pool, sleep: Callable[[float], Awaitable[None]]) -> None:
    attempt, loading = 0, False
    while True:
        try:
            response = await client.ask(_GREETING, random.Random(0))
            if response.text.strip() or response.reasoning:
                return
            failure, may_pass = _silence_of(pool), True
        except ModelError as error:
            if _is_loading(error):
                if not loading:
                    logger.info("waiting: %s", error)
                loading = True
                await sleep(_LOADING_PAUSE)
                continue
            failure, may_pass = error, error.retryable and not isinstance(error, ModelTimeoutError)
        attempt += 1
        if not may_pass or attempt == _TRIES:
            raise failure
        await sleep(_PAUSE * attempt)


def _silence_of(pool: Pool) -> ModelError:
    return ModelAPIError(
        f"model '{pool.model.model}' (alias '{pool.alias}') at {server_of(pool.provider.endpoint)} answered "
        "a greeting with nothing; check the model's name and raise max_tokens if it is small"
    )


def _is_loading(error: ModelError) -> bool:
    """Whether a server is there and says that it is not ready, as llama.cpp's does while it reads a model."""
    return error.status == HTTPStatus.SERVICE_UNAVAILABLE and "loading" in str(error).lower()
