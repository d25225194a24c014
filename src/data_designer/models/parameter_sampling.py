"""Request parameters: those that an alias fixes, and those that are drawn, alike for the same request of a dataset.

For the simulated model each record has a seed of its own, so that records whose prompts are the same get other replies.
"""

import random
from zlib import crc32

from data_designer.config.models import ManualDistribution, UniformDistribution
from data_designer.plan.model import Pool
from data_designer.values import Request


class ParameterSampling:
    """Draws a pool's parameters for each request, keyed by the dataset's seed and by which request it is."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._seed = seed
        # A real model gives one prompt many replies; the simulated one gives one for each seed.
        makes_others = pool.provider.is_simulated and pool.generation_type != "embedding"
        self._is_seeded = makes_others and "seed" not in (pool.params.extra_body or {})
        self._distributions = {
            name: value for name, value in _declared(pool).items() if not isinstance(value, int | float)
        }

    def __bool__(self) -> bool:
        return self._is_seeded or bool(self._distributions)

    def params(self, column: str, record: int, ordinal: int) -> dict[str, float]:
        """Parameters of one request.

        Args:
            column: fingerprint of the column.
            record: record index.
            ordinal: place of the request in the cell's exchange.
        """
        params: dict[str, float] = {}
        if self._distributions:
            rng = random.Random(f"{self._seed} {column} {record} {ordinal}")
            params = {name: distribution.sample(rng) for name, distribution in self._distributions.items()}
        if self._is_seeded:
            params["seed"] = crc32(f"{column} {record}".encode())
        return params


def fixed_params(pool: Pool) -> dict[str, float]:
    """Parameters that are the same for every request of a pool."""
    return {name: value for name, value in _declared(pool).items() if isinstance(value, int | float)}


def as_of_no_row(request: Request, pool: Pool) -> Request:
    """A request that is asked for the pool's own sake, with all that those of rows have."""
    return request.with_params(ParameterSampling(pool, 0).params("", 0, 0))


def _declared(pool: Pool) -> dict[str, float | ManualDistribution | UniformDistribution]:
    chat = pool.chat
    named = {"temperature": chat.temperature, "top_p": chat.top_p, "max_tokens": chat.max_tokens}
    return {name: value for name, value in named.items() if value is not None}
