"""Samplers of numbers."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from data_designer.columns.random_streams import Floats, Indices, uniforms
from data_designer.columns.samplers.sampler import Draw, Drawn, Holds, Known, Others, P, Sampler, by_inverse
from data_designer.config.sampler_params import (
    BernoulliMixtureSamplerParams,
    BernoulliSamplerParams,
    BinomialSamplerParams,
    GaussianSamplerParams,
    PoissonSamplerParams,
    ScipySamplerParams,
    UniformSamplerParams,
)
from data_designer.errors import InvalidSamplerParamsError

_MOST = 2.0**62
"""Counts beyond it are held to be it, since no integer column is wider than 64 bits."""

_STEPWISE = frozenset({"binom", "poisson"})
"""Distributions whose quantiles scipy searches for at great length."""
_MOST_STEPS = 4096
"""Values of a distribution that are worth a table."""
_NEAR = 1e-6


def _rounded(draw: Draw, digits: int | None) -> Draw:
    return draw if digits is None else lambda stream, rows, others: _round(draw(stream, rows, others), digits)


def _round(drawn: Drawn, digits: int) -> Drawn:
    """Round numbers to some places; what has none so far behind the point stays."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded: Drawn = np.round(drawn, digits)
    return np.where(np.isfinite(rounded), rounded, drawn)


def _uniform(params: UniformSamplerParams) -> Draw:
    low, high = params.low, params.high
    return _rounded(by_inverse(lambda drawn: low + (high - low) * drawn), params.decimal_places)


def _check_uniform(params: UniformSamplerParams, _: Known) -> Iterator[str]:
    low, high = params.low, params.high
    if not math.isfinite(high - low):
        yield f"low ({low:g}) and high ({high:g}) must be finite, and so must the range between them"
    elif low > high:
        yield f"low ({low:g}) is greater than high ({high:g})"


def _gaussian(params: GaussianSamplerParams) -> Draw:
    from scipy.special import ndtri

    mean, stddev = params.mean, params.stddev
    return _rounded(by_inverse(lambda drawn: np.asarray(mean + stddev * ndtri(drawn))), params.decimal_places)


def _check_gaussian(params: GaussianSamplerParams, _: Known) -> Iterator[str]:
    mean, stddev = params.mean, params.stddev
    if not (math.isfinite(mean) and math.isfinite(stddev)):
        yield f"mean ({mean:g}) and stddev ({stddev:g}) must be finite"
    elif stddev < 0:
        yield f"stddev ({stddev:g}) is negative"


def _bernoulli(params: BernoulliSamplerParams) -> Draw:
    return by_inverse(lambda drawn: (drawn < params.p).astype(np.int64))


# --- distributions of scipy ------------------------------------------------------------------------------


class _Frozen(Protocol):
    """A distribution of scipy.stats with its parameters."""

    def ppf(self, drawn: Floats) -> npt.ArrayLike:
        """Quantiles."""

    def cdf(self, values: Floats) -> npt.ArrayLike:
        """Cumulative probabilities."""

    def rvs(self, *, random_state: np.random.Generator) -> float:
        """Draw one value."""


def _distribution(name: str, params: Mapping[str, object]) -> Draw:
    """The draw of a distribution of scipy.stats; integers where it is discrete.

    Raises:
        InvalidSamplerParamsError: there is none of that name with one number a draw, or it refuses the parameters.
    """
    from scipy import stats

    dist = getattr(stats, name, None)
    if not isinstance(dist, stats.rv_continuous | stats.rv_discrete):
        raise InvalidSamplerParamsError(f"scipy.stats has no distribution of single numbers named '{name}'")
    method = _direct if _counts_up(type(dist)) else _by_step if name in _STEPWISE else _by_quantile
    try:
        drawn = method(dist(**params))
        [probe] = drawn(0, np.zeros(1, dtype=np.int64), {}).tolist()
    except (TypeError, ValueError) as error:
        raise InvalidSamplerParamsError(f"scipy.stats.{name} refuses {dict(params)}: {error}") from error
    if not isinstance(probe, int | float) or np.isnan(probe):
        raise InvalidSamplerParamsError(f"scipy.stats.{name} is not defined for {dict(params)}")
    if isinstance(dist, stats.rv_discrete):
        return lambda stream, rows, others: np.clip(drawn(stream, rows, others), -_MOST, _MOST).astype(np.int64)
    return drawn


