"""One small request to each model before a run, so that nothing is begun that cannot work."""

import asyncio
import random
from collections.abc import Sequence

import aiohttp

from data_designer.errors import ModelAPIError, ModelError
from data_designer.models.chat import ChatClient
from data_designer.plan.model import Pool
from data_designer.values import Request

_DEADLINE = 180.0
_TRIES = 3
_PAUSE = 0.5


async def check_pools(pools: Sequence[tuple[Pool, str | None]]) -> None:
    """Ask every model for a greeting, all at once.

    Args:
        pools: each alias's pool with its resolved key.

    Raises:
        ModelError: the first model, in the order given, that does not answer.
        TimeoutError: some model has not answered after three minutes.
    """
    async with aiohttp.ClientSession() as session, asyncio.timeout(_DEADLINE):
        checks = [_check(ChatClient(pool, key, session), pool) for pool, key in pools]
        for result in await asyncio.gather(*checks, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result


async def _check(client: ChatClient, pool: Pool) -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "You are a helpful assistant."}]}
    user = {"role": "user", "content": [{"type": "text", "text": "Hello!"}]}
    for attempt in range(1, _TRIES + 1):
        try:
            response = await client.ask(Request([system, user]), random.Random(0))
        except ModelError as error:
            if not error.retryable or attempt == _TRIES:
                raise
            await asyncio.sleep(_PAUSE * attempt)
        else:
            if not (response.text.strip() or response.reasoning):
                raise ModelAPIError(
                    f"model '{pool.model.model}' (alias '{pool.alias}') answered a greeting with nothing"
                )
            return
