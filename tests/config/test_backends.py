"""Backends: addresses, recommended numbers, and what `validate` says of providers, prices and budgets."""

import logging
import re
from typing import Any

import pytest
from pydantic import ValidationError
from tests.fakes import model

import data_designer.config as dd
from data_designer.config.backends import BACKENDS, backend_of
from data_designer.config.run_config import RunConfig
from data_designer.errors import InvalidConfigError
from data_designer.interface import DataDesigner
from data_designer.interface.compile import CompileContext, check
from data_designer.plan.violation import Violation

MINE = "http://gpu.example:8000/v1"


@pytest.mark.parametrize(
    ("name", "endpoint", "low", "high"),
    [
        ("nvidia", "https://integrate.api.nvidia.com/v1", 4, 8),
        ("openai", "https://api.openai.com/v1", 4, 8),
        ("vllm", "http://localhost:8000/v1", 8, 64),
        ("nim", "http://localhost:8000/v1", 16, 32),
        ("openrouter", "https://openrouter.ai/api/v1", 4, 32),
        ("sglang", "http://localhost:30000/v1", 8, 64),
        ("llama.cpp", "http://localhost:8080/v1", 1, 16),
        ("ollama", "http://localhost:11434/v1", 1, 8),
        ("anthropic", "https://api.anthropic.com", 4, 16),
    ],
)
def test_a_backend_has_an_address_and_a_recommended_range(name: str, endpoint: str, low: int, high: int) -> None:
    """The table of the guide on real endpoints, as code."""
    backend = BACKENDS[name]
    assert (backend.endpoint, backend.parallel_requests[0], backend.parallel_requests[-1]) == (endpoint, low, high)
    assert dd.ModelProvider(name="mine", backend=name).addresses == [endpoint]


def test_an_address_that_is_given_counts() -> None:
    """The backend's own address stands in only where there is none."""
    assert dd.ModelProvider(name="mine", backend="vllm", endpoint=MINE).addresses == [MINE]
    several = dd.ModelProvider(name="mine", backend="vllm", endpoints=[MINE, "http://other.example/v1"])
    assert several.addresses == [MINE, "http://other.example/v1"]


def test_one_address_or_several_but_not_both() -> None:
    """Nobody could say which of them counts."""
    with pytest.raises(ValidationError, match="both endpoint and endpoints"):
        dd.ModelProvider(name="mine", endpoint=MINE, endpoints=[MINE])


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "needs an endpoint"), ({"backend": "vlm"}, "backend 'vlm', which is not known; did you mean 'vllm'")],
)
def test_a_provider_without_an_address_is_refused(given: dict[str, Any], said: str) -> None:
    """Neither a name nor an unknown backend says where it is."""
    with pytest.raises(ValidationError, match=f"provider 'mine' .*{re.escape(said)}"):
        dd.ModelProvider(name="mine", **given)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_says_which_api_it_speaks(name: str) -> None:
    """Unless the provider says another, as for Anthropic's route in the manner of OpenAI."""
    speaks = "anthropic" if name == "anthropic" else "openai"
    assert dd.ModelProvider(name="mine", backend=name).provider_type == speaks
    assert dd.ModelProvider(name="mine", backend=name, provider_type="openai").provider_type == "openai"


@pytest.mark.parametrize(
    ("given", "known_as"),
    [
        ({"name": "x", "endpoint": MINE, "backend": "sglang"}, "sglang"),
        ({"name": "x", "endpoint": "https://api.openai.com/v1/"}, "openai"),
        ({"name": "x", "endpoint": "https://integrate.api.nvidia.com/v1"}, "nvidia"),
        ({"name": "x", "endpoints": ["https://openrouter.ai/api/v1", MINE]}, "openrouter"),
        ({"name": "ollama", "endpoint": "http://localhost:11434/v1"}, "ollama"),
        ({"name": "ollama", "endpoint": MINE, "backend": "vllm"}, "vllm"),
        ({"name": "x", "endpoint": MINE}, None),
        ({"name": "x", "endpoint": "http://localhost:8000/v1"}, None),
        ({"name": "x", "endpoint": "https://api.openai.com.evil.example/v1"}, None),
    ],
)
def test_what_serves_is_told_by_its_word_its_host_or_its_name(given: dict[str, Any], known_as: str | None) -> None:
    """In that order; a port of this machine tells nothing, since anything may listen there."""
    found = backend_of(dd.ModelProvider(**given))
    assert found is (None if known_as is None else BACKENDS[known_as])


