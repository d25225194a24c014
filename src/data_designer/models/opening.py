"""Opens what the requests of a pool go through."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from data_designer.models.http_sessions import shared_client, shared_session
from data_designer.models.model import Model
from data_designer.plan.model import Pool


@asynccontextmanager
async def open_model(pool: Pool, api_key: str | None) -> AsyncIterator[Model]:
    """A pool's model: through the client that the user gives for its provider, or our own way.

    Args:
        pool: the pool.
        api_key: the resolved key of its provider; a client of the user signs in by itself.

    Raises:
        InvalidConfigError: the user's function gives no client.
    """
    if pool.client is None:
        from data_designer.models.client import ModelClient

        async with shared_session() as session:
            yield ModelClient(pool, api_key, session)
    else:
        from data_designer.models.openai_client import OpenAIClient

        async with shared_client(pool.client, pool.provider.name) as client:
            yield OpenAIClient(pool, client)
