"""Pools: an endpoint and a cap, with a chat model, with another one, or without any."""

from dataclasses import replace

import pytest
from tests.fakes import NOWHERE, provider

import data_designer.config as dd
from data_designer.config.models import BaseInferenceParams
from data_designer.models.wires import longest_reply
from data_designer.plan.model import Pool, Tries


def test_without_a_model_nothing_is_limited_but_the_requests_in_flight() -> None:
    """Remote validators and tools are free, and are not greeted."""
    pool = Pool("checks", 4, None, provider(NOWHERE))
    assert pool.params == BaseInferenceParams(generation_type=dd.GenerationType.CHAT_COMPLETION)
    assert pool.chat.structured_output == "prompt"
    assert (pool.model_name, pool.price, pool.is_greeted, longest_reply(pool)) == ("", dd.Price(), False, 0)
    assert pool.timeout is None
    assert replace(pool, tries=Tries(timeout=7.0, retries=1, backoff=2.0)).timeout == 7.0
    assert pool.subject == "'checks'"
    assert pool.with_model("other") is pool


@pytest.mark.parametrize(
    "params", [dd.EmbeddingInferenceParams(timeout=5), dd.ImageInferenceParams(timeout=5)], ids=["embedding", "image"]
)
def test_a_model_of_another_kind_has_no_parameters_of_a_chat_model(params: BaseInferenceParams) -> None:
    """What all kinds share is its own; what only chats have is unset."""
    model = dd.ModelConfig(alias="m", model="x", provider="p", inference_parameters=params, price=dd.Price(input=1))
    pool = Pool("m", 4, model, provider(NOWHERE))
    assert pool.params.timeout == 5
    assert (pool.chat.temperature, pool.chat.max_tokens, pool.chat.structured_output) == (None, None, "prompt")
    assert (pool.model_name, pool.price, pool.is_greeted) == ("x", dd.Price(input=1), True)
    assert pool.subject == "model 'x' (alias 'm')"


def test_another_model_is_all_that_changes() -> None:
    """Alias, parameters and price stay."""
    model = dd.ModelConfig(alias="m", model="x", provider="p", price=dd.Price(input=1))
    pool = Pool("m", 4, model, provider(NOWHERE)).with_model("y")
    assert pool == Pool("m", 4, model.model_copy(update={"model": "y"}), provider(NOWHERE))
