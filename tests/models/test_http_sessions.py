"""The connections of an event loop: who shares them, and when they are closed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer, model

import data_designer.config as dd
from data_designer.models.http_sessions import kept_open, shared_session

pytestmark = pytest.mark.usefixtures("sockets")


def test_the_last_user_closes_them() -> None:
    """Who comes while others use them gets the same; who comes later gets others; each loop has its own."""

    async def check() -> None:
        async with shared_session() as one:
            async with shared_session() as other:
                assert one is other
            assert not one.closed
        assert one.closed
        async with kept_open():
            async with shared_session() as kept:
                assert kept is not one
            async with shared_session() as again:
                assert again is kept
            assert not kept.closed
        assert kept.closed

    asyncio.run(check())
    asyncio.run(check())


def test_the_greeting_s_connection_takes_the_first_requests(endpoint: Callable[..., Endpoint], tmp_path: Path) -> None:
    """With one slot a run has one connection, from the greeting on."""
    greeted = model("m", max_parallel_requests=1).model_copy(update={"skip_health_check": False})
    builder = dd.DataDesignerConfigBuilder(model_configs=[greeted])
    builder.add_column(name="i", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(name="t", column_type="llm-text", prompt="Write about {{ i }}", model_alias="m")
    with endpoint(lambda _: Reply("tea")) as server:
        designer(server.url, tmp_path).create(builder, num_records=3)
    assert len(server.prompts) == 4
    assert len(server.connections) == 1