# --- through validate --------------------------------------------------------------------------------------------


def builder(slots: int = 8, price: dd.Price | None = None) -> dd.DataDesignerConfigBuilder:
    """A text column of one model; another model is declared and used by nobody."""
    used = model("used", price=price, max_parallel_requests=slots)
    made = dd.DataDesignerConfigBuilder(model_configs=[used, model("unused", max_parallel_requests=1000)])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="used", prompt="{{ id }}")
    return made


def found(
    made: dd.DataDesignerConfigBuilder, provider: dd.ModelProvider, run: RunConfig | None = None
) -> list[Violation]:
    """What is wrong with a declaration, given one provider."""
    return check(made, CompileContext({provider.name: provider}, run or RunConfig())).violations


def validate(provider: dd.ModelProvider, made: dd.DataDesignerConfigBuilder, **run: Any) -> None:
    """As users do, with one provider."""
    designer = DataDesigner(model_providers=[provider], auto_configure_logging=False)
    designer.set_run_config(RunConfig(**run))
    designer.validate(made)


def test_an_unknown_type_of_provider_is_an_error() -> None:
    """The message lists the types there are."""
    provider = dd.ModelProvider(name="p", endpoint=MINE, provider_type="Bedrock")
    with pytest.raises(InvalidConfigError, match="anthropic, openai, simulated.*unknown_provider_type"):
        validate(provider, builder())
    [violation] = found(builder(), provider)
    assert (violation.type, violation.level) == ("unknown_provider_type", "ERROR")
    assert "'bedrock'" in violation.message


@pytest.mark.parametrize("given", ["openai", "OpenAI", "anthropic", "simulated"])
def test_known_types_of_provider_are_fine(given: str) -> None:
    """However they are written."""
    assert found(builder(), dd.ModelProvider(name="p", endpoint=MINE, provider_type=given)) == []


def test_an_unknown_backend_is_an_error() -> None:
    """The message names the provider, what it said, and every backend that is known, or the one that was meant."""
    provider = dd.ModelProvider(name="p", endpoint=MINE, backend="mine")
    with pytest.raises(InvalidConfigError, match="unknown_backend"):
        validate(provider, builder())
    [violation] = found(builder(), provider)
    assert (violation.type, violation.level) == ("unknown_backend", "ERROR")
    for name in ("'p'", "'mine'", *BACKENDS):
        assert name in violation.message
    [violation] = found(builder(), dd.ModelProvider(name="p", endpoint=MINE, backend="vlm"))
    assert violation.message.endswith("; did you mean 'vllm'?")


@pytest.mark.parametrize("backend", BACKENDS)
def test_recommended_numbers_are_passed_in_silence(backend: str) -> None:
    """Both ends of the range are recommended."""
    provider = dd.ModelProvider(name="p", endpoint=MINE, backend=backend)
    for slots in (BACKENDS[backend].parallel_requests[0], BACKENDS[backend].parallel_requests[-1]):
        assert found(builder(slots), provider) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_unusual_numbers_are_warned_of_with_what_is_recommended(backend: str) -> None:
    """One below the range, where there is one, and one above it; a model that nobody uses is not spoken of."""
    provider = dd.ModelProvider(name="p", endpoint=MINE, backend=backend)
    low, high = BACKENDS[backend].parallel_requests[0], BACKENDS[backend].parallel_requests[-1]
    for slots in {max(1, low - 1), high + 1} - {low}:
        [violation] = found(builder(slots), provider)
        assert (violation.type, violation.level) == ("unusual_parallel_requests", "WARNING")
        assert f"'used' asks for max_parallel_requests={slots}" in violation.message
        assert f"{BACKENDS[backend].title} are {low} to {high}" in violation.message


