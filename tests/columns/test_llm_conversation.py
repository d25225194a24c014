"""Conversation columns: whose turn it is, what each role is sent, when it ends, and what is kept."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from data_designer.columns.arrow_types import fits
from data_designer.columns.checks import violations_of
from data_designer.columns.llm import ConversationLimits
from data_designer.columns.llm_conversation import LLM_CONVERSATION, ConversationProgram
from data_designer.config.column_configs import LLMConversationColumnConfig
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.models import ModelConfig, ModelProvider
from data_designer.config.run_config import JinjaRenderingEngine, RunConfig
from data_designer.errors import UserJinjaTemplateSyntaxError
from data_designer.values import REFUSED, ChatRequest, ChatResponse, Drop, Ok, Outcome

ONCE = ConversationLimits(restarts=0, corrections=0)
OPENING = "{% if turn == 1 %}Ask about {{ topic }}{% else %}{{ last }}{% endif %}"
ASKER = {"name": "asker", "model_alias": "a", "prompt": OPENING}
TELLER = {"name": "teller", "model_alias": "b", "prompt": "{{ last }}", "system_prompt": "Know {{ topic }}."}


def column(*roles: dict[str, Any], **fields: Any) -> LLMConversationColumnConfig:
    """Declare a conversation `x` on column `topic`, of an asker and a teller unless told otherwise."""
    return LLMConversationColumnConfig.model_validate({"name": "x", "roles": roles or (ASKER, TELLER), **fields})


def converse(
    config: LLMConversationColumnConfig, replies: Iterable[str | ChatResponse], limits: ConversationLimits = ONCE
) -> tuple[Outcome, list[ChatRequest]]:
    """Run one cell against scripted replies, the last one repeated; give the outcome and what was asked."""
    program = ConversationProgram(config, limits, JinjaRenderingEngine.SECURE, ["topic"])
    exchange = program.exchange({"topic": "tea"}, 0)
    asked: list[ChatRequest] = []
    script = [reply if isinstance(reply, ChatResponse) else ChatResponse(reply) for reply in replies]
    try:
        request = next(exchange)
        while True:
            assert isinstance(request, ChatRequest)
            asked.append(request)
            request = exchange.send(script[min(len(asked), len(script)) - 1])
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome, asked


def said(outcome: Outcome) -> Any:
    """The messages of a conversation that came to something."""
    assert isinstance(outcome, Ok)
    return outcome.values[0]


def sent(request: ChatRequest) -> list[tuple[object, str]]:
    """Role and text of each message of a request."""
    return [(one["role"], one["content"][0]["text"]) for one in request.messages]  # type: ignore[index]


def test_roles_speak_in_turn_each_in_a_thread_of_its_own() -> None:
    """Each is sent its prompts and its own replies, by its own alias; what is kept has both, as messages."""
    outcome, asked = converse(column(max_turns=4), ["q1", "a1", "q2", "a2"])
    assert said(outcome) == [
        {"role": "user", "name": "asker", "content": "q1"},
        {"role": "assistant", "name": "teller", "content": "a1"},
        {"role": "user", "name": "asker", "content": "q2"},
        {"role": "assistant", "name": "teller", "content": "a2"},
    ]
    assert [one.alias for one in asked] == ["a", "b", "a", "b"]
    assert sent(asked[2]) == [("user", "Ask about tea"), ("assistant", "q1"), ("user", "a1")]
    assert sent(asked[3]) == [("system", "Know tea."), ("user", "q1"), ("assistant", "a1"), ("user", "q2")]


def test_what_is_stored_can_be_shaped_for_fine_tuning() -> None:
    """A system message first, roles as they are mapped, and no names."""
    roles = ({**ASKER, "speaks_as": "assistant"}, {**TELLER, "speaks_as": "user"})
    outcome, _ = converse(column(*roles, max_turns=2, system_message="On {{ topic }}", with_names=False), ["q", "a"])
    assert said(outcome) == [
        {"role": "system", "content": "On tea"},
        {"role": "assistant", "content": "q"},
        {"role": "user", "content": "a"},
    ]


@pytest.mark.parametrize(("with_names", "system"), [(True, None), (True, "S"), (False, "S")])
def test_what_comes_out_fits_the_declared_type(*, with_names: bool, system: str | None) -> None:
    """So that all files have the same columns."""
    config = column(with_names=with_names, system_message=system)
    arrow = LLM_CONVERSATION.arrow_type(config)
    outcome, _ = converse(config, ["x"])
    assert arrow is not None
    assert fits(arrow)(said(outcome))
    assert pa.array([said(outcome)], type=arrow).to_pylist() == [said(outcome)]


def test_any_number_of_roles_can_take_part() -> None:
    """They speak in their order; `messages` shows each what all have said."""
    listing = "{% for one in messages %}{{ one.name }}={{ one.content }} {% endfor %}#{{ turn }}"
    roles = [{"name": name, "model_alias": "a", "prompt": listing} for name in ("x", "y", "z")]
    _, asked = converse(column(*roles, max_turns=4), ["1", "2", "3", "4"])
    assert [sent(one)[-1][1] for one in asked] == ["#1", "x=1 #2", "x=1 y=2 #3", "x=1 y=2 z=3 #4"]


def test_a_condition_ends_it() -> None:
    """It is looked at after each turn, over the row and the conversation."""
    outcome, asked = converse(column(stop_when="{{ topic in last and turn > 1 }}"), ["tea", "no", "tea", "never"])
    assert len(said(outcome)) == len(asked) == 3


def test_a_stop_word_ends_it_and_is_not_stored() -> None:
    """Only where the role says it whose word it is; a message of nothing else is left out."""
    roles = ({**ASKER, "stop_word": "[END]"}, TELLER)
    outcome, _ = converse(column(*roles), ["q", "a [END]", "bye [END]"])
    assert [one["content"] for one in said(outcome)] == ["q", "a [END]", "bye"]
    outcome, _ = converse(column(*roles), ["q", "a", "[END]"])
    assert [one["content"] for one in said(outcome)] == ["q", "a"]
    outcome, _ = converse(column(*roles), ["[END]"])
    assert isinstance(outcome, Drop)
    assert outcome.reason.message == "nothing was said but a stop word"


@pytest.mark.parametrize(
    ("useless", "told"),
    [
        (ChatResponse(" "), "The reply is empty. Answer as asked."),
        (ChatResponse("no", finish_reason=REFUSED), "You declined to answer: 'no'. Answer as asked."),
        (ChatResponse("<think>hm", finish_reason="length"), "The reply ends inside your reasoning. "),
    ],
)
def test_a_useless_reply_is_corrected_and_leaves_no_mark(useless: ChatResponse, told: str) -> None:
    """The role is told what is wrong; later turns do not see that."""
    outcome, asked = converse(column(max_turns=3), [useless, "q", "a", "q2"], ConversationLimits(0, 1))
    assert [one["content"] for one in said(outcome)] == ["q", "a", "q2"]
    assert sent(asked[1])[-1][1].startswith(told)
    assert sent(asked[3]) == [("user", "Ask about tea"), ("assistant", "q"), ("user", "a")]


def test_a_role_that_never_replies_rejects_the_row() -> None:
    """After corrections and restarts of the turn; the reason names the role and the turn."""
    outcome, asked = converse(column(), ["q", ""], ConversationLimits(restarts=1, corrections=1))
    assert len(asked) == 1 + 4
    assert isinstance(outcome, Drop)
    assert outcome.reason.kind == "ModelEmptyReplyError"
    assert "role 'teller' gave no reply in turn 2 despite 1 correction steps and 1 restarts" in outcome.reason.message


def test_templates_that_fail_reject_the_row() -> None:
    """Be it a prompt that renders to nothing, or a condition that cannot be evaluated."""
    outcome, _ = converse(column({**ASKER, "prompt": "{{ last }}"}, TELLER), ["q"])
    assert isinstance(outcome, Drop)
    outcome, _ = converse(column(stop_when="{{ last / 2 }}"), ["q"])
    assert isinstance(outcome, Drop)
    assert outcome.reason.message.startswith("stop_when could not be evaluated after turn 1: TypeError")


def test_traces_hold_what_was_sent_and_thought() -> None:
    """All of it, corrections included, each with its role's name; or the last reply."""
    script = [ChatResponse("", finish_reason="stop"), "q", ChatResponse("a", reasoning="hm")]
    outcome, _ = converse(column(max_turns=2, with_trace="all_messages"), script, ConversationLimits(0, 1))
    assert isinstance(outcome, Ok)
    trace: Any = outcome.values[1]
    assert [(one["name"], one["role"], one["content"][0]["text"]) for one in trace] == [
        ("asker", "user", "Ask about tea"),
        ("asker", "assistant", ""),
        ("asker", "user", "The reply is empty. Answer as asked."),
        ("asker", "assistant", "q"),
        ("teller", "system", "Know tea."),
        ("teller", "user", "q"),
        ("teller", "assistant", "a"),
    ]
    assert trace[-1]["reasoning_content"] == "hm"
    outcome, _ = converse(column(max_turns=2, with_trace="last_message"), script, ConversationLimits(0, 1))
    assert isinstance(outcome, Ok)
    assert outcome.values[1] == trace[-1:]


