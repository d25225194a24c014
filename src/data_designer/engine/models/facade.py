"""Through what functions of the user ask a model."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from data_designer.columns.tool_turns import NO_MORE_CALLS, ToolTurns
from data_designer.config.models import ModelProvider
from data_designer.engine.models.usage import ModelUsageStats
from data_designer.engine.models.utils import ChatMessage
from data_designer.errors import (
    MCPConfigurationError,
    ModelError,
    ModelGenerationValidationFailureError,
    ModelUnsupportedCapabilityError,
    ParserException,
)
from data_designer.models.model import DEFAULT_TIMEOUT, TIMEOUT
from data_designer.plan.model import Pool
from data_designer.plan.tools import ToolSet
from data_designer.terminal import visible
from data_designer.values import (
    ChatRequest,
    ChatResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    ImageRequest,
    ImageResponse,
    Request,
    Response,
    Usage,
)

logger = logging.getLogger(__name__)

Blocks: TypeAlias = list[dict[str, Any]]
"""Blocks of media, as messages in OpenAI's form hold them."""
Result = TypeVar("Result")
_Dialogue = Generator[Request, Response, Result]

_ANY: Final = frozenset({"extra_body", TIMEOUT})
_CHAT: Final = _ANY | {
    *("temperature", "top_p", "max_tokens", "stop", "seed", "response_format", "frequency_penalty"),
    *("presence_penalty", "tools", "tool_choice"),
}
_EMBEDDING: Final = _ANY | {"encoding_format", "dimensions"}
_IMAGE: Final = _CHAT | {"n", "size", "quality", "style", "background", "output_format"}
"""Fields of requests that a call may set; an image may be asked for in a chat."""

_LONGEST_PROBLEM: Final = 2000
"""Characters of what is said to be wrong with a reply."""

_dropped: set[frozenset[str]] = set()
"""Sets of names of which the log has said that they are dropped."""


class Asker(Protocol):
    """Gets replies for a facade, from wherever it is used."""

    def ask(self, request: Request) -> Response:
        """Wait for a reply, in a thread that may wait. Raises ModelError."""
        ...

    async def aask(self, request: Request) -> Response:
        """Get a reply. Raises ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class ChatCompletionResponse:
    """A reply to messages."""

    message: ChatMessage
    """What the model said."""
    usage: Usage
    """What it cost."""
    finish_reason: str | None = None
    """Why it ended, in the endpoint's words: `stop`, `length`, ..."""


def _as_it_is(text: str) -> Any:
    return text


