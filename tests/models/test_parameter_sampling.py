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
