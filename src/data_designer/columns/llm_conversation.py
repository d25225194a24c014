"""Conversation columns: roles that models play speak in turn, and what they say is a list of messages.

Each role has a thread of its own: a system prompt, then what it was sent at each of its turns and what it said to that.
So requests alternate as chat templates demand, begin as those before them did, which caches of prompts like, and any
number of roles can take part: what the others said is in the prompts, as their templates put it.
"""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from data_designer.columns.llm import KEPT_REPLY, ConversationLimits
from data_designer.columns.structured.parsing import is_thinking
from data_designer.columns.templating.skip_conditions import Condition
from data_designer.columns.templating.templates import Template, compile_template
from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import OF_CONVERSATIONS, ConversationRole, LLMConversationColumnConfig
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.templates import references
from data_designer.config.utils.trace_type import TraceType
from data_designer.errors import PromptTemplateRenderError
from data_designer.plan.columns import producers
from data_designer.plan.kinds import ColumnKind, named_statistics
from data_designer.plan.model import Plan, Step
from data_designer.plan.violation import Violation
from data_designer.values import (
    REFUSED,
    ChatRequest,
    ChatResponse,
    Drop,
    Exchange,
    Message,
    Ok,
    Reason,
    Record,
    Request,
    Response,
)

_SHOWN: Final = 200
"""Characters of a refusal that the model is shown."""
_CUT: Final = "ModelTruncatedReplyError"
_FAILURES: Final = {
    "ModelEmptyReplyError": "The reply is empty. Answer as asked.",
    "ModelRefusalError": "You declined to answer: {!r}. Answer as asked.",
    _CUT: "The reply ends inside your reasoning. Answer again, more briefly.",
}
"""Kind of a reply that is of no use to what the model is told."""


class _NoReplyError(Exception):
    """A role has given no reply that is of use, however often it was asked."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Role:
    """A role whose templates are compiled."""

    config: ConversationRole
    speaks_as: str
    prompt: Template
    system: Template | None

    def opening(self, view: Record) -> list[Message]:
        """What its thread begins with."""
        system = "" if self.system is None else self.system.text(view)
        return [_message("system", system)] if system.strip() else []


@dataclass(slots=True)
class _Course:
    """What was said in a row's conversation so far."""

    said: list[dict[str, str]] = field(default_factory=list)
    """Each with `name` and `content`."""
    threads: dict[str, list[Message]] = field(default_factory=dict)
    """Role to what it was sent and said."""
    trace: list[Message] = field(default_factory=list)

    def view(self, record: Record, turn: int) -> dict[str, object]:
        """What templates see."""
        last = self.said[-1]["content"] if self.said else ""
        return {**record, "messages": [*self.said], "turn": turn, "last": last}