class ModelFacade:
    """One model alias, as a function of a custom column or a script asks it. May be used from several threads.

    Every method without `a` waits and is for functions that are not `async def`; its twin with `a` is awaited. What is
    asked takes the alias's slots, is retried, and counts in the accounts and in the budget, like what other columns
    ask. Further keyword arguments are fields of the request (such as `temperature`, `max_tokens`, `stop`, `seed`,
    `response_format`, `extra_body`; `timeout` in seconds); others are dropped, which the log says once.

    Every method raises ModelError where no reply can be had.
    """

    def __init__(self, pool: Pool, asker: Asker, tools: Mapping[str, ToolSet] | None = None) -> None:
        self._pool = pool
        self._asker = asker
        self._tools = tools
        self._usage = ModelUsageStats()

    # --- what it is --------------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """The provider's name of the model."""
        return self._pool.model_name

    @property
    def model_alias(self) -> str:
        """What the configuration calls it."""
        return self._pool.alias

    @property
    def model_provider(self) -> ModelProvider:
        """Where it is served."""
        return self._pool.provider

    @property
    def model_provider_name(self) -> str:
        """The name of where it is served."""
        return self._pool.provider.name

    @property
    def model_generation_type(self) -> str:
        """What it makes: `chat-completion`, `embedding` or `image`."""
        return self._pool.generation_type

    @property
    def max_parallel_requests(self) -> int:
        """How many requests to it may be in flight, of all columns together."""
        return self._pool.slots

    @property
    def request_timeout(self) -> float:
        """Seconds until a request is given up."""
        return float(self._pool.params.timeout or DEFAULT_TIMEOUT)

    @property
    def usage_stats(self) -> ModelUsageStats:
        """What was asked through this object; in a custom column each cell has its own."""
        return self._usage

    # --- text --------------------------------------------------------------------------------------------

    def generate(  # noqa: PLR0913 - the public API
        self,
        prompt: str,
        *,
        parser: Callable[[str], Any] = _as_it_is,
        system_prompt: str | None = None,
        multi_modal_context: Blocks | None = None,
        tool_alias: str | None = None,
        max_correction_steps: int = 0,
        max_conversation_restarts: int = 0,
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        purpose: str | None = None,  # noqa: ARG002 - the public API
        **kwargs: Any,
    ) -> tuple[Any, list[ChatMessage]]:
        """Ask, and parse the reply.

        Args:
            prompt: what is asked.
            parser: is given the text of the reply without space around it; what it returns is returned. Where it
                raises ParserException, the model is told and asked again, as often as the two numbers below allow.
            system_prompt: what the model is told before.
            multi_modal_context: blocks of media that go before the prompt.
            tool_alias: names a tool config whose tools the model may call before it answers. Its turns come on top of
                the two numbers below, and what tools have said stays in a conversation that starts anew.
            max_correction_steps: follow-up turns of a conversation.
            max_conversation_restarts: fresh conversations after the first.
            skip_usage_tracking: does nothing: what is paid for counts.
            purpose: does nothing.
            kwargs: fields of the request.

        Returns:
            What the parser returned, and the conversation: what was said to the model, what it said, and what the
            tools came to that it called.

        Raises:
            ModelGenerationValidationFailureError: no reply could be parsed, or the model went on calling tools.
            MCPConfigurationError: there is no such tool config.
            MCPToolError: a call failed, or the model calls what it may not.
            RuntimeError: it is called where waiting would hold up the run: in an `async def` function.
        """
        tools = self._tool_set(tool_alias)
        first = _first(prompt, system_prompt, multi_modal_context)
        limits = max_correction_steps, max_conversation_restarts
        with self._generation(tools):
            return self._run(_conversation(first, parser, limits, self._fields(kwargs, _CHAT), tools))

    async def agenerate(  # noqa: PLR0913 - the public API
        self,
        prompt: str,
        *,
        parser: Callable[[str], Any] = _as_it_is,
        system_prompt: str | None = None,
        multi_modal_context: Blocks | None = None,
        tool_alias: str | None = None,
        max_correction_steps: int = 0,
        max_conversation_restarts: int = 0,
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        purpose: str | None = None,  # noqa: ARG002 - the public API
        **kwargs: Any,
    ) -> tuple[Any, list[ChatMessage]]:
        """`generate`, to be awaited."""
        tools = self._tool_set(tool_alias)
        first = _first(prompt, system_prompt, multi_modal_context)
        limits = max_correction_steps, max_conversation_restarts
        with self._generation(tools):
            return await self._arun(_conversation(first, parser, limits, self._fields(kwargs, _CHAT), tools))

    def completion(
        self,
        messages: Sequence[ChatMessage],
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        *,
        allow_multiple_choices: bool = True,  # noqa: ARG002 - the public API
        **kwargs: Any,
    ) -> ChatCompletionResponse:
        """Have the model go on with a conversation.

        Args:
            messages: the conversation so far.
            skip_usage_tracking: does nothing: what is paid for counts.
            allow_multiple_choices: does nothing.
            kwargs: fields of the request.

        Raises:
            ModelError: there is no reply.
        """
        return self._run(_completion(messages, self._fields(kwargs, _CHAT)))

    async def acompletion(
        self,
        messages: Sequence[ChatMessage],
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        *,
        allow_multiple_choices: bool = True,  # noqa: ARG002 - the public API
        **kwargs: Any,
    ) -> ChatCompletionResponse:
        """`completion`, to be awaited."""
        return await self._arun(_completion(messages, self._fields(kwargs, _CHAT)))

    # --- vectors and images ------------------------------------------------------------------------------

    def generate_text_embeddings(
        self,
        input_texts: Sequence[str],
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        **kwargs: Any,
    ) -> list[list[float]]:
        """A vector for each text, in one request.

        Args:
            input_texts: the texts; of none there are no vectors, and nothing is asked.
            skip_usage_tracking: does nothing: what is paid for counts.
            kwargs: fields of the request: `dimensions`, `encoding_format`, `extra_body`, `timeout`.

        Raises:
            ModelError: there is no reply.
            TypeError: a text is given instead of a list of texts.
        """
        return self._run(_embeddings(input_texts, self._fields(kwargs, _EMBEDDING)))

    async def agenerate_text_embeddings(
        self,
        input_texts: Sequence[str],
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        **kwargs: Any,
    ) -> list[list[float]]:
        """`generate_text_embeddings`, to be awaited."""
        return await self._arun(_embeddings(input_texts, self._fields(kwargs, _EMBEDDING)))

    def generate_image(
        self,
        prompt: str,
        multi_modal_context: Blocks | None = None,
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        **kwargs: Any,
    ) -> list[str]:
        """Images of a description, each in base64.

        Args:
            prompt: what to show.
            multi_modal_context: blocks of media that the model is shown.
            skip_usage_tracking: does nothing: what is paid for counts.
            kwargs: fields of the request: `size`, `quality`, `n`, `extra_body`, `timeout` and others.

        Raises:
            ModelError: there is no reply.
        """
        return self._run(_images(prompt, multi_modal_context, self._fields(kwargs, _IMAGE)))

    async def agenerate_image(
        self,
        prompt: str,
        multi_modal_context: Blocks | None = None,
        skip_usage_tracking: bool = False,  # noqa: ARG002 - it is paid for, so it counts
        **kwargs: Any,
    ) -> list[str]:
        """`generate_image`, to be awaited."""
        return await self._arun(_images(prompt, multi_modal_context, self._fields(kwargs, _IMAGE)))

    # --- carried out -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Nothing is open here."""

    async def aclose(self) -> None:
        """Nothing is open here."""

    def _tool_set(self, alias: str | None) -> ToolSet | None:
        """The tools of an alias. Raises MCPConfigurationError and ModelUnsupportedCapabilityError."""
        if alias is None:
            return None
        if self._tools is None:
            raise ModelUnsupportedCapabilityError("tool_alias is for functions of a run, which has the tools")
        if alias not in self._tools:
            declared = ", ".join(map(repr, self._tools)) or "none"
            raise MCPConfigurationError(f"tool alias '{alias}' is not declared; tool configs: {declared}")
        return self._tools[alias]

    @contextmanager
    def _generation(self, tools: ToolSet | None) -> Iterator[None]:
        """Count one that may call tools, however it ends."""
        usage = self._usage.tool_usage
        before = usage.total_tool_calls
        try:
            yield
        finally:
            if tools is not None:
                usage.total_generations += 1
                usage.generations_with_tools += usage.total_tool_calls > before

    def _fields(self, kwargs: Mapping[str, Any], known: frozenset[str]) -> dict[str, object]:
        return _fields(kwargs, known, self._pool.subject)

    def _run(self, dialogue: _Dialogue[Result]) -> Result:
        try:
            request = next(dialogue)
            while True:
                request = dialogue.send(self._counted(self._asker.ask(request)))
        except StopIteration as stop:
            result: Result = stop.value
            return result
        except ModelError as error:
            self._count_failure(error)
            raise

    async def _arun(self, dialogue: _Dialogue[Result]) -> Result:
        try:
            request = next(dialogue)
            while True:
                request = dialogue.send(self._counted(await self._asker.aask(request)))
        except StopIteration as stop:
            result: Result = stop.value
            return result
        except ModelError as error:
            self._count_failure(error)
            raise

    def _counted(self, response: Response) -> Response:
        self._usage.add(response.usage)
        return response

    def _count_failure(self, error: ModelError) -> None:
        if not isinstance(error, ModelGenerationValidationFailureError):
            self._usage.add(Usage(failed_requests=error.attempts))


