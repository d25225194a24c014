"""One small request to each model before a run, so that nothing is begun that cannot work."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from data_designer.errors import ModelAPIError, ModelError, ModelTimeoutError
from data_designer.models.client import ModelClient
from data_designer.plan.model import Pool
from data_designer.values import Request

_DEADLINE = 180.0
_TRIES = 3
_PAUSE = 0.5
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
    """Ask every model for a greeting, all at once.

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
        checks = {
            asyncio.create_task(_check(ModelClient(pool, key, session), pool, sleep)): pool.alias for pool, key in pools
        }
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


async def _check(client: ModelClient, pool: Pool, sleep: Callable[[float], Awaitable[None]]) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            response = await client.ask(_GREETING, random.Random(0))
        except ModelError as error:
            if not error.retryable or isinstance(error, ModelTimeoutError) or attempt == _TRIES:
                raise
            await sleep(_PAUSE * attempt)
        else:
            if not (response.text.strip() or response.reasoning):
                raise ModelAPIError(
                    f"model '{pool.model.model}' (alias '{pool.alias}') at {pool.provider.endpoint} answered a "
                    "greeting with nothing; check the model's name and raise max_tokens if it is small"
                )
            return
