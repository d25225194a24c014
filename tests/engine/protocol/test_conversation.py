"""Conversations as values: what of them is written comes back, and what a reader of one sees."""

import json

from hypothesis import given
from hypothesis import strategies as st

from data_designer.engine.protocol.conversation import Conversation, FailedAttempt, Reply, Turn, shared
from data_designer.values import Message, Usage

TEXTS = st.text(max_size=20)
REPLIES = st.builds(Reply, TEXTS, TEXTS | st.none(), TEXTS | st.none(), st.just(()))
TURNS = st.builds(
    Turn,
    st.integers(0, 9),
    st.lists(st.fixed_dictionaries({"role": TEXTS, "content": TEXTS}), max_size=3).map(tuple),
    st.dictionaries(TEXTS, st.integers(), max_size=2) | st.none(),
    REPLIES | st.none(),
    st.builds(Usage, *[st.integers(0, 99)] * 6),
    st.floats(0, 9) | st.none(),
    TEXTS | st.none(),
    st.lists(st.builds(FailedAttempt, TEXTS, TEXTS), max_size=2).map(tuple),
)


def message(role: str, text: str) -> Message:
    """A message as programs write it."""
    return {"role": role, "content": [{"type": "text", "text": text}]}


def turn(*messages: Message, repeats: int = 0, reply: Reply | None = None, **more: object) -> Turn:
    """A turn that was answered in half a second."""
    known = {"usage": Usage(1, 0, 10, 3), "seconds": 0.5, **more}
    return Turn(repeats, messages, {} if not repeats else None, reply, **known)  # type: ignore[arg-type]


def conversation(*turns: Turn, fate: str = "ok", problem: str | None = None) -> Conversation:
    """A conversation of record 17."""
    usage = Usage.total([one.usage for one in turns]) if turns else Usage()
    at = "https://host/v1/chat/completions"
    return Conversation(17, "review", fate, problem, "writer", "big", at, usage, 0.5, 0.01, turns, {"top_p": 1})  # type: ignore[arg-type]


FIRST = message("system", "Be kind."), message("user", "Judge the kettle.")
CORRECTED = conversation(
    turn(*FIRST, reply=Reply("nice", "hm", "stop"), failed=(FailedAttempt("ModelTimeoutError", "no reply"),)),
    turn(message("assistant", "nice"), message("user", "That is no JSON."), repeats=2, reply=Reply("still nice")),
    turn(repeats=2, seconds=None, reply=Reply('{"stars": 3}')),
)


@given(TURNS)
def test_a_turn_is_read_back_as_it_was_written(one: Turn) -> None:
    """JSON holds all of a turn."""
    assert Turn.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_requests_are_put_together_from_what_each_adds() -> None:
    """A correction goes on from all messages before it; a restart has the first ones again."""
    roles = [[str(one["role"]) for one in request] for request in CORRECTED.requests()]
    assert roles == [["system", "user"], ["system", "user", "assistant", "user"], ["system", "user"]]
    assert (CORRECTED.corrections, CORRECTED.restarts) == (1, 1)


def test_the_text_of_a_conversation_has_it_all_in_order() -> None:
    """Prompts, replies, reasons for corrections, failed attempts and what it cost; what is repeated stands once."""
    text = str(CORRECTED)
    parts = [
        "record 17, column review: ok",
        "big (alias writer) at https://host/v1/chat/completions",
        "top_p=1",
        "3 requests answered",
        "30 tokens in, 9 out",
        "$0.010000",
        "request 1 of 3",
        "Be kind.",
        "Judge the kettle.",
        "an attempt failed: ModelTimeoutError: no reply",
        "--- reasoning\nhm",
        "--- reply (stop, 3 tokens, 0.50 s)\nnice",
        "request 2 of 3: a correction",
        "That is no JSON.",
        "still nice",
        "request 3 of 3: begun anew",
        "from the journal of an earlier run",
        '{"stars": 3}',
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("Judge the kettle.") == 1
    assert text.count("\nnice\n") == 1


def test_a_cell_that_failed_says_why_and_one_that_was_taken_that_nothing_was_asked() -> None:
    """The last line of a failure is its reason."""
    failed = conversation(turn(*FIRST, usage=Usage(0, 2)), fate="failed", problem="ModelRefusalError: no")
    assert str(failed).endswith("=== failed: ModelRefusalError: no")
    assert "--- 2 failed attempts\n--- no reply" in str(failed)
    assert "Nothing was asked" in str(conversation(fate="taken"))


def test_shared_counts_the_messages_with_which_both_begin() -> None:
    """Messages that are equal count as the same, wherever they come from."""
    one, other = message("user", "a"), message("user", "b")
    assert shared([one, other], [message("user", "a"), one]) == 1
    assert shared([one], [one, other]) == 1
    assert shared([], [one]) == 0
