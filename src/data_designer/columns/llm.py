"""What columns that a model writes share: a conversation that parses, corrects and restarts; checks and statistics.

Kinds of them differ in the `Form` in which they want the answer.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import pyarrow as pa

from data_designer.columns.media import contexts_of, media_blocks
from data_designer.columns.prompts import prompt_violations
from data_designer.columns.structured.parsing import is_thinking, is_whole, unindented
from data_designer.columns.templating.templates import compile_template
from data_designer.columns.tool_turns import NO_MORE_CALLS, REFUSALS, ToolTurns
from data_designer.config.analysis.column_statistics import (
    MISSING,
    LLMCodeColumnStatistics,
    LLMJudgedColumnStatistics,
    LLMStructuredColumnStatistics,
    LLMTextColumnStatistics,
)
from data_designer.config.base import SingleColumnConfig
from data_designer.config.column_configs import LLMTextColumnConfig
from data_designer.config.media_blocks import MediaBlock
from data_designer.config.run_config import JinjaRenderingEngine
from data_designer.config.utils.trace_type import TraceType
from data_designer.errors import (
    ConfigCompilationError,
    MCPToolError,
    MediaError,
    ParserException,
    PromptTemplateRenderError,
)
from data_designer.plan.columns import producers
from data_designer.plan.kinds import ColumnKind, Statistics
from data_designer.plan.model import Plan, Step
from data_designer.plan.profile import Profile, stddev
from data_designer.plan.tools import ToolSet
from data_designer.values import (
    REFUSED,
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

KEPT_REPLY: Final = 2000
"""Characters of the last reply that are stored with a rejected row."""

_LONGEST_PROBLEM: Final = 2000
"""Characters of what is said to be wrong with a reply."""

_LONGEST_CORRECTED: Final = 100_000
"""Characters of a reply that is repeated for correction; after a longer one the conversation starts anew."""

_MORE_THOUGHTS: Final = 4
"""Further requests of a cell for replies that are cut off inside the model's reasoning."""

_SHOWN: Final = 200
"""Characters of a refusal that the model is shown."""

_CHARACTERS_A_TOKEN: Final = 4

_CALLS: Final = ("tool_calls", "function_call")
"""Finish reasons of replies that call tools."""

_TOOLLESS: Final = "The reply calls a tool, and there is none. Answer as asked, in words."

_TOO_LONG: Final = "at the token limit"

_CUT: Final = {
    "length": (_TOO_LONG, "the reply was cut off at the token limit (finish_reason=length): raise `max_tokens`"),
    "max_tokens": (
        _TOO_LONG,
        "the reply was cut off at the token limit (finish_reason=max_tokens): raise `max_tokens`",
    ),
    "model_context_window_exceeded": (
        "at the end of the context window",
        "the model's context window was exceeded: shorten the prompt",
    ),
}
"""Finish reason of a reply that was cut off to where, as the model is told, and what the user can do."""


@dataclass(frozen=True, slots=True)
class ConversationLimits:
    """How often a model may try again when its reply cannot be parsed."""

    restarts: int
    """Fresh conversations after the first one."""
    corrections: int
    """Follow-up turns in each conversation that tell the model what was wrong."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a column wants its answer."""

    parse: Callable[[str], object]
    """What a reply says. Raises ParserException with what the model is told where it says nothing that is wanted."""
    instructions: str = ""
    """What the prompt ends with."""
    params: Mapping[str, object] = field(default_factory=dict)
    """Fields of the request."""
    is_whole: Callable[[str], bool] = is_whole
    """Whether a reply that was cut off can be used all the same."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A reply and the conversation it answers."""

    asked: list[Message]
    response: ChatResponse

    @property
    def text(self) -> str:
        """What the parser is given."""
        return self.response.text.strip()

    @property
    def reasoning(self) -> str | None:
        """What the model thought, where it said so."""
        return (self.response.reasoning or "").strip() or None

    @property
    def calls_tools(self) -> bool:
        """Whether the reply wants tools to be called."""
        return bool(self.response.tool_calls) or self.response.finish_reason in _CALLS

    def message(self) -> Message:
        """Give the reply as the next request repeats it."""
        return _message("assistant", self.text)

    def trace(self) -> Message:
        """Give the reply as traces show it."""
        return self.message() | ({"reasoning_content": self.reasoning} if self.reasoning else {})

    def last_message(self) -> list[Message]:
        """Give the trace that is the reply alone."""
        return [self.trace()]

    def all_messages(self) -> list[Message]:
        """Give the trace that is the conversation with the reply."""
        return [*self.asked, self.trace()]