class ConversationProgram:
    """Computes a cell of a conversation column.

    A reply that is empty, refused or all reasoning is answered with what is wrong with it, up to `corrections` times;
    then the turn begins anew, up to `restarts` times; then the row is rejected.
    """

    def __init__(
        self,
        column: LLMConversationColumnConfig,
        limits: ConversationLimits,
        engine: JinjaRenderingEngine,
        known: Collection[str],
    ) -> None:
        """Prepare everything that is the same for all cells.

        Args:
            column: the column.
            limits: how often a role may try again.
            engine: how templates are rendered.
            known: columns that templates may name.
        """
        self._column = column
        self._limits = limits
        within = {*known, *OF_CONVERSATIONS}
        self._roles = [_role(role, place, engine, within) for place, role in enumerate(column.roles)]
        self._stop = None if column.stop_when is None else Condition(column.stop_when)
        opening = column.system_message
        self._opening = None if opening is None else compile_template(opening, engine, known)

    def exchange(self, record: Record, index: int) -> Exchange:  # noqa: ARG002 - cells do not depend on it
        """Let the roles speak until one of the conditions ends it."""
        course = _Course()
        try:
            for turn in range(1, self._column.max_turns + 1):
                role = self._roles[(turn - 1) % len(self._roles)]
                if (yield from self._turn(role, course, record, turn)) or self._ends(course, record, turn):
                    break
            return self._outcome(course, record)
        except PromptTemplateRenderError as error:
            return Drop(Reason(type(error).__name__, str(error)))
        except _NoReplyError as error:
            return Drop(error.reason)

    def _turn(self, role: _Role, course: _Course, record: Record, turn: int) -> Generator[Request, Response, bool]:
        """Let a role speak; gives whether it said its stop word."""
        view, name = course.view(record, turn), role.config.name
        known = name in course.threads
        thread = course.threads[name] if known else role.opening(view)
        asked = [*thread, _message("user", role.prompt.render(view))]
        messages, response = yield from self._reply(role, asked, turn)
        text = response.text.strip()
        course.threads[name] = [*asked, _message("assistant", text)]
        if self._column.with_trace == TraceType.ALL_MESSAGES:
            course.trace += [{**one, "name": name} for one in messages[len(thread) if known else 0 :]]
        elif self._column.with_trace == TraceType.LAST_MESSAGE:
            course.trace = []
        course.trace.append({**_message("assistant", text), "name": name, **_reasoning(response)})
        word = role.config.stop_word
        ended = word is not None and word in text
        if word is not None and ended:
            text = text.replace(word, "").strip()
        if text:
            course.said.append({"name": name, "content": text})
        return ended

    def _reply(
        self, role: _Role, asked: list[Message], turn: int
    ) -> Generator[Request, Response, tuple[list[Message], ChatResponse]]:
        """What was sent in the end, and a reply that is of use. Raises _NoReplyError where there is none."""
        kind, response = "", ChatResponse("")
        for _ in range(1 + self._limits.restarts):
            messages = asked
            for _ in range(1 + self._limits.corrections):
                answer = yield ChatRequest(messages, alias=role.config.model_alias)
                assert isinstance(answer, ChatResponse)
                response, kind = answer, _failure(answer)
                if not kind:
                    return messages, response
                problem = _FAILURES[kind].format(response.text.strip()[:_SHOWN])
                messages = [*messages, _message("assistant", response.text.strip()), _message("user", problem)]
        limits = self._limits
        what = (
            f"role '{role.config.name}' gave no reply in turn {turn} despite {limits.corrections} correction steps "
            f"and {limits.restarts} restarts"
        )
        raise _NoReplyError(Reason(kind, what, last_reply=response.text[:KEPT_REPLY]))

    def _ends(self, course: _Course, record: Record, turn: int) -> bool:
        if self._stop is None:
            return False
        try:
            return self._stop.holds(course.view(record, turn))
        except Exception as error:
            # The condition is the user's program and may raise anything.
            raise PromptTemplateRenderError(
                f"stop_when could not be evaluated after turn {turn}: {type(error).__name__}: {error}"
            ) from error

    def _outcome(self, course: _Course, record: Record) -> Ok | Drop:
        if not course.said:
            return Drop(Reason("ModelEmptyReplyError", "nothing was said but a stop word"))
        speaks_as = {role.config.name: role.speaks_as for role in self._roles}
        messages = [{"role": speaks_as[one["name"]], **one} for one in course.said]
        if self._opening is not None and (text := self._opening.text(record)).strip():
            messages.insert(0, {"role": "system", "name": "system", "content": text})
        if not self._column.with_names:
            messages = [{"role": one["role"], "content": one["content"]} for one in messages]
        return Ok((messages, course.trace) if self._column.with_trace != TraceType.NONE else (messages,))


def _role(config: ConversationRole, place: int, engine: JinjaRenderingEngine, known: Collection[str]) -> _Role:
    system = None if config.system_prompt is None else compile_template(config.system_prompt, engine, known)
    speaks_as = config.speaks_as or ("assistant" if place else "user")
    return _Role(config, speaks_as, compile_template(config.prompt, engine, known), system)


def _failure(response: ChatResponse) -> str:
    """The kind of a reply that is of no use; empty for one that is."""
    if response.finish_reason == REFUSED:
        return "ModelRefusalError"
    if not response.text.strip():
        return "ModelEmptyReplyError"
    return _CUT if is_thinking(response.text) else ""


def _message(role: str, text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _reasoning(response: ChatResponse) -> dict[str, object]:
    thought = (response.reasoning or "").strip()
    return {"reasoning_content": thought} if thought else {}


# --- the kind --------------------------------------------------------------------------------------------


def _build(step: Step, plan: Plan, _seed_table: object) -> ConversationProgram:
    [column] = step.of(LLMConversationColumnConfig)
    limits = ConversationLimits(plan.run.max_conversation_restarts, plan.run.max_conversation_correction_steps)
    engine = JinjaRenderingEngine(plan.run.jinja_rendering_engine)
    return ConversationProgram(column, limits, engine, producers(plan.config.columns))


def _lint(column: LLMConversationColumnConfig, makers: Mapping[str, SingleColumnConfig]) -> Iterator[Violation]:
    spoken = [*column.role_templates, *([column.stop_when] if column.stop_when else [])]
    used = frozenset[str]().union(*map(references, spoken))
    for name in sorted(used.intersection(OF_CONVERSATIONS) & makers.keys()):
        message = f"`{name}` is the conversation's in its templates, not the column of that name; rename the column"
        yield Violation("shadowed_column", column.name, message, "WARNING")
    for role in column.roles:
        if not role.prompt.strip():
            yield Violation("empty_prompt", column.name, f"the prompt of role '{role.name}' is empty")


def _arrow_type(column: LLMConversationColumnConfig) -> pa.DataType:
    names: Sequence[str] = ("role", "name", "content") if column.with_names else ("role", "content")
    return pa.list_(pa.struct([(name, pa.string()) for name in names]))


LLM_CONVERSATION = ColumnKind(
    config=LLMConversationColumnConfig,
    build=_build,
    asks_freely=True,
    templates=("role_templates", "stop_when", "system_message"),
    own_names=OF_CONVERSATIONS,
    lint=_lint,
    arrow_type=_arrow_type,
    statistics=named_statistics,
)
