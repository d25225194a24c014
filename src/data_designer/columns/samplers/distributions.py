"""What each kind of sampler draws: uniform numbers in, values out, by inverse transform."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from data_designer.columns.random_streams import Floats, Indices, permuted, uniforms, words
from data_designer.columns.samplers.people import person
from data_designer.config.sampler_params import (
    BernoulliMixtureSamplerParams,
    BernoulliSamplerParams,
    BinomialSamplerParams,
    CategorySamplerParams,
    DatetimeSamplerParams,
    GaussianSamplerParams,
    PersonFromFakerSamplerParams,
    PoissonSamplerParams,
    ScipySamplerParams,
    UniformSamplerParams,
    UUIDSamplerParams,
    parse_moment,
)
from data_designer.errors import InvalidSamplerParamsError

Drawn = npt.NDArray[Any]
"""One value a row: numbers, datetime64[s], or objects."""

Draw = Callable[[int, Indices], Drawn]
"""Stream and record indices in, one value a row out."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - moments of samplers have no time zone
_MOST = 2.0**62
"""Counts beyond it are held to be it, since no integer column is wider than 64 bits."""


def objects(values: Sequence[Any]) -> Drawn:
    """Values as an array that leaves each its own type."""
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def compiled(params: Any) -> Draw:
    """The draw of every kind of sampler that needs no other column.

    Raises:
        InvalidSamplerParamsError: the distribution does not exist, or refuses its parameters.
    """
    match params:
        case UUIDSamplerParams():
            return lambda stream, rows: _uuids(params, stream, rows)
        case PersonFromFakerSamplerParams():
            return lambda stream, rows: objects([person(params, word) for word in words(stream, rows).tolist()])
        case BernoulliMixtureSamplerParams():
            return _mixture(params)
        case CategorySamplerParams():
            return _of_one(choice(params.values, params.weights))
        case DatetimeSamplerParams():
            return _of_one(_moments(params))
        case _:
            return _rounded(_numbers(params), getattr(params, "decimal_places", None))


def choice(values: Sequence[Any], weights: Sequence[float] | None = None) -> Callable[[Floats], Drawn]:
    """Choose one of some values a row, each keeping its own type."""
    options = objects(values)
    if weights is None:
        return lambda drawn: options[(drawn * len(options)).astype(np.int64)]
    edges = np.cumsum(np.asarray(weights) / np.sum(weights))
    # Rounding may leave the last edge just below 1, and a weight of zero must stay impossible all the same.
    last = np.flatnonzero(weights)[-1]
    return lambda drawn: options[np.minimum(np.searchsorted(edges, drawn, side="right"), last)]


def distribution(dist_name: str, dist_params: Mapping[str, Any]) -> Draw:
    """The draw of a distribution of scipy.stats; integers where it is discrete.

    Raises:
        InvalidSamplerParamsError: there is none of that name with one number a draw, or it refuses the parameters.
    """
    from scipy import stats

    dist = getattr(stats, dist_name, None)
    if not isinstance(dist, stats.rv_continuous | stats.rv_discrete):
        raise InvalidSamplerParamsError(f"scipy.stats has no distribution of single numbers named '{dist_name}'")
    draw = _direct if _counts_up(dist) else _by_quantile
    try:
        drawn = draw(dist(**dist_params))
        [probe] = drawn(0, np.zeros(1, dtype=np.int64)).tolist()
    except (TypeError, ValueError) as error:
        raise InvalidSamplerParamsError(f"scipy.stats.{dist_name} refuses {dict(dist_params)}: {error}") from error
    if not isinstance(probe, int | float) or np.isnan(probe):
        raise InvalidSamplerParamsError(f"scipy.stats.{dist_name} is not defined for {dict(dist_params)}")
    if isinstance(dist, stats.rv_discrete):
        return lambda stream, rows: np.clip(drawn(stream, rows), -_MOST, _MOST).astype(np.int64)
    return drawn


def _counts_up(dist: Any) -> bool:
    """Whether scipy finds a quantile only by adding up all probabilities below it, which may be billions."""
    from scipy import stats

    own, base = type(dist), stats.rv_discrete
    return issubclass(own, base) and own._ppf is base._ppf and own._cdf is base._cdf  # noqa: SLF001 - nothing public tells


def _by_quantile(frozen: Any) -> Draw:
    return lambda stream, rows: np.asarray(frozen.ppf(uniforms(stream, rows)))


def _direct(frozen: Any) -> Draw:
    """Draw with a generator a record, keyed by it (Philox: Salmon et al. 2011)."""

    def draw(stream: int, rows: Indices) -> Drawn:
        generators = (np.random.Generator(np.random.Philox(key=[stream, row])) for row in rows.tolist())
        return np.array([frozen.rvs(random_state=generator) for generator in generators], dtype=np.float64)

    return draw


def seconds(text: str) -> int:
    """Seconds since 1970 of a moment without time zone."""
    return (parse_moment(text).replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1)


def _of_one(transform: Callable[[Floats], Drawn]) -> Draw:
    return lambda stream, rows: transform(uniforms(stream, rows))


def _numbers(params: Any) -> Draw:
    match params:
        case UniformSamplerParams(low=low, high=high):
            return _of_one(lambda drawn: low + (high - low) * drawn)
        case GaussianSamplerParams(mean=mean, stddev=stddev):
            from scipy.special import ndtri

            return _of_one(lambda drawn: np.asarray(mean + stddev * ndtri(drawn)))
        case BernoulliSamplerParams(p=p):
            return _of_one(lambda drawn: (drawn < p).astype(np.int64))
        case BinomialSamplerParams(n=n, p=p):
            return distribution("binom", {"n": n, "p": p})
        case PoissonSamplerParams(mean=mean):
            return distribution("poisson", {"mu": mean})
        case ScipySamplerParams(dist_name=name, dist_params=of):
            return distribution(name, of)
        case _:
            raise InvalidSamplerParamsError(f"nothing draws samplers of type '{params.sampler_type}'")


def _rounded(draw: Draw, digits: int | None) -> Draw:
    return draw if digits is None else lambda stream, rows: np.round(draw(stream, rows), digits)


def _mixture(params: BernoulliMixtureSamplerParams) -> Draw:
    draw = distribution(params.dist_name, params.dist_params)
    # The second number of each record, since the distribution takes the first.
    return lambda stream, rows: np.where(uniforms(stream, rows, 1) < params.p, draw(stream, rows), 0.0)


def _uuids(params: UUIDSamplerParams, stream: int, rows: Indices) -> Drawn:
    """Unique because they are a permutation of the record index, or hold one."""
    short = permuted(stream, rows % (1 << 32), 1 << 32)
    if params.short_form:
        texts = [f"{number:08x}" for number in short.tolist()]
    else:
        first, second = words(stream, rows, 1), words(stream, rows, 2)
        parts = zip(short.tolist(), first.tolist(), second.tolist(), strict=True)
        texts = [f"{one:08x}{two:016x}{three & 0xFFFFFFFF:08x}" for one, two, three in parts]
    prefix = params.prefix or ""
    return objects([prefix + (text.upper() if params.uppercase else text) for text in texts])


def _moments(params: DatetimeSamplerParams) -> Callable[[Floats], Drawn]:
    start, end = seconds(params.start), seconds(params.end)

    def moments(drawn: Floats) -> Drawn:
        chosen = (start + np.floor(drawn * (end - start)).astype(np.int64)).astype("datetime64[s]")
        truncated: Drawn = chosen.astype(f"datetime64[{params.unit}]").astype("datetime64[s]")
        return truncated

    return moments