class LlmProgram:
    """Computes a cell of a column that a model writes.

    A reply that the parser rejects is answered with the parser's own words, up to `corrections` times; then
    the conversation starts anew from the same first messages, up to `restarts` times; then the row is
    rejected. So a cell costs at most (1 + restarts) * (1 + corrections) requests, and some more where replies are cut
    off while the model was still thinking aloud, which it may do more briefly the next time. An empty reply counts as
    rejected in a text column too. Turns in which the model calls tools come on top of that, and stay in the
    conversation when it starts anew: no call is made twice.
    """

    def __init__(  # noqa: PLR0913 - all that is the same for all cells
        self,
        config: LLMTextColumnConfig,
        form: Form,
        limits: ConversationLimits,
        engine: JinjaRenderingEngine,
        known: Collection[str],
        makes: Sequence[str],
        tools: ToolSet | None = None,
    ) -> None:
        """Prepare everything that is the same for all cells.

        Args:
            config: The column.
            form: How it wants its answer.
            limits: How often the model may try again.
            engine: How templates are rendered.
            known: Columns that templates may name.
            makes: The column and its side effects, in the order in which outcomes list them.
            tools: What the model may call; None for nothing.
        """
        self._limits = limits
        self._tools = tools
        self._media = contexts_of(config)
        # Media may speak for themselves; what is not there need not render to something.
        self._prompt = compile_template(config.prompt, engine, known) if config.prompt or not self._media else None
        self._system = compile_template(config.system_prompt, engine, known) if config.system_prompt else None
        self._params = form.params
        self._suffix = f"\n\n{form.instructions}" if form.instructions else ""
        self._parse, self._is_whole = form.parse, form.is_whole
        self._extras = tuple(_side_effect(config, name) for name in makes[1:])

    def exchange(self, record: Record, index: int) -> Exchange:  # noqa: ARG002 - cells do not depend on it
        """Ask for a record's cell until a reply can be parsed or the limits are reached."""
        try:
            first = yield from self._messages(record)
        except (PromptTemplateRenderError, MediaError) as error:
            return Drop(Reason(type(error).__name__, str(error)))
        try:
            return (yield from self._conversation(first))
        except MCPToolError as error:
            return Drop(Reason(type(error).__name__, str(error)))

    def _conversation(self, first: list[Message]) -> Exchange:
        tools = ToolTurns(self._tools)
        problem, turn = "", _Turn(first, ChatResponse(""))
        thoughts = _MORE_THOUGHTS if self._limits.restarts or self._limits.corrections else 0
        for _ in range(1 + self._limits.restarts):
            messages = first
            for _ in range(1 + self._limits.corrections):
                turn = yield from self._turn(messages, tools)
                while thoughts and _is_lost_in_thought(turn):
                    thoughts -= 1
                    turn = yield from self._turn(turn.asked, tools)
                if turn.asked is not messages:
                    first = messages = turn.asked
                try:
                    value = self._value(turn)
                except ParserException as error:
                    problem = str(error)[:_LONGEST_PROBLEM]
                    if len(turn.text) > _LONGEST_CORRECTED:
                        break
                    messages = [*messages, turn.message(), _message("user", problem)]
                else:
                    return Ok((value, *(extra(turn) for extra in self._extras)))
        return Drop(self._failure(problem, turn))

    def _turn(self, messages: list[Message], tools: ToolTurns) -> Generator[Request, Response, _Turn]:
        return _Turn(*(yield from tools.ask(messages, self._params)))

    def _value(self, turn: _Turn) -> object:
        """What the reply says. Raises ParserException where it says nothing that is wanted."""
        if turn.response.finish_reason == REFUSED:
            raise ParserException(f"You declined to answer: {turn.text[:_SHOWN]!r}. Answer as asked.")
        if not turn.text:
            calls = _TOOLLESS if self._tools is None else NO_MORE_CALLS
            raise ParserException(calls if turn.calls_tools else "The reply is empty. Answer as asked.")
        try:
            return self._answer(unindented(turn.response.text), _CUT.get(turn.response.finish_reason or ""))
        except (ParserException, MemoryError):
            raise
        except Exception as error:
            # What is in a reply is the model's, and no reason for the run to end.
            raise ParserException(f"The reply cannot be read ({type(error).__name__}: {error}).") from error

    def _answer(self, reply: str, cut: tuple[str, str] | None) -> object:
        """What a reply says, which may have been cut off somewhere."""
        if cut is not None and (is_thinking(reply) or not self._is_whole(reply)):
            raise ParserException(f"The reply is cut off {cut[0]}. Answer again, more briefly.")
        return self._parse(reply)

    def _messages(self, record: Record) -> Generator[Request, Response, list[Message]]:
        text = self._suffix.lstrip() if self._prompt is None else self._prompt.render(record) + self._suffix
        system = "" if self._system is None else self._system.text(record)
        media = (yield from media_blocks(self._media, record)) if self._media else ()
        user = _message("user", text, media)
        return [_message("system", system), user] if system.strip() else [user]

    def _failure(self, problem: str, turn: _Turn) -> Reason:
        limits = self._limits
        if limits.restarts or limits.corrections:
            tried = (
                f"unsuccessful generation despite {limits.corrections} correction steps "
                f"and {limits.restarts} conversation restarts"
            )
        else:
            tried = "no retries were attempted"
        kind, what = _named(turn, self._tools)
        parts = [tried, *([what] if what else []), f"last problem: {problem}"]
        return Reason(kind, "; ".join(parts), last_reply=turn.text[:KEPT_REPLY])


