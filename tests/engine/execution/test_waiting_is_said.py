"""A run whose model is waited for says so in its log, in virtual time."""

import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.engine.execution.virtual_cluster import Server, Site

import data_designer.config as dd

InVirtualTime = Callable[[Coroutine[Any, Any, None]], None]
PROVIDER = dd.ModelProvider(name="p", endpoint="http://localhost:1")


def made(records_a_minute: int | None = None) -> dd.DataDesignerConfigBuilder:
    """A column of one model."""
    inference = dd.ChatCompletionInferenceParams(max_parallel_requests=4, requests_per_minute=records_a_minute)
    built = dd.DataDesignerConfigBuilder(
        model_configs=[dd.ModelConfig(alias="m", model="m", provider="p", inference_parameters=inference)]
    )
    built.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    built.add_column(name="t", column_type="llm-text", model_alias="m", prompt="a {{ id }}")
    return built


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of what was said of waiting."""
    return [
        (one.levelname, one.getMessage())
        for one in caplog.records
        if one.name == "data_designer.engine.execution.driver" and "model 'm'" in one.getMessage()
    ]


@pytest.mark.parametrize("replicas", [1, 3])
def test_an_outage_is_said_while_it_lasts_and_when_it_is_over(
    replicas: int, in_virtual_time: InVirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning with the endpoint's words, since when and until when; then that it goes on."""

    async def scenario() -> None:
        site = Site(Server(down_after=1004.0, up_after=1034.0), replicas)
        await site.make(made(), 100, PROVIDER, outage_patience=600.0)
        assert site.generated == 100

    with caplog.at_level(logging.INFO, "data_designer"):
        in_virtual_time(scenario())
    said = lines(caplog)
    assert said[0][0] == "WARNING"
    assert said[0][1].startswith("waiting for model 'm' for ")
    assert "out of order" in said[0][1]
    assert re.search("the run stops, resumably, if nothing is answered within (59[0-9]|600) s", said[0][1])
    assert said[-1][0] == "INFO"
    assert said[-1][1].startswith("model 'm' goes on after ")


def test_replies_that_take_long_are_said(in_virtual_time: InVirtualTime, caplog: pytest.LogCaptureFixture) -> None:
    """Once in a while."""

    async def scenario() -> None:
        await Site(Server(latency=40.0)).make(made(), 4, PROVIDER)

    with caplog.at_level(logging.INFO, "data_designer"):
        in_virtual_time(scenario())
    assert lines(caplog)[0] == (
        "INFO",
        "waiting for model 'm' for 5 s: 4 requests are under way and none is answered; each is given up after 60 s",
    )


def test_a_run_that_moves_says_nothing(in_virtual_time: InVirtualTime, caplog: pytest.LogCaptureFixture) -> None:
    """Some failures are nothing out of the ordinary."""

    async def scenario() -> None:
        await Site(Server(error_rate=0.2), 2).make(made(), 200, PROVIDER)

    with caplog.at_level(logging.INFO, "data_designer"):
        in_virtual_time(scenario())
    assert lines(caplog) == []


def test_dialogues_that_take_long_are_not_waited_for(
    in_virtual_time: InVirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of their replies comes soon, though no row is finished for long."""
    roles = [{"name": name, "model_alias": "m", "prompt": "a {{ id }} {{ turn }}"} for name in ("x", "y")]
    builder = made()
    builder.delete_column("t")
    builder.add_column(name="talk", column_type="llm-conversation", roles=roles, max_turns=60)

    async def scenario() -> None:
        await Site(Server()).make(builder, 4, PROVIDER)

    with caplog.at_level(logging.INFO, "data_designer"):
        in_virtual_time(scenario())
    assert lines(caplog) == []