def _counts_up(own: type[Any]) -> bool:
    """Whether scipy finds a quantile only by adding up all probabilities below it, which may be billions."""
    from scipy import stats

    base = stats.rv_discrete
    return issubclass(own, base) and own._ppf is base._ppf and own._cdf is base._cdf  # noqa: SLF001 - nothing public tells


def _by_quantile(frozen: _Frozen) -> Draw:
    return by_inverse(lambda drawn: np.asarray(frozen.ppf(drawn)))


def _by_step(frozen: _Frozen) -> Draw:
    """The same quantiles of a discrete distribution, looked up among its cumulative probabilities.

    Numbers that are near to one of those are left to scipy, as are those that begin and end the range: what it makes
    of them depends on how exactly it inverts, and what was drawn once is always drawn so.
    """
    ends = np.asarray(frozen.ppf(np.array([_NEAR, 1 - _NEAR])), dtype=np.float64)
    if not 0 <= ends[1] - ends[0] < _MOST_STEPS:
        return _by_quantile(frozen)
    counts = np.arange(ends[0], ends[1] + 1)
    steps = np.asarray(frozen.cdf(counts), dtype=np.float64)

    def quantiles(drawn: Floats) -> Drawn:
        above = np.searchsorted(steps, drawn)
        found = np.take(counts, above, mode="clip")
        to_step = np.minimum(
            np.abs(np.take(steps, above, mode="clip") - drawn), np.abs(np.take(steps, above - 1, mode="clip") - drawn)
        )
        near = (to_step < _NEAR) | (drawn < _NEAR) | (drawn > 1 - _NEAR)
        if near.any():
            found[near] = frozen.ppf(drawn[near])
        return found

    return by_inverse(quantiles)


def _direct(frozen: _Frozen) -> Draw:
    """Draw with a generator a record, keyed by it (Philox: Salmon et al. 2011)."""

    def draw(stream: int, rows: Indices, _: Others) -> Drawn:
        generators = (np.random.Generator(np.random.Philox(key=[stream, row])) for row in rows.tolist())
        return np.array([frozen.rvs(random_state=generator) for generator in generators], dtype=np.float64)

    return draw


def _scipy(params: ScipySamplerParams) -> Draw:
    return _rounded(_distribution(params.dist_name, params.dist_params), params.decimal_places)


def _mixture(params: BernoulliMixtureSamplerParams) -> Draw:
    draw = _distribution(params.dist_name, params.dist_params)

    def mixed(stream: int, rows: Indices, others: Others) -> Drawn:
        # The second number of each record, since the distribution takes the first.
        return np.where(uniforms(stream, rows, 1) < params.p, draw(stream, rows, others), 0.0)

    return mixed


def _binomial(params: BinomialSamplerParams) -> Draw:
    return _distribution("binom", {"n": params.n, "p": params.p})


def _poisson(params: PoissonSamplerParams) -> Draw:
    return _distribution("poisson", {"mu": params.mean})


def _refused(draw: Callable[[P], Draw]) -> Callable[[P, Known], Iterator[str]]:
    """Only making the distribution tells what scipy refuses."""

    def check(params: P, _: Known) -> Iterator[str]:
        try:
            draw(params)
        except InvalidSamplerParamsError as error:
            yield str(error)

    return check


UNIFORM = Sampler(UniformSamplerParams, Holds.REALS, _uniform, _check_uniform)
GAUSSIAN = Sampler(GaussianSamplerParams, Holds.REALS, _gaussian, _check_gaussian)
BERNOULLI = Sampler(BernoulliSamplerParams, Holds.COUNTS, _bernoulli)
SCIPY = Sampler(ScipySamplerParams, Holds.REALS, _scipy, _refused(_scipy))
BERNOULLI_MIXTURE = Sampler(BernoulliMixtureSamplerParams, Holds.REALS, _mixture, _refused(_mixture))
BINOMIAL = Sampler(BinomialSamplerParams, Holds.COUNTS, _binomial, _refused(_binomial))
POISSON = Sampler(PoissonSamplerParams, Holds.COUNTS, _poisson, _refused(_poisson))
