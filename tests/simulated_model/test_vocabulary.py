"""What the simulated model says: other texts for other seeds, of other lengths, and values that one would believe."""

import math
import re
from collections import Counter
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import examples

from data_designer.columns.structured.judge import judge_schema
from data_designer.config.column_configs import Score
from data_designer.simulated_model import usual_numbers, vocabulary
from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.replies import Reply, prompt_of, reply_to
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.settings import SimulatedModel
from data_designer.simulated_model.vocabulary import words_of

PROMPT = "Write a review of a mechanical keyboard."
NAMES = sorted({*usual_numbers._USUAL, *vocabulary._MAKERS, *vocabulary._TELLING, "anything"})


def replied(seed: int | None = None, user: str = PROMPT, **settings: Any) -> Reply:
    """What the model says to a prompt."""
    body: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": user}]}
    model = SimulatedModel(**settings)
    prompt = prompt_of(body if seed is None else {**body, "seed": seed})
    return reply_to(body, prompt, model, RequestFaults(model, b"", 0))


def values(schema: dict[str, Any], name: str, number: int = 400) -> list[Any]:
    """What so many records have in a property of a name."""
    instances = Instances({"type": "object", "properties": {name: schema}, "required": [name]})
    made: list[Any] = [instances.make(SeededRng(str(record).encode())) for record in range(number)]
    return [one[name] for one in made]


# --- texts ---------------------------------------------------------------------------------------------------


def test_a_prompt_has_as_many_replies_as_requests_have_seeds() -> None:
    """Each of them always the same; a request without a seed has one of its own."""
    texts = [replied(seed).text for seed in range(200)]
    assert len(set(texts)) == 200
    assert texts == [replied(seed).text for seed in range(200)]
    assert replied().text not in texts
    assert replied().text == replied().text


def test_replies_are_of_various_lengths_about_as_long_as_is_set() -> None:
    """From half of it to half as much again, and a sentence more."""
    lengths = [replied(seed, output_tokens=100).tokens for seed in range(300)]
    assert 95 < math.fsum(lengths) / len(lengths) < 115
    assert min(lengths) < 70
    assert max(lengths) > 135


def test_a_text_is_about_its_prompt() -> None:
    """Sentences name long words of it, which are no instructions."""
    text = replied(1, output_tokens=200).text
    assert "keyboard" in text or "mechanical" in text
    assert "review" not in text
    assert re.fullmatch(r"(?:[A-Z][^.]*[.] ?)+", text)


