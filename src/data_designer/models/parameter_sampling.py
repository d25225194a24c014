"""Request parameters that are distributions: the same request of a dataset always draws the same."""

import random
from typing import Any

from data_designer.config.models import ManualDistribution, UniformDistribution
from data_designer.plan.model import Pool

DRAWN = ("temperature", "top_p")


class ParameterSampling:
    """Draws an alias's parameters for each request, keyed by the dataset's seed and by which request it is."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._seed = seed
        self._distributions = distributions(pool)

    def __bool__(self) -> bool:
        return bool(self._distributions)

    def params(self, column: str, record: int, ordinal: int) -> dict[str, Any]:
        """Parameters of one request.

        Args:
            column: fingerprint of the column.
            record: record index.
            ordinal: place of the request in the cell's exchange.
        """
        rng = random.Random(f"{self._seed} {column} {record} {ordinal}")
        return {name: distribution.sample(rng) for name, distribution in self._distributions.items()}


def distributions(pool: Pool) -> dict[str, ManualDistribution | UniformDistribution]:
    """Parameters of an alias that are drawn for each request."""
    params = pool.model.inference_parameters
    return {
        name: value
        for name in DRAWN
        if isinstance(value := getattr(params, name, None), ManualDistribution | UniformDistribution)
    }