WRONG: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], str]] = {
    "one role": ((ASKER,), {}, "at least 2"),
    "two of one name": ((ASKER, ASKER), {}, "there are two roles named 'asker'"),
    "no turn": ((ASKER, TELLER), {"max_turns": 0}, "max_turns"),
    "a name with spaces": (({**ASKER, "name": "a b"}, TELLER), {}, "name"),
    "no template": (({**ASKER, "prompt": "{{"}, TELLER), {}, "does not parse"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_declared_wrongly_is_refused(what: str) -> None:
    """When it is declared."""
    roles, fields, expected = WRONG[what]
    with pytest.raises((ValidationError, UserJinjaTemplateSyntaxError), match=expected):
        column(*roles, **fields)


def found(config: LLMConversationColumnConfig, *names: str) -> list[str]:
    """Violations of a configuration with that column and some others."""
    models = [ModelConfig(alias="a", model="a", provider="p")]
    builder = DataDesignerConfigBuilder(model_configs=models)
    for name in ("topic", *names):
        builder.add_column(name=name, column_type="sampler", sampler_type="uuid", params={})
    providers = {"p": ModelProvider(name="p", endpoint="http://127.0.0.1:9")}
    return [one.type for one in violations_of(builder.add_column(config).build(), RunConfig(), providers, {})]


def test_what_cannot_work_is_found_before_anything_is_asked() -> None:
    """Aliases, columns and filters that are not there; names that the conversation takes are a warning."""
    one = {**TELLER, "model_alias": "a"}
    assert found(column(ASKER, one)) == []
    assert found(column(ASKER, TELLER)) == ["unknown_model_alias"]
    assert found(column(ASKER, {**one, "prompt": "{{ nope }}"})) == ["invalid_reference"]
    assert found(column(ASKER, {**one, "prompt": "{{ last | nope }}"})) == ["invalid_template"]
    assert found(column(ASKER, one, system_message="{{ last }}")) == ["invalid_reference"]
    assert found(column(ASKER, one), "last") == ["shadowed_column"]
    assert found(column(ASKER, {**one, "prompt": " "})) == ["empty_prompt"]
