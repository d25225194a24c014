"""What the simulated model takes from prompts: topics, quotes, references, turns, and how an end is to be said."""

from collections.abc import Iterable

import pytest

from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.material import Material
from data_designer.simulated_model.replies import REFUSAL, prompt_of, reply_to
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.settings import SimulatedModel
from data_designer.simulated_model.vocabulary import opinion

PAGE = "The lock counts its runs.\nIt is a file. Who breaks it, says so; nobody else does!\n\nShort one."


def said(*turns: str, seed: int | None = None) -> str:
    """What is said to the last of some messages, of a user and an assistant in turn."""
    messages = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]
    body = {"messages": messages} | ({} if seed is None else {"seed": seed})
    model = SimulatedModel()
    return reply_to(body, prompt_of(body), model, RequestFaults(model, b"", 0)).text


def endings(prompts: Iterable[str]) -> list[str]:
    """The last characters of what is said to each."""
    return [said(prompt)[-6:] for prompt in prompts]


def test_a_text_about_a_text_has_its_topic() -> None:
    """What the model says whatever it is asked is no topic, nor is what it is to do."""
    review = " ".join(opinion(SeededRng(bytes([one])), "kettle") for one in range(20))
    assert {*Material(f"Write a short summary of this review: {review}").topics} == {"kettle"}
    assert Material("Write one sentence.").topics == ["matter"]


def test_quotes_stand_in_the_longest_paragraph() -> None:
    """Letter by letter; a property of that name holds one, and references that suit one are taken."""
    prompt = f"Read.\n\n{PAGE}\n\nNow quote, for ticket AB-1207."
    passages = Material(prompt).passages
    assert passages == ["The lock counts its runs.", "It is a file. Who breaks it, says so; nobody else does!"]
    assert all(passage in PAGE for passage in passages)
    names = ("supporting_quote", "ticket_id", "answer", "question")
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": [*names]}
    made = Instances(schema).make(SeededRng(b"1"), Material(prompt))
    assert isinstance(made, dict)
    assert made["supporting_quote"] in passages
    assert made["ticket_id"] == "AB-1207"
    assert made["question"].endswith("?")
    assert made["answer"].endswith(".")


def test_what_is_looked_up_is_a_word_of_the_prompt() -> None:
    """An argument of a tool whose name says nothing."""
    schema = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}
    material = Material("Is there a kettle?", for_lookups=True)
    assert Instances(schema).make(SeededRng(b"1"), material) == {"item": "kettle"}


@pytest.mark.parametrize("asked", ["Write a question about tides.", "Rewrite this problem: two tides meet."])
def test_questions_are_asked_where_they_are_wanted(asked: str) -> None:
    """And answers are given to those who want one."""
    assert all(said(asked, seed=seed).endswith("?") for seed in range(20))
    assert not any("?" in said("Write the answer to a question about tides.", seed=seed) for seed in range(20))


def test_a_dialogue_goes_on() -> None:
    """Each turn has a reply of its own, always the same one."""
    first = said("Talk about tides.")
    second = said("Talk about tides.", first, "And about winds?")
    assert second != first
    assert second == said("Talk about tides.", first, "And about winds?")
    assert second != said("Talk about tides.", first, "And about clouds?")


@pytest.mark.parametrize("before", ["", REFUSAL, "Half a sentence that is cut o"])
def test_a_correction_changes_no_reply(before: str) -> None:
    """Where a reply was no good, the next one is what it should have been, whatever went wrong."""
    assert said("Talk about tides.", before, "Answer as asked.") == said("Talk about tides.")


def test_a_conversation_may_be_ended_by_its_word() -> None:
    """Now and then where there is a condition, always where there is none."""
    some = endings(f"Talk about tide {one}. Once you know enough, end with [DONE]." for one in range(200))
    assert 40 < sum(one == "[DONE]" for one in some) < 95
    assert {*endings(f"Talk about tide {one} and end with [DONE]." for one in range(20))} == {"[DONE]"}