def _is_lost_in_thought(turn: _Turn) -> bool:
    """Whether a reply was cut off before the model began to answer."""
    return (turn.response.finish_reason or "") in _CUT and is_thinking(turn.response.text)


def _named(turn: _Turn, tools: ToolSet | None) -> tuple[str, str]:
    """The kind of a reply that is of no use, and what the user can do about it."""
    finish = turn.response.finish_reason or ""
    if finish in _CUT:
        return "ModelTruncatedReplyError", _CUT[finish][1]
    if finish == REFUSED:
        return (
            "ModelRefusalError",
            "the model or its filter declined to answer: change the prompt or the model",
        )
    if not turn.text and turn.calls_tools:
        return "ModelToolCallsReplyError", f"the reply calls {_tools(turn.response.tool_calls)} {_instead(tools)}"
    if not turn.text:
        return (
            "ModelEmptyReplyError",
            "the reply is empty: is it a chat model, or does it only think?",
        )
    return "ModelGenerationValidationFailureError", ""


def _instead(tools: ToolSet | None) -> str:
    if tools is None:
        return (
            "instead of answering, and the column has no tools: take `tools` and `functions` out of extra_body, or "
            "choose a model that answers without them"
        )
    return (
        f"instead of answering after {tools.most_turns} turns of calls, though {REFUSALS} more were refused: raise "
        f"max_tool_call_turns of tool config '{tools.alias}', or have the prompt say when to stop"
    )


def _tools(calls: Sequence[Mapping[str, object]]) -> str:
    functions = [call.get("function") for call in calls]
    names = [function.get("name") for function in functions if isinstance(function, Mapping)]
    shown = ", ".join(repr(name[:_SHOWN]) for name in names[:3] if isinstance(name, str))
    return f"the tool {shown}" if shown else "tools"


