"""Limits hold over the whole cluster, by the count of the server that is asked."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import data_designer.config as dd
from data_designer.interface import DataDesigner, DatasetCreationResults
from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]

REPLICAS = pytest.mark.parametrize("replicas", [1, 4])
SLOTS = 8
WINDOW = 2.0
"""Seconds of the server's sliding windows."""
SLOW = f"latency=0.05&jitter=0.5&rate_window={WINDOW}"
FAST = f"rate_window={WINDOW}"
REPLY = 60
"""Tokens of a reply that the model is allowed; its replies are a little shorter."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A simulated model."""
    with SimulatedServerProcess(SimulatedModel()) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    """The simulated model, which has been asked for nothing yet."""
    with urllib.request.urlopen(server.replace("/v1", "/reset"), data=b"") as reply:  # noqa: S310 - a loopback address
        reply.read()
    return server


def stats(url: str) -> dict[str, Any]:
    """What the server counted."""
    with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:  # noqa: S310 - a loopback address
        counted: dict[str, Any] = json.loads(reply.read())
    return counted


def story(*models: str, **limits: int) -> dd.DataDesignerConfigBuilder:
    """A chain of text columns, each of an alias of its own, named as its model is before the question mark."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=SLOTS, max_tokens=REPLY, **limits)
    made = dd.DataDesignerConfigBuilder(
        model_configs=[
            dd.ModelConfig(
                alias=model.partition("?")[0], model=model, provider="p", skip_health_check=True,
                inference_parameters=params, price=dd.Price(input=1.0, output=1.0),
            )
            for model in models
        ]
    )  # fmt: skip
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    before = "id"
    for model in models:
        name = f"by_{model.partition('?')[0]}"
        made.add_column(name=name, column_type="llm-text", model_alias=name[3:], prompt=f"about {{{{ {before} }}}}")
        before = name
    return made


def make(
    builder: dd.DataDesignerConfigBuilder, where: dd.ModelProvider, path: Path, records: int, **run: Any
) -> DatasetCreationResults:
    """A dataset on Ray, in batches of twenty."""
    designer = DataDesigner(path, model_providers=[where], auto_configure_logging=False)
    designer.set_run_config(dd.RunConfig(executor="ray", seed=1, buffer_size=20, **run))
    return designer.create(builder, num_records=records, dataset_name="d", resume="if_possible")


@REPLICAS
def test_two_aliases_have_their_slots_each(url: str, tmp_path: Path, replicas: int) -> None:
    """Neither ever has more requests in flight than its own slots, whoever else asks the same server."""
    # Slow enough that there are cells left once the last replica has come up.
    models = ("one?latency=0.4&jitter=0.5", "two?latency=0.4&jitter=0.5")
    results = make(story(*models), dd.ModelProvider(name="p", endpoint=url), tmp_path, 80, replicas_per_model=replicas)
    counted = stats(url)
    assert results.outcomes.generated == 80
    for model in models:
        assert SLOTS / 2 < counted["models"][model]["peak_in_flight"] <= SLOTS
    assert counted["total"]["peak_in_flight"] > SLOTS


@REPLICAS
@pytest.mark.parametrize("cap", [1, 10])
def test_a_provider_s_cap_is_that_of_all_its_aliases(url: str, tmp_path: Path, replicas: int, cap: int) -> None:
    """Three aliases of eight slots share it: never more together, and each of them gets on."""
    models = tuple(f"{name}?latency=0.02" for name in ("one", "two", "three"))
    records = 60 if cap > 1 else 15
    where = dd.ModelProvider(name="p", endpoint=url, max_parallel_requests=cap)
    results = make(story(*models), where, tmp_path, records, replicas_per_model=replicas)
    counted = stats(url)
    assert results.outcomes.generated == records
    assert cap / 2 < counted["total"]["peak_in_flight"] <= cap
    for model in models:
        assert counted["models"][model]["ok"] == records
        assert counted["models"][model]["peak_in_flight"] <= min(SLOTS, cap)


def test_the_cap_of_one_provider_is_not_another_s(url: str, tmp_path: Path) -> None:
    """Two providers at one server: one is held to its cap, the other to its alias's slots."""
    builder = story(f"one?{SLOW}", f"two?{SLOW}")
    builder.model_configs[1].provider = "q"
    designer = DataDesigner(
        tmp_path,
        model_providers=[
            dd.ModelProvider(name="p", endpoint=url, max_parallel_requests=3),
            dd.ModelProvider(name="q", endpoint=url),
        ],
        auto_configure_logging=False,
    )
    designer.set_run_config(dd.RunConfig(executor="ray", seed=1, buffer_size=20))
    designer.create(builder, num_records=40)
    counted = stats(url)["models"]
    assert counted[f"one?{SLOW}"]["peak_in_flight"] == 3
    assert counted[f"two?{SLOW}"]["peak_in_flight"] <= SLOTS


