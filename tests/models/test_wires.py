"""The list of wires: each type of provider has one, and nothing else in the room tells them apart."""

import ast
from pathlib import Path

import pytest
from tests.models.fakes import pool, request

import data_designer.models
from data_designer.config.models import PROVIDER_TYPES, ImageInferenceParams, ModelConfig, ModelProvider
from data_designer.models.model import GREETING
from data_designer.models.parameter_sampling import as_of_no_row, fixed_params
from data_designer.models.wires import WIRES, greeting, longest_reply, wire_to
from data_designer.plan.model import Pool

DISTRIBUTED = {"temperature": {"params": {"low": 0.2, "high": 0.9}}, "top_p": 0.5}


def test_every_type_of_provider_has_a_wire() -> None:
    """What a declaration may name can be asked."""
    assert WIRES.keys() == set(PROVIDER_TYPES)


def test_only_the_list_of_wires_names_types_of_providers() -> None:
    """Whatever differs between them stands in the wire."""
    for path in Path(data_designer.models.__file__).parent.rglob("*.py"):
        if path.name != "wires.py":
            texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            assert not texts.intersection(PROVIDER_TYPES), path


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_greeting_carries_what_requests_of_rows_carry(kind: str) -> None:
    """A parameter that the endpoint refuses shows before any row is asked, one that is drawn included."""
    alias = pool("http://h/v1", provider={"provider_type": kind}, max_tokens=7, **DISTRIBUTED)
    body = wire_to(alias).body(greeting(alias))
    assert 0.2 <= body["temperature"] <= 0.9
    assert (body["top_p"], body["max_tokens"]) == (0.5, 7)
    assert body["messages"] == [{"role": "user", "content": "Hello!"}]
    assert greeting(alias) == greeting(alias)
    assert greeting(pool("http://h/v1", temperature=0.3)) == GREETING


def test_what_is_drawn_is_no_fixed_parameter() -> None:
    """Each is in one of two places: the alias's own, or the request's."""
    alias = pool("http://h/v1", **DISTRIBUTED)
    assert fixed_params(alias) == {"top_p": 0.5}
    assert as_of_no_row(request(), alias).params.keys() == {"temperature"}
    assert as_of_no_row(request(temperature=0.1), alias).params == {"temperature": 0.1}


@pytest.mark.parametrize(
    ("kind", "params", "limit"),
    [
        ("openai", {}, None),
        ("anthropic", {}, 4096),
        ("anthropic", {"max_tokens": 9}, 9),
        ("openai", {"max_tokens": 9, "extra_body": {"max_tokens": 8}}, 8),
        ("openai", {"max_tokens": 9, "extra_body": {"max_completion_tokens": 7, "max_tokens": 8}}, 7),
    ],
)
def test_the_longest_reply_is_what_is_sent(kind: str, params: dict[str, object], limit: int | None) -> None:
    """A budget sets so much aside."""
    assert longest_reply(pool("http://h/v1", provider={"provider_type": kind}, **params)) == limit


@pytest.mark.parametrize(("name", "path"), [("sim-painter", "images/generations"), ("sim-image", "chat/completions")])
def test_simulated_models_make_images_on_either_route(name: str, path: str) -> None:
    """By their names, so that both can be tried without a model."""
    model = ModelConfig(alias="m", model=name, provider="simulated", inference_parameters=ImageInferenceParams())
    provider = ModelProvider(name="simulated", provider_type="simulated", endpoint="http://h/v1")
    assert wire_to(Pool("m", 4, model, provider)).url("http://h/v1").endswith(path)