# --- what is said ----------------------------------------------------------------------------------------


def _first(prompt: str, system_prompt: str | None, media: Blocks | None) -> list[ChatMessage]:
    blocks: list[dict[str, object]] = [*(media or ()), {"type": "text", "text": prompt}]
    user = ChatMessage.as_user(blocks if media else prompt)
    return [ChatMessage.as_system(system_prompt), user] if system_prompt else [user]


def _said(message: ChatMessage) -> dict[str, object]:
    """A message as it is sent: what a model thought is not repeated to it."""
    return {name: value for name, value in message.to_dict().items() if name != "reasoning_content"}


def _asked(messages: Sequence[ChatMessage], params: Mapping[str, object]) -> _Dialogue[ChatResponse]:
    response = yield ChatRequest([_said(message) for message in messages], params)
    return _of_kind(ChatResponse, response)


def _answer(response: ChatResponse) -> ChatMessage:
    reasoning = (response.reasoning or "").strip() or None
    return ChatMessage.as_assistant(response.text.strip(), reasoning, response.tool_calls)


def _conversation(
    first: list[ChatMessage],
    parser: Callable[[str], Any],
    limits: tuple[int, int],
    params: Mapping[str, object],
    tools: ToolSet | None,
) -> _Dialogue[tuple[Any, list[ChatMessage]]]:
    corrections, restarts = limits
    problem, turns = "", ToolTurns(tools)
    for _ in range(1 + restarts):
        trace = list(first)
        for _ in range(1 + corrections):
            called, response = yield from _replied(trace, params, turns)
            if called:
                trace += called
                first = list(trace)  # What was called is not called again.
            trace.append(_answer(response if tools is None else replace(response, tool_calls=())))
            try:
                return _parsed(parser, response, tools), trace
            except ParserException as error:
                problem = str(error)[:_LONGEST_PROBLEM]
                trace.append(ChatMessage.as_user(problem))
    tried = f"unsuccessful generation despite {corrections} correction steps and {restarts} conversation restarts"
    message = f"{tried if corrections or restarts else 'no retries were attempted'}; last problem: {problem}"
    raise ModelGenerationValidationFailureError(message)