@pytest.mark.parametrize("name", NAMES)
@given(
    seed=st.binary(min_size=1, max_size=4),
    lengths=st.none() | st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
@examples(20)
def test_any_name_gets_a_valid_text(name: str, seed: bytes, lengths: tuple[int, int] | None) -> None:
    """Whatever lengths a schema wants."""
    schema: dict[str, Any] = {"type": "string"}
    if lengths is not None:
        schema |= {"minLength": lengths[0], "maxLength": sum(lengths)}
    whole = {"type": "object", "properties": {name: schema}, "required": [name]}
    jsonschema.validate(Instances(whole).make(SeededRng(seed)), whole)


def test_texts_suit_the_names_of_properties() -> None:
    """Names in any spelling; one that says nothing gets some words."""
    text = {"type": "string"}
    assert all(re.fullmatch(r"[A-Z]\w+ [A-Z]\w+", one) for one in values(text, "authorName", 20))
    assert all(re.fullmatch(r"[a-z.]+@example[.]com", one) for one in values(text, "contact_email", 20))
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", one) for one in values(text, "release_date", 20))
    assert all(one.endswith(".") for one in values(text, "Short_Descriptions", 20))
    assert all(len(one.split()) > 1 for one in values(text, "zzz", 20))


@pytest.mark.parametrize("form", ["date", "date-time", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"])
def test_values_of_a_format_are_of_it_and_differ(form: str) -> None:
    """As far as there are any."""
    made = values({"type": "string", "format": form}, "x", 100)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert all(checker.conforms(one, form) for one in made)
    assert len(set(made)) > (20 if form == "ipv4" else 80)


def test_names_are_read_in_any_spelling() -> None:
    """As words of lower case, in the singular."""
    assert words_of("customerReviews") == ["customer", "review"]
    assert words_of("total_price_USD") == ["total", "price", "usd"]
    assert words_of("Categories") == ["category"]
    assert words_of("status") == ["status"]
    assert words_of("12") == []


# --- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["integer", "number"])
@pytest.mark.parametrize("name", NAMES)
@given(
    seed=st.binary(min_size=1, max_size=4),
    low=st.none() | st.integers(-1000, 1000),
    width=st.none() | st.integers(2, 2000),
    exclusive=st.booleans(),
    step=st.none() | st.sampled_from([1, 5, 0.5]),
)
@examples(20)
def test_any_name_gets_a_valid_number(  # noqa: PLR0913 - what a schema says of a number
    kind: str, name: str, seed: bytes, low: int | None, width: int | None, exclusive: bool, step: float | None
) -> None:
    """Whatever bounds a schema has: what one would believe gives way to what is allowed."""
    schema: dict[str, Any] = {"type": kind}
    if low is not None:
        schema["exclusiveMinimum" if exclusive else "minimum"] = low
    if width is not None:
        schema["exclusiveMaximum" if exclusive else "maximum"] = (low or 0) + width
    if step is not None and width is None:
        schema["multipleOf"] = step
    whole = {"type": "object", "properties": {name: schema}, "required": [name]}
    jsonschema.Draft202012Validator(whole).validate(Instances(whole).make(SeededRng(seed)))


@pytest.mark.parametrize(
    ("name", "schema", "low", "high"),
    [
        ("price", {"type": "number", "minimum": 0}, 4, 400),
        ("unit_price", {"type": "number", "minimum": 100}, 100, 400),
        ("age", {"type": "integer", "minimum": 0, "maximum": 150}, 18, 85),
        ("publication_year", {"type": "integer"}, 1985, 2025),
        ("rating", {"type": "integer"}, 1, 5),
        ("rating", {"type": "integer", "minimum": 1, "maximum": 10}, 1, 10),
        ("confidence", {"type": "number", "minimum": 0, "maximum": 1}, 0, 1),
        ("price", {"type": "number", "minimum": 5000, "maximum": 6000}, 5000, 6000),
    ],
)
def test_numbers_are_what_one_would_believe(name: str, schema: dict[str, Any], low: float, high: float) -> None:
    """Of the property of that name, as far as its schema allows; not all the same."""
    made = values(schema, name)
    assert min(made) >= low
    assert max(made) <= high
    assert len(set(made)) >= min(5, high - low) or name == "confidence"
    assert max(made) - min(made) > (high - low) / 2


def test_prices_have_cents() -> None:
    """And no more than that."""
    assert all(round(price, 2) == price for price in values({"type": "number"}, "price"))


def test_judges_differ() -> None:
    """Every option of a score is given, better ones more often; options that are words have no order."""
    options: dict[int | str, str] = dict.fromkeys([3, 1, 2, 5, 4], "so")
    scores = [
        Score(name="Helpfulness", description="how", options=options),
        Score(name="Tone", description="t", options={"formal": "", "casual": ""}),
    ]
    instances = Instances(judge_schema(scores))
    made: list[Any] = [instances.make(SeededRng(str(record).encode())) for record in range(500)]
    helpful = Counter(one["Helpfulness"]["score"] for one in made)
    assert sorted(helpful) == [1, 2, 3, 4, 5]
    assert helpful[5] > helpful[3] > helpful[1]
    tone = Counter(one["Tone"]["score"] for one in made)
    assert min(tone.values()) > 150
    assert len({one["Helpfulness"]["reasoning"] for one in made}) > 450


def test_lists_of_different_values_are_as_long_as_they_have_to_be() -> None:
    """Where fewer than that suit the name, others do."""
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 40, "maxItems": 40, "uniqueItems": True}
    numbers = {**schema, "items": {"type": "integer", "minimum": 0, "maximum": 1000}}
    for wanted, name in ((schema, "cities"), (numbers, "ages"), (numbers, "days")):
        assert {len(set(one)) for one in values(wanted, name, 5)} == {40}


def test_what_must_not_be_is_not_believed() -> None:
    """Where a schema forbids all that one would believe, anything that it allows will do."""
    schema = {"type": "integer", "minimum": 0, "maximum": 1000, "not": {"maximum": 100}}
    assert min(values(schema, "age", 50)) > 100
