"""What is wrong with a field is one line: what is wrong, and what is allowed, without pydantic's own words."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

import data_designer.config as dd


def sampler(**fields: Any) -> Any:
    """A sampler column."""
    return dd.SamplerColumnConfig(name="a", **fields)


WRONG: dict[str, tuple[Callable[[], object], dict[str, str]]] = {
    "an unknown setting": (
        lambda: dd.RunConfig(bufer_size=5),
        {"bufer_size": "there is no such setting; did you mean 'buffer_size'?"},
    ),
    "another type": (lambda: dd.RunConfig(seed="a"), {"seed": "must be a valid integer, not 'a'"}),
    "out of range": (
        lambda: dd.RunConfig(buffer_size=0),
        {"buffer_size": "must be greater than 0, not 0"},
    ),
    "a choice, nearly": (
        lambda: dd.RunConfig(executor="inlne"),
        {"executor": "cannot be 'inlne'; did you mean 'inline'?"},
    ),
    "a field that is missing, and one that is unknown": (
        lambda: dd.LLMTextColumnConfig(name="a", promt="x", model_alias="m"),
        {"prompt": "is missing", "promt": "there is no such field; did you mean 'prompt'?"},
    ),
    "a kind of sampler": (
        lambda: sampler(sampler_type="categry", params={"values": [1]}),
        {"sampler_type": "cannot be 'categry'; did you mean 'category'?"},
    ),
    "parameters of a sampler": (
        lambda: sampler(sampler_type="category", params={"vals": ["a"]}),
        {
            "params.category.values": "is missing",
            "params.category.vals": "there is no such field; did you mean 'values'?",
        },
    ),
    "parameters that are none": (
        lambda: sampler(sampler_type="category", params="a"),
        {"params": "must be a mapping of fields, not 'a'"},
    ),
    "what a validator of ours says": (
        lambda: sampler(sampler_type="category", params={"values": ["a"], "weights": [1, 2]}),
        {"params.category": "2 weights for 1 values; give one weight a value"},
    ),
    "inference parameters": (
        lambda: dd.ModelConfig(alias="a", model="m", inference_parameters={"temprature": 1}),
        {"inference_parameters.chat-completion.temprature": "there is no such field; did you mean 'temperature'?"},
    ),
    "a distribution that is none": (
        lambda: dd.ModelConfig(alias="a", model="m", inference_parameters={"temperature": "hot"}),
        {"inference_parameters.chat-completion.temperature.float": "must be a valid number, not 'hot'"},
    ),
    "a seed source": (
        lambda: dd.SeedConfig(source={"seed_type": "locl", "path": "x"}),
        {"source": "there is no seed_type 'locl'; did you mean 'local'?"},
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_each_fault_is_one_line(what: str) -> None:
    """All of them at once, and nothing of what was given but the value that is wrong."""
    make, expected = WRONG[what]
    with pytest.raises(ValidationError) as caught:
        make()
    assert {".".join(map(str, one["loc"])): one["msg"] for one in caught.value.errors()} == expected
    text = str(caught.value)
    assert not any(word in text for word in ("input_value", "https://", "Input", "_kind()", "tagged-union"))


def test_values_that_may_be_secret_are_not_shown() -> None:
    """Neither those of a provider, nor those of a field that is called a key."""
    with pytest.raises(ValidationError) as caught:
        dd.ModelProvider(name="p", endpoint="http://h", api_key=4711, extra_headers={"X": 4712})
    assert "4711" not in str(caught.value)
    assert "4712" not in str(caught.value)
    with pytest.raises(ValidationError) as caught:
        dd.SeedConfig(source={"seed_type": "hf", "path": "x", "token": 4711})
    assert "4711" not in str(caught.value)


def test_the_kind_of_a_fault_stays() -> None:
    """Whoever looks for pydantic's kinds finds them."""
    with pytest.raises(ValidationError) as caught:
        dd.RunConfig(bufer_size=5, seed="a")
    assert [one["type"] for one in caught.value.errors()] == ["int_parsing", "extra_forbidden"]


def test_a_field_that_is_not_there_cannot_be_set() -> None:
    """The one that was meant is said; those that are there can, and so can a property."""
    run: Any = dd.RunConfig()
    run.buffer_size = 7
    assert run.buffer_size == 7
    with pytest.raises(ValueError, match="RunConfig has no setting 'bufer_size'; did you mean 'buffer_size'"):
        run.bufer_size = 5
    column: Any = dd.ExpressionColumnConfig(name="a", expr="1")
    with pytest.raises(ValueError, match="ExpressionColumnConfig has no field 'exprs'; did you mean 'expr'"):
        column.exprs = "2"
