"""Replies of little use, over either API: refused, cut off and empty ones, and what their rows say."""

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from tests.models.fakes import FakeModel, pool, scripted

from data_designer.columns.llm import ConversationLimits, LlmProgram
from data_designer.columns.llm_json import structured_form
from data_designer.columns.llm_text import text_form
from data_designer.config.column_configs import LLMStructuredColumnConfig, LLMTextColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.models.admission.request_admission import RequestAdmission
from data_designer.models.admission.slots import Slots
from data_designer.models.client import ModelClient
from data_designer.models.exchange import drive
from data_designer.models.model import Model
from data_designer.models.openai_wire import OpenAIWire
from data_designer.models.retry import Caller, CallerOptions
from data_designer.simulated_model.replies import REFUSAL
from data_designer.simulated_model.server import SimulatedModel, start_simulated
from data_designer.values import REFUSED, ChatResponse, Drop, Ok, Outcome

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TEXT = LLMTextColumnConfig(name="x", model_alias="m", prompt="About {{ topic }}")
STRUCTURED = LLMStructuredColumnConfig(name="x", model_alias="m", prompt="About {{ topic }}", output_format=SCHEMA)
EITHER = pytest.mark.parametrize("api", ["openai", "anthropic"])


def choice(finish_reason: Any, **message: Any) -> dict[str, Any]:
    """A chat completion."""
    return {"choices": [{"message": message, "finish_reason": finish_reason}]}


@pytest.mark.parametrize(
    ("data", "text", "finish_reason"),
    [
        (choice("stop", content="a"), "a", "stop"),
        (choice("length", content="a"), "a", "length"),
        (choice("stop", content=None, refusal="I cannot."), "I cannot.", REFUSED),
        (choice("stop", content="partly", refusal="I cannot."), "partly", REFUSED),
        (choice("stop", content="a", refusal=None), "a", "stop"),
        (choice("stop", content="a", refusal=""), "a", "stop"),
        (choice("content_filter", content=""), "", REFUSED),
        (choice(None, content=""), "", None),
        (choice(7, content="a"), "a", None),
    ],
)
def test_refusals_of_a_chat_completion_have_one_name(data: Any, text: str, finish_reason: str | None) -> None:
    """Whether the model declines or a filter steps in; the text says why where there is one."""
    reply = OpenAIWire.parse(data)
    assert (reply.text, reply.finish_reason) == (text, finish_reason)


def test_cached_tokens_of_a_chat_completion_are_counted() -> None:
    """They are part of the prompt's, under either set of names."""
    for asked, details in (("prompt_tokens", "prompt_tokens_details"), ("input_tokens", "input_tokens_details")):
        data = {**choice("stop", content="a"), "usage": {asked: 9, details: {"cached_tokens": 4}}}
        usage = OpenAIWire.parse(data).usage
        assert (usage.input_tokens, usage.cached_tokens) == (9, 4)


async def cell(model: Model, config: LLMTextColumnConfig, corrections: int = 0) -> Outcome:
    """Compute one cell with a model."""
    limits = ConversationLimits(restarts=0, corrections=corrections)
    form = structured_form if config is STRUCTURED else text_form
    program = LlmProgram(config, form(config, None), limits, JinjaRenderingEngine.SECURE, ["topic"], ("x",))
    asking = Caller(model, RequestAdmission(Slots(1)), CallerOptions(), rng=random.Random(0))
    return await drive(program.exchange({"topic": "gardens"}, 0), asking.ask)


def computed(behaviour: SimulatedModel, config: LLMTextColumnConfig, api: str) -> Outcome:
    """Compute one cell with the simulated model, over one of its APIs."""

    async def scenario() -> Outcome:
        server = await start_simulated(behaviour)
        try:
            async with aiohttp.ClientSession() as session:
                alias = pool(server.url, provider={"provider_type": api})
                return await cell(ModelClient(alias, "key", session), config)
        finally:
            await server.close()

    return asyncio.run(scenario())


@pytest.mark.usefixtures("sockets")
@EITHER
@pytest.mark.parametrize(
    ("behaviour", "config", "kind", "advice", "last_reply"),
    [
        (SimulatedModel(refusal_rate=1), TEXT, "ModelRefusalError", "change the prompt or the model", REFUSAL),
        (SimulatedModel(refusal_rate=1), STRUCTURED, "ModelRefusalError", "change the prompt or the model", REFUSAL),
        (SimulatedModel(empty_rate=1), TEXT, "ModelEmptyReplyError", "is it a chat model", ""),
        (SimulatedModel(empty_rate=1), STRUCTURED, "ModelEmptyReplyError", "is it a chat model", ""),
        (SimulatedModel(truncated_rate=1), STRUCTURED, "ModelTruncatedReplyError", "raise `max_tokens`", None),
    ],
)
def test_a_row_is_rejected_for_what_its_last_reply_was(
    behaviour: SimulatedModel, config: LLMTextColumnConfig, kind: str, advice: str, last_reply: str | None, api: str
) -> None:
    """Refused, empty and cut-off replies have kinds of their own, which say what to do about them."""
    outcome = computed(behaviour, config, api)
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == kind
    assert advice in outcome.reason.message
    assert last_reply is None or outcome.reason.last_reply == last_reply


@pytest.mark.usefixtures("sockets")
@EITHER
def test_a_good_reply_is_a_value(api: str) -> None:
    """Over either API the same cell comes to the same."""
    outcome = computed(SimulatedModel(), STRUCTURED, api)
    assert isinstance(outcome, Ok)
    assert outcome == computed(SimulatedModel(), STRUCTURED, "openai")


def test_a_model_that_declined_is_told_so_and_may_change_its_mind() -> None:
    """A correction round quotes the refusal; the reply after it counts."""
    model = FakeModel(verdict=scripted(ChatResponse("I would rather not.", finish_reason=REFUSED)))
    assert asyncio.run(cell(model, TEXT, corrections=1)) == Ok(("fine",))
    again = model.asked[1].request.messages[-1]
    assert "You declined to answer: 'I would rather not.'" in again["content"][0]["text"]
