"""Request parameters that are drawn."""

import data_designer.config as dd
from data_designer.models.parameter_sampling import ParameterSampling
from data_designer.plan.model import Pool


def pool() -> Pool:
    """An alias whose temperature is drawn and whose top_p is fixed."""
    temperature = dd.UniformDistribution(params=dd.UniformDistributionParams(low=0.2, high=0.9))
    params = dd.ChatCompletionInferenceParams(temperature=temperature, top_p=0.5)
    model = dd.ModelConfig(alias="m", model="m", provider="p", inference_parameters=params)
    return Pool("m", 4, model, dd.ModelProvider(name="p", endpoint="http://localhost:1"))


def test_the_same_request_of_the_same_seed_draws_the_same() -> None:
    """A draw depends on seed, column, record and place in the exchange, and on nothing else."""
    draws = ParameterSampling(pool(), 1)
    drawn = draws.params("column", 3, 0)
    assert set(drawn) == {"temperature"}
    assert 0.2 <= drawn["temperature"] <= 0.9
    assert ParameterSampling(pool(), 1).params("column", 3, 0) == drawn
    others = [
        ParameterSampling(pool(), 2).params("column", 3, 0),
        draws.params("other", 3, 0),
        draws.params("column", 4, 0),
        draws.params("column", 3, 1),
    ]
    assert len({params["temperature"] for params in [drawn, *others]}) == 5


def simulated(**more: object) -> Pool:
    """An alias of the simulated model."""
    params = dd.ChatCompletionInferenceParams.model_validate(more)
    model = dd.ModelConfig(alias="m", model="m", provider="p", inference_parameters=params)
    return Pool("m", 4, model, dd.ModelProvider(name="p", provider_type="simulated"))


def test_records_of_a_simulated_model_have_seeds_of_their_own() -> None:
    """By which one prompt gets other replies; all requests of a cell have the same, for the sake of restarts."""
    draws = ParameterSampling(simulated(), 1)
    assert draws
    seeds = [draws.params("column", record, 0)["seed"] for record in range(1000)]
    assert len(set(seeds)) == 1000
    assert draws.params("column", 3, 5)["seed"] == seeds[3]
    assert draws.params("other", 3, 0)["seed"] != seeds[3]


def test_no_other_model_is_sent_a_seed() -> None:
    """Nor is one replaced that a user has set."""
    assert set(ParameterSampling(pool(), 1).params("column", 3, 0)) == {"temperature"}
    assert not ParameterSampling(simulated(extra_body={"seed": 7}), 1)