def test_unusual_numbers_keep_nobody_from_running(caplog: pytest.LogCaptureFixture) -> None:
    """`validate` says it in the log, and passes."""
    provider = dd.ModelProvider(name="p", endpoint=MINE, backend="vllm")
    with caplog.at_level(logging.INFO, "data_designer"):
        validate(provider, builder(100))
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "unusual_parallel_requests" in warnings[0]
    assert "validation passed" in caplog.text


def test_an_endpoint_that_nobody_knows_has_no_unusual_numbers() -> None:
    """Nothing is recommended where nothing is known."""
    assert found(builder(10_000), dd.ModelProvider(name="p", endpoint=MINE)) == []


def test_a_budget_in_usd_needs_a_price_of_every_model_that_is_used() -> None:
    """Without one nobody could say when it is used up."""
    provider = dd.ModelProvider(name="p", endpoint=MINE)
    with pytest.raises(InvalidConfigError, match="'used' has no price.*budget_without_price"):
        validate(provider, builder(), budget=dd.Budget(usd=1.0))
    [violation] = found(builder(), provider, RunConfig(budget=dd.Budget(usd=1.0, requests=5)))
    assert (violation.type, violation.level) == ("budget_without_price", "ERROR")
    validate(provider, builder(price=dd.Price()), budget=dd.Budget(usd=1.0))


@pytest.mark.parametrize("budget", [{"tokens": 9}, {"requests": 9}, {"seconds": 9}])
def test_other_budgets_need_no_price(budget: dict[str, int]) -> None:
    """Tokens, requests and seconds are counted."""
    provider = dd.ModelProvider(name="p", endpoint=MINE)
    assert found(builder(), provider, RunConfig(budget=dd.Budget(**budget))) == []


@pytest.mark.parametrize("given", [{}, {"usd": None}, {"usd": 0}, {"tokens": 0}, {"requests": -1}, {"seconds": 0}])
def test_a_budget_limits_something_to_more_than_nothing(given: dict[str, Any]) -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(ValidationError):
        dd.Budget(**given)


@pytest.mark.parametrize("given", [{"input": -1}, {"output": -0.1}, {"cached_input": -1}, {"inputs": 1}])
def test_a_price_is_not_negative_and_has_no_other_parts(given: dict[str, float]) -> None:
    """A typing error must not make a model free."""
    with pytest.raises(ValidationError):
        dd.Price(**given)


def test_what_is_wrong_with_a_provider_is_said_without_its_secrets() -> None:
    """Pydantic would quote all of it."""
    with pytest.raises(ValueError, match="has both endpoint and endpoints") as caught:
        dd.ModelProvider(
            name="p", endpoint="http://h", endpoints=["http://h"], api_key="sk-secret", extra_headers={"X": "hidden"}
        )
    assert "sk-secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("where", [{"endpoint": "http://me:hunter22@h/v1"}, {"endpoints": ["http://me:hunter22@h/v1"]}])
def test_a_provider_is_shown_without_its_secrets(where: dict[str, Any]) -> None:
    """Neither the key, nor headers, nor the password of an address."""
    shown = repr(dd.ModelProvider(name="p", api_key="sk-secret", extra_headers={"X": "hidden"}, **where))
    assert "http://***@h/v1" in shown
    assert not any(secret in shown for secret in ("hunter22", "sk-secret", "hidden"))


def test_keys_in_the_query_of_an_address_are_not_shown() -> None:
    """What is no key is."""
    where = "https://h/v1?api-version=2024-10-21&subscription-key=k-secret&sig=hidden"
    provider = dd.ModelProvider(name="p", endpoint=where)
    assert "https://h/v1?api-version=2024-10-21&subscription-key=***&sig=***" in repr(provider)
    assert provider.endpoint == where


@pytest.mark.parametrize(
    "where", ["http://u:hunter22@[::1/v1", "http://u:hunter22@h:port/v1", "https://user:hunter22@host:99999/v1"]
)
def test_what_cannot_be_read_as_a_url_is_refused_at_once(where: str) -> None:
    """With the provider's name, and without its password."""
    with pytest.raises(ValidationError, match="of provider 'p' is no URL") as caught:
        dd.ModelProvider(name="p", endpoint=where)
    assert "hunter22" not in str(caught.value)