def _side_effect(config: LLMTextColumnConfig, name: str) -> Callable[[_Turn], object]:
    if name == f"{config.name}__reasoning_content":
        return lambda turn: turn.reasoning
    if name == f"{config.name}__trace":
        return _Turn.last_message if config.with_trace == TraceType.LAST_MESSAGE else _Turn.all_messages
    raise ValueError(f"column {config.name!r} does not make {name!r}")


def _message(role: str, text: str, media: Iterable[MediaBlock] = ()) -> Message:
    return {"role": role, "content": [*media, {"type": "text", "text": text}]}


# --- what their kinds have in common ----------------------------------------------------------------------

Config = TypeVar("Config", bound=LLMTextColumnConfig)


def written(config: type[Config], form: Callable[[Config, str | None], Form]) -> ColumnKind[Config]:
    """A kind of column that a model writes.

    Args:
        config: the class of its columns.
        form: the form that a column wants, given how the endpoint is asked to constrain replies in JSON (see
            `plan.constraints`); None where the prompt alone asks. A function of a module, so that it can be pickled.
    """
    return ColumnKind(
        config=config,
        build=partial(_build, config, form),
        generation_type="chat-completion",
        templates=("prompt", "system_prompt"),
        lint=prompt_violations,
        media=contexts_of,
        statistics=statistics,
    )


def _build(
    config: type[Config], form: Callable[[Config, str | None], Form], step: Step, plan: Plan, _: "pa.Table | None"
) -> LlmProgram:
    [column] = step.of(config)
    return conversation(column, form(column, plan.pools[step.pool].native), step, plan, producers(plan.config.columns))


def conversation(column: LLMTextColumnConfig, form: Form, step: Step, plan: Plan, known: Collection[str]) -> LlmProgram:
    """The program of a step, as the run settings have it.

    Args:
        column: what is asked, and what is kept of it.
        form: how it wants its answer.
        step: the step.
        plan: its plan.
        known: columns that the templates may name.
    """
    return LlmProgram(
        column,
        form,
        ConversationLimits(plan.run.max_conversation_restarts, plan.run.max_conversation_correction_steps),
        JinjaRenderingEngine(plan.run.jinja_rendering_engine),
        known,
        step.makes,
        _tool_set(column, plan),
    )


def _tool_set(column: LLMTextColumnConfig, plan: Plan) -> ToolSet | None:
    """What a column's model may call. Raises ConfigCompilationError where nobody has asked the servers for it."""
    if column.tool_alias is None:
        return None
    if column.tool_alias not in plan.tools:
        raise ConfigCompilationError(f"column '{column.name}': nobody has listed the tools of '{column.tool_alias}'")
    return plan.tools[column.tool_alias]


def text(_: SingleColumnConfig) -> pa.DataType:
    """The type of columns that hold text."""
    return pa.string()


_STATISTICS: Final = {
    str(found.model_fields["column_type"].default): found
    for found in (LLMCodeColumnStatistics, LLMStructuredColumnStatistics, LLMJudgedColumnStatistics)
}


_TOKENS: Final = tuple(
    f"{side}_tokens_{figure}" for side in ("input", "output") for figure in ("mean", "median", "stddev")
)


def statistics(column: SingleColumnConfig, profile: Profile) -> Statistics:
    """About four characters a token: no tokenizer has to be fetched."""
    mean: float | str = MISSING
    spread: float | str = MISSING
    if characters := profile.get("characters"):
        mean = round(characters["mean"] / _CHARACTERS_A_TOKEN, 1)
        spread = round((stddev(characters) or 0.0) / _CHARACTERS_A_TOKEN, 1)
    found: dict[str, object] = {"column_type": column.column_type, **dict.fromkeys(_TOKENS, MISSING)}
    found |= {"output_tokens_mean": mean, "output_tokens_stddev": spread}
    return _STATISTICS.get(column.column_type, LLMTextColumnStatistics), found
