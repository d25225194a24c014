"""What the simulated model says: the same to the same prompt, in the form that is asked for."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import orjson

from data_designer.simulated_model.code_replies import code
from data_designer.simulated_model.counts import Counted
from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.material import Material
from data_designer.simulated_model.media import TOKENS, digests_of
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.settings import SimulatedModel
from data_designer.simulated_model.tool_calls import Call, calls_of, last_result
from data_designer.simulated_model.vocabulary import Tell, advice, opinion, question

REFUSAL = "I cannot help with that."
"""What it says where it declines."""

_TOLD = 200
"""Characters of what a tool says that are repeated."""

Ending = Literal["stop", "length", "refusal", "tool_calls"]
"""Why a reply ends where it does."""

_LANGUAGE = re.compile(r"fence[^\n]*?\b(?:labelled|tagged|named|language|with)?[^\n`]*?`([a-z+]+)`", re.IGNORECASE)
_OVERSHOOT = 14
"""Characters by which the last sentence of a text goes too far, beyond the few that it always did."""
_WANTS_QUESTION = re.compile(
    r"\b(?:ask|compose|create|generate|invent|make|pose|rephrase|reword|rewrite|turn|write)\b"
    r"([^.!?\n]{0,80}?)\b(?:problem|quer(?:y|ies)|question|request|riddle)s?\b"
)
_OF_QUESTIONS = re.compile("answer|expla|reply|response|solution|solve")
"""What is not asked, but said of a question."""
_WANTS_ADVICE = re.compile(r"\b(?:advise|answer|explain|instruct|reply|respond|solve|teach)\b")
_ENDS = 500
"""Characters of a prompt's beginning and of its end in which it is looked up what it wants."""
_STOP_WORD = re.compile(r"[\[<][A-Z_]{2,20}[\]>]")
_END = re.compile(r"\b(?:end|finish|close)s?\b")
_CONDITION = re.compile(r"\b(?:if|once|when|as soon as)\b", re.IGNORECASE)
_STOPS = 3
"""One reply of so many ends with the word with which it may end a conversation."""
_GUIDES = {
    "guided_json": ("guided_json",),
    "structured_outputs": ("structured_outputs", "json"),
    "nvext": ("nvext", "guided_json"),
}
"""Value of `guided` to the way to the schema in a request."""


class Prompt(NamedTuple):
    """What a reply depends on, so that a restart of a conversation gets the same one."""

    system: str
    user: str
    """The first message of the user."""
    seed: str = ""
    """The request's own, if it has one: so one prompt gets as many replies as there are seeds."""
    media: bytes = b""
    """Tells apart what the user shows."""
    media_tokens: int = 0
    turns: tuple[str, ...] = ()
    """What the user said to good answers since then. What is said to others is a correction, which changes no reply."""

    @property
    def tokens(self) -> int:
        """About how long it is."""
        return _tokens(len(self.system) + len(self.user)) + self.media_tokens

    def digest(self, name: str) -> bytes:
        """Tells it apart from others, and from the same one to another model."""
        return hashlib.blake2b(f"{name}\0{self.text}".encode() + self.media, digest_size=16).digest()

    @property
    def text(self) -> str:
        """All of it."""
        text = f"{self.system}\0{self.user}"
        return f"{text}\0{self.seed}" if self.seed else text


class Reply(NamedTuple):
    """One reply."""

    text: str
    ending: Ending
    fault: Counted | None
    """What is wrong with it."""
    calls: tuple[Call, ...] = ()
    """Tools that it wants to be called."""

    @property
    def tokens(self) -> int:
        """About how long it is."""
        called = sum(len(call.name) + len(str(call.arguments)) for call in self.calls)
        return _tokens(len(self.text) + called)


