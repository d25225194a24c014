"""What the simulated model says: the same to the same prompt, in the form that is asked for."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import orjson

from data_designer.simulated_model.counts import Counted
from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.media import TOKENS, digests_of
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.settings import SimulatedModel
from data_designer.simulated_model.tool_calls import Call, calls_of, last_result
from data_designer.simulated_model.vocabulary import sentence

REFUSAL = "I cannot help with that."
"""What it says where it declines."""

_TOLD = 200
"""Characters of what a tool says that are repeated."""

Ending = Literal["stop", "length", "refusal", "tool_calls"]
"""Why a reply ends where it does."""

_LANGUAGE = re.compile(r"fence[^\n]*?\b(?:labelled|tagged|named|language|with)?[^\n`]*?`([a-z+]+)`", re.IGNORECASE)
_LONG_WORD = re.compile(r"\b[a-z]{4,}\b")
# fmt: off
_INSTRUCTIONS = frozenset((
    "about", "above", "also", "another", "answer", "anything", "around", "based", "because", "been", "before",
    "below", "between", "called", "costs", "could", "create", "customer", "describe", "does", "dollars", "each",
    "everything", "exactly", "explain", "five", "following", "four", "from", "generate", "give", "given", "have",
    "into", "judge", "just", "keep", "like", "line", "lines", "list", "long", "made", "make", "more", "most",
    "must", "nothing", "number", "only", "other", "over", "paragraph", "please", "product", "provide", "quality",
    "reply", "response", "return", "review", "sentence", "sentences", "short", "should", "some", "such", "summary",
    "text", "than", "that", "their", "them", "then", "there", "these", "they", "this", "those", "three", "using",
    "very", "what", "when", "where", "which", "will", "with", "within", "without", "word", "words", "would",
    "write", "writing", "written", "years", "your",
))
# fmt: on
"""Words of prompts that are about the reply instead of its topic."""
_OVERSHOOT = 14
"""Characters by which the last sentence of a text goes too far, beyond the few that it always did."""
_TOPICAL, _MOST_TOPICS = 2000, 40
"""Characters of a prompt that are searched for topics, and how many of these count."""
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
    system, user = "", ""
    for message in messages_of(body):
        if message.get("role") == "system" and not system:
            system = _content(message)
        elif message.get("role") == "user" and not user:
            user = _content(message)
    seed, media = body.get("seed"), digests_of(messages_of(body))
    return Prompt(system, user, "" if seed is None else str(seed), b"".join(media), TOKENS * len(media))


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
    if calls := calls_of(body, model.tool_turns, model.tool_calls, f"{model.seed}\0{prompt}".encode()):
        return Reply("", "tool_calls", None, calls)
    text = _text(body, prompt, model)
    if faults.has("malformed"):
        return Reply(_broken(text), "stop", "malformed")
    if faults.has("truncated"):
        return Reply(text[: len(text) // 2], "length", "truncated")
    return Reply(text, "stop", None)


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
        return orjson.dumps(_instances(honoured).make(rng)).decode()
    asked = _schema(user)
    if asked is not None:
        made = asked.make(rng)
        return f"```json\n{orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()}\n```"
    language = _LANGUAGE.search(user)
    if language:
        return f"```{language.group(1)}\n{_code(language.group(1), rng)}\n```"
    if user == "Hello!":
        return "Hello! How can I help?"
    told = last_result(body)
    return _prose(user, rng, model.output_tokens) + (f" A tool says: {told[:_TOLD]}" if told else "")


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


def _code(language: str, rng: SeededRng) -> str:
    name = "_".join(rng.words(2).split())
    if language == "python":
        return (
            f'def {name}(value: int) -> int:\n    """Return a multiple of the value."""\n'
            f"    return value * {rng.below(90) + 2}"
        )
    if language == "sql":
        return f"SELECT id, name FROM {name} WHERE id > {rng.below(100)}"  # noqa: S608 - it is a reply, not a query
    return f"// {name}\n{name}({rng.below(100)});"


def _prose(user: str, rng: SeededRng, output_tokens: int) -> str:
    """Sentences about words of the prompt, half as many as usual to half as many again."""
    topics = _topics(user[:_TOPICAL])
    wanted = output_tokens * (200 + 4 * rng.below(101)) // 100 - _OVERSHOOT
    said: list[str] = []
    length = 0
    while length < wanted:
        said.append(sentence(rng, rng.choice(topics)))
        length += len(said[-1]) + 1
    return " ".join(said)


def _topics(text: str) -> list[str]:
    """Words that a text may be about: long ones in lower case, which no names are, that are no instruction."""
    words = [word for word in _LONG_WORD.findall(text) if word not in _INSTRUCTIONS]
    return [f"range of {word}" if _is_plural(word) else word for word in words[:_MOST_TOPICS]] or ["matter"]


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "as"))


def _broken(text: str) -> str:
    """Half a JSON object, or nothing at all where prose was asked for."""
    return text.replace("```", "")[: len(text) // 2] if text.startswith(("```", "{", "[")) else ""