def _replied(
    trace: Sequence[ChatMessage], params: Mapping[str, object], turns: ToolTurns
) -> _Dialogue[tuple[list[ChatMessage], ChatResponse]]:
    """Turns in which tools were called, and the reply after them."""
    said = [_said(message) for message in trace]
    asked, response = yield from turns.ask(said, params)
    return [_message(message) for message in asked[len(said) :]], response


def _parsed(parser: Callable[[str], Any], response: ChatResponse, tools: ToolSet | None) -> Any:
    """What the parser makes of a reply. Raises ParserException."""
    if tools is not None and response.tool_calls:
        raise ParserException(NO_MORE_CALLS)
    return parser(response.text.strip())


def _message(message: Mapping[str, Any]) -> ChatMessage:
    """One of a turn of tools, as functions see it."""
    blocks: list[dict[str, Any]] = message["content"]
    if message["role"] == "assistant":
        return ChatMessage.as_assistant(blocks[0]["text"], message.get("reasoning_content"), message["tool_calls"])
    is_text = len(blocks) == 1 and blocks[0]["type"] == "text"
    return ChatMessage.as_tool(blocks[0]["text"] if is_text else blocks, message["tool_call_id"])


def _completion(messages: Sequence[ChatMessage], params: Mapping[str, object]) -> _Dialogue[ChatCompletionResponse]:
    response = yield from _asked(messages, params)
    return ChatCompletionResponse(_answer(response), response.usage, response.finish_reason)


def _embeddings(texts: Sequence[str], params: Mapping[str, object]) -> _Dialogue[list[list[float]]]:
    if isinstance(texts, str):
        raise TypeError("input_texts is a list of texts, not one")
    if not texts:
        return []
    response = _of_kind(EmbeddingResponse, (yield EmbeddingRequest([*texts], params)))
    return [[*vector] for vector in response.vectors]


def _images(prompt: str, media: Blocks | None, params: Mapping[str, object]) -> _Dialogue[list[str]]:
    response = _of_kind(ImageResponse, (yield ImageRequest(prompt, [*(media or ())], params)))
    return [*response.images]


Kind = TypeVar("Kind", ChatResponse, EmbeddingResponse, ImageResponse)


def _of_kind(kind: type[Kind], response: Response) -> Kind:
    if not isinstance(response, kind):
        raise ModelUnsupportedCapabilityError(f"the model answered with {type(response).__name__}")
    return response


def _fields(kwargs: Mapping[str, Any], known: frozenset[str], subject: str) -> dict[str, object]:
    """Fields of a request, of those that a call was given; what its `extra_body` holds are fields too."""
    unknown = frozenset(kwargs) - known
    if unknown and unknown not in _dropped:
        _dropped.add(unknown)
        names = visible(", ".join(sorted(unknown)))
        logger.warning("%s: a function gives %s, which no such request takes: dropped", subject, names)
    fields = {name: value for name, value in kwargs.items() if name in known and value is not None}
    extra = fields.pop("extra_body", None)
    return fields | (extra if isinstance(extra, dict) else {})