@REPLICAS
def test_no_window_holds_more_requests_than_its_part_of_a_minute(url: str, tmp_path: Path, replicas: int) -> None:
    """Besides what flows, a second's worth may go at once; however many processes share the rate."""
    model, a_second = f"paced?{FAST}", 12
    builder = story(model, requests_per_minute=60 * a_second)
    where = dd.ModelProvider(name="p", endpoint=url)
    results = make(builder, where, tmp_path, 60, replicas_per_model=replicas)
    counted = stats(url)["models"][model]
    assert results.outcomes.generated == counted["ok"] == 60
    # What is sent evenly may arrive a little less so.
    assert 0 < counted["peak_requests_in_window"] <= a_second * (WINDOW + 1) * 1.1


@REPLICAS
def test_no_window_holds_more_tokens_than_its_part_of_a_minute(url: str, tmp_path: Path, replicas: int) -> None:
    """Tokens in and out; a request may be larger than what a process has saved up, and is then paid off."""
    model, a_second = f"frugal?{FAST}", 500
    builder = story(model, tokens_per_minute=60 * a_second)
    where = dd.ModelProvider(name="p", endpoint=url)
    results = make(builder, where, tmp_path, 50, replicas_per_model=replicas)
    counted = stats(url)["models"][model]
    used = results.outcomes.usage["frugal"]
    total = used.input_tokens + used.output_tokens
    assert counted["ok"] == 50
    most = a_second * (WINDOW + 1) * 1.1 + replicas * total / 50
    assert counted["peak_tokens_in_window"] <= most < total


def test_rates_of_two_aliases_are_two_rates(url: str, tmp_path: Path) -> None:
    """Each is held to its own, whatever the other sends to the same server."""
    slow, fast = f"slow?{FAST}", f"fast?{FAST}"
    builder = story(slow, fast)
    builder.model_configs[0].inference_parameters.requests_per_minute = 600
    make(builder, dd.ModelProvider(name="p", endpoint=url), tmp_path, 40)
    counted = stats(url)["models"]
    assert counted[slow]["peak_requests_in_window"] <= 10 * (WINDOW + 1) * 1.1
    assert counted[fast]["rate_limited"] == counted[slow]["rate_limited"] == 0
    assert counted[slow]["ok"] == counted[fast]["ok"] == 40


def test_a_limit_of_the_server_is_kept_without_its_refusals(url: str, tmp_path: Path) -> None:
    """Whoever tells the rate is refused nothing: a server that takes so much a minute, in its window's share."""
    # The server's window is shorter than a minute, so it allows the flow and what may go at once besides.
    model = f"strict?requests_per_minute=1080&{FAST}"
    builder = story(model, requests_per_minute=600)
    where = dd.ModelProvider(name="p", endpoint=url)
    results = make(builder, where, tmp_path, 40, replicas_per_model=4)
    counted = stats(url)["models"][model]
    assert results.outcomes.generated == counted["ok"] == counted["requests"] == 40


@REPLICAS
def test_a_budget_of_requests_is_never_exceeded(url: str, tmp_path: Path, replicas: int) -> None:
    """Over all replicas of two aliases; with a larger one the rest is made, and nothing is paid twice."""
    builder = story("one?latency=0.01", "two?latency=0.01")
    where = dd.ModelProvider(name="p", endpoint=url)
    stopped = make(builder, where, tmp_path, 40, replicas_per_model=replicas, budget=dd.Budget(requests=50))
    assert 25 < stats(url)["total"]["requests"] <= 50
    assert "of 50 requests" in (stopped.early_shutdown or "")
    resumed = make(builder, where, tmp_path, 40, replicas_per_model=replicas, budget=dd.Budget(requests=80))
    assert resumed.outcomes.generated == 40
    assert stats(url)["total"]["requests"] == 80


def test_a_budget_of_usd_is_never_exceeded(url: str, tmp_path: Path) -> None:
    """By the tokens of the server's replies, at a dollar a million of either."""
    budget = dd.Budget(usd=0.004)
    where = dd.ModelProvider(name="p", endpoint=url)
    builder = story("one?rate_window=1000", "two?rate_window=1000")
    stopped = make(builder, where, tmp_path, 60, replicas_per_model=4, budget=budget)
    assert stopped.early_shutdown is not None
    tokens = sum(one["peak_tokens_in_window"] for one in stats(url)["models"].values())
    assert 0.001 < tokens / 1e6 <= 0.004


def test_errors_count_against_a_budget_of_requests(url: str, tmp_path: Path) -> None:
    """A server that fails often is asked no more often than one may."""
    builder = story("shaky?error_rate=0.3")
    where = dd.ModelProvider(name="p", endpoint=url)
    run = {"replicas_per_model": 4, "disable_early_shutdown": True}
    make(builder, where, tmp_path, 60, budget=dd.Budget(requests=40), **run)
    assert 20 < stats(url)["total"]["requests"] <= 40
