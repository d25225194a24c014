"""Stops runs by their budget, and compares what was spent, by the endpoint's own count, with what was allowed.

    python tests/benchmarks/budgets.py                     20 runs, in this process and on Ray
    python tests/benchmarks/budgets.py --runs 4 --slots 64

The endpoint is the simulated model in a process of its own. Replies differ in length, 2 % of requests fail and 1 % of
connections break. What was in flight at the end is bounded by the slots times the dearest reply.
"""

import argparse
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import data_designer.config as dd
from data_designer.interface import DataDesigner
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess

_USD = 4e-6
"""A token's price, in or out, so that the endpoint's count of tokens says what was spent."""
_LONG = 86_400.0
"""Seconds of the window in which the endpoint adds up tokens: all of them."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that its budget stopped."""

    executor: str
    replicas: int
    budget: dd.Budget
    generated: int
    spent: float
    """In the budget's unit, as the engine says."""
    requests: int
    """By the endpoint's count, as the next."""
    tokens: int
    in_flight: float
    """The most that what was in flight can have come to, in the budget's unit."""

    @property
    def unit(self) -> str:
        """What is limited."""
        return next(iter(self.budget.model_dump(exclude_none=True)))

    @property
    def allowed(self) -> float:
        """How much."""
        return float(getattr(self.budget, self.unit))

    @property
    def counted(self) -> float:
        """What the endpoint counted, in the budget's unit."""
        return {"requests": float(self.requests), "tokens": float(self.tokens), "usd": self.tokens * _USD}[self.unit]


def _builder(url: str, slots: int) -> tuple[dd.DataDesignerConfigBuilder, list[dd.ModelProvider]]:
    model = dd.ModelConfig(
        alias="writer",
        model="simulated",
        provider="p",
        price=dd.Price(input=_USD * 1e6, output=_USD * 1e6),
        skip_health_check=True,
        inference_parameters=dd.ChatCompletionInferenceParams(max_parallel_requests=slots),
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.add_column(
        name="words", column_type="sampler", sampler_type="uniform", params={"low": 1, "high": 60}, convert_to="int"
    )
    builder.add_column(
        name="text", column_type="llm-text", model_alias="writer", prompt="{% for i in range(words) %}word {% endfor %}"
    )
    return builder, [dd.ModelProvider(name="p", endpoint=url)]


def measure(executor: str, replicas: int, budget: dd.Budget, slots: int, seed: int) -> Stopped:
    """Let a run go on until its budget stops it."""
    model = SimulatedModel(latency=0.05, jitter=0.5, error_rate=0.02, reset_rate=0.01, rate_window=_LONG, seed=seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, SimulatedServerProcess(model) as url:
        builder, providers = _builder(url, slots)
        designer = DataDesigner(Path(folder), model_providers=providers)
        options = {} if executor == "inline" else {"replicas_per_model": replicas}
        designer.set_run_config(
            dd.RunConfig(executor=executor, seed=seed, buffer_size=200, budget=budget, progress_interval=600, **options)
        )
        outcomes = designer.create(builder, num_records=5000, dataset_name="spent").outcomes
        with urllib.request.urlopen(f"{url.removesuffix('/v1')}/stats") as reply:  # noqa: S310 - our own server
            counted = json.load(reply)["total"]
    usage = outcomes.usage["writer"]
    tokens = usage.input_tokens + usage.output_tokens
    # The dearest request is not known; twice the mean is a modest guess of it.
    mean = {"usd": (outcomes.usd or 0.0) / usage.requests, "tokens": tokens / usage.requests, "requests": 1.0}
    unit = next(iter(budget.model_dump(exclude_none=True)))
    spent = {"usd": outcomes.usd or 0.0, "tokens": float(tokens), "requests": usage.requests + usage.failed_requests}
    return Stopped(
        executor,
        replicas,
        budget,
        outcomes.generated,
        spent[unit],
        counted["requests"],
        counted["peak_tokens_in_window"],
        slots * mean[unit] * (1 if unit == "requests" else 2),
    )


def _runs(number: int, slots: int) -> Iterator[Stopped]:
    budgets = [dd.Budget(usd=0.05), dd.Budget(tokens=25_000), dd.Budget(requests=500)]
    places = [("inline", 1), ("ray", 1), ("ray", 4)]
    cases = ((*place, budget) for budget, place in cycle((b, p) for b in budgets for p in places))
    for seed, (executor, replicas, budget) in enumerate(islice(cases, number), start=1):
        yield measure(executor, replicas, budget, slots, seed)


def main() -> None:
    """Measure as many runs as were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--slots", type=int, default=32)
    args = parser.parse_args()
    line = "{:>8} {:>8} {:>9} {:>10} {:>12} {:>12} {:>12} {:>9}"
    print(line.format("executor", "replicas", "unit", "allowed", "said", "counted", "in flight", "records"))
    over = 0
    for one in _runs(args.runs, args.slots):
        amounts = (f"{amount:.6g}" for amount in (one.allowed, one.spent, one.counted, one.in_flight))
        print(line.format(one.executor, one.replicas, one.unit, *amounts, one.generated), flush=True)
        over += one.counted > one.allowed
    print(f"{over} of {args.runs} runs spent more than they were allowed")


if __name__ == "__main__":
    main()