def messages_of(body: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """The messages of a chat completion request."""
    messages = body.get("messages")
    return messages if isinstance(messages, list) else ()


def prompt_of(body: Mapping[str, object]) -> Prompt:
    """The prompt of a chat completion request."""
    system, user, before = "", "", ""
    turns: list[str] = []
    for message in messages_of(body):
        match message.get("role"):
            case "system" if not system:
                system = _content(message)
            case "assistant":
                before = _content(message)
            case "user" if not user:
                user = _content(message)
            case "user" if _is_good(before) and (said := _content(message)):
                turns.append(said)
    seed, media = body.get("seed"), digests_of(messages_of(body))
    whose = "" if seed is None else str(seed)
    return Prompt(system, user, whose, b"".join(media), TOKENS * len(media), tuple(turns))


def reply_to(body: Mapping[str, object], prompt: Prompt, model: SimulatedModel, faults: RequestFaults) -> Reply:
    """The reply to a request, in the form it asks for: prose, a JSON instance of a schema, or code.

    One thing at most is wrong with it.

    Raises:
        ValueError: the request asks for an instance of a schema that makes no sense.
    """
    if faults.has("refusal"):
        return Reply(REFUSAL, "refusal", "refusals")
    if faults.has("empty"):
        return Reply("", "stop", "empty")
    seed = f"{model.seed}\0{prompt}".encode()
    if calls := calls_of(body, model.tool_turns, model.tool_calls, seed, Material(prompt.user, for_lookups=True)):
        return Reply("", "tool_calls", None, calls)
    text = _text(body, prompt, model)
    if faults.has("malformed"):
        return Reply(_broken(text), "stop", "malformed")
    if faults.has("truncated"):
        return Reply(text[: len(text) // 2], "length", "truncated")
    return Reply(text, "stop", None)


def _is_good(reply: str) -> bool:
    """Whether it is prose that says all it was to say."""
    return reply.endswith((".", "?", "!", "]", ">")) and reply != REFUSAL


def _content(message: Mapping[str, object]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))


def _tokens(characters: int) -> int:
    return -(-characters // 4)


def _text(body: Mapping[str, object], prompt: Prompt, model: SimulatedModel) -> str:
    user = prompt.user
    rng = SeededRng(hashlib.blake2b(f"{model.seed}\0{prompt.text}".encode() + prompt.media).digest())
    honoured = _honoured(body, model)
    if honoured is not None:
        return orjson.dumps(_instances(honoured).make(rng, Material(user))).decode()
    asked = _schema(user)
    if asked is not None:
        made = asked.make(rng, Material(user))
        return f"```json\n{orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()}\n```"
    language = _LANGUAGE.search(user)
    if language:
        return f"```{language.group(1)}\n{code(language.group(1), user, rng)}\n```"
    if user == "Hello!":
        return "Hello! How can I help?"
    told = last_result(body)
    if prompt.turns:
        rng = SeededRng(hashlib.blake2b("\0".join((str(model.seed), prompt.text, *prompt.turns)).encode()).digest())
    return _prose(prompt.turns[-1] if prompt.turns else user, rng, model.output_tokens) + (
        f" A tool says: {told[:_TOLD]}" if told else ""
    )


def _honoured(body: Mapping[str, object], model: SimulatedModel) -> bytes | None:
    """The schema that a request gives outside its prompt, where this model heeds it."""
    wanted = body.get("response_format")
    if model.native and isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        schema = _at(wanted, ("json_schema", "schema"))
        return orjson.dumps({} if schema is None else schema)
    guide = _at(body, _GUIDES[model.guided]) if model.guided else None
    if guide is None:
        return None
    return guide.encode() if isinstance(guide, str) else orjson.dumps(guide)


def _at(body: object, path: tuple[str, ...]) -> object:
    """What stands at a path of a nested object; None where nothing does."""
    for name in path:
        if not isinstance(body, dict):
            return None
        body = body.get(name)
    return body


@lru_cache(maxsize=1000)
def _instances(schema: bytes) -> Instances:
    return Instances(orjson.loads(schema))


def _schema(user: str) -> Instances | None:
    """The JSON schema that the prompt ends with, where it does; earlier mentions of the tag are prose."""
    start = user.rfind("<response_schema>")
    end = user.find("</response_schema>", start)
    if start < 0 or end < 0:
        return None
    try:
        return _instances(user[start + len("<response_schema>") : end].encode())
    except orjson.JSONDecodeError:
        return None


def _prose(asked: str, rng: SeededRng, output_tokens: int) -> str:
    """Sentences about words of the prompt, half as many as usual to half as many again."""
    material, tell = Material(asked), _teller(asked)
    wanted = output_tokens * (200 + 4 * rng.below(101)) // 100 - _OVERSHOOT
    said: list[str] = []
    length = 0
    while length < wanted:
        said.append(tell(rng, material.topic(rng)))
        length += len(said[-1]) + 1
    if tell is question:
        # One is asked for; what comes before it tells of what it is about.
        said = [*(opinion(rng, material.topic(rng)) for _ in said[1:]), said[0]]
    return " ".join(said) + _stop_word(asked, rng)


def _teller(asked: str) -> Tell:
    """What says what the prompt wants to hear."""
    searched = (asked if len(asked) <= 2 * _ENDS else f"{asked[:_ENDS]}\n{asked[-_ENDS:]}").lower()
    if any(not _OF_QUESTIONS.search(found.group(1)) for found in _WANTS_QUESTION.finditer(searched)):
        return question
    return advice if _WANTS_ADVICE.search(searched) else opinion


def _stop_word(asked: str, rng: SeededRng) -> str:
    """The word in brackets with which the prompt wants a conversation to be ended, now and then; else nothing."""
    end = asked[-_ENDS:]
    found = _STOP_WORD.search(end) if "[" in end or "<" in end else None
    if found is None:
        return ""
    before = re.split(r"[.!?\n]", end[: found.start()])[-1]
    if not _END.search(before) or (_CONDITION.search(before) and rng.below(_STOPS)):
        return ""
    return f" {found.group()}"


def _broken(text: str) -> str:
    """Half a JSON object, or nothing at all where prose was asked for."""
    return text.replace("```", "")[: len(text) // 2] if text.startswith(("```", "{", "[")) else ""
