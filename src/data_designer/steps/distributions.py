"""What each kind of sampler draws: uniform numbers in, values out, by inverse transform."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from data_designer.config.sampler_params import (
    BernoulliMixtureSamplerParams,
    BernoulliSamplerParams,
    BinomialSamplerParams,
    CategorySamplerParams,
    DatetimeSamplerParams,
    GaussianSamplerParams,
    PoissonSamplerParams,
    ScipySamplerParams,
    UniformSamplerParams,
    UUIDSamplerParams,
    parse_moment,
)
from data_designer.errors import InvalidSamplerParamsError
from data_designer.steps.streams import Indices, permuted, uniforms, words

Drawn = npt.NDArray[Any]
"""One value a row: numbers, datetime64[s], or objects."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - moments of samplers have no time zone


def frozen(dist_name: str, dist_params: dict[str, Any]) -> Any:
    """A distribution of scipy.stats with its parameters.

    Raises:
        InvalidSamplerParamsError: there is none of that name, or it refuses the parameters.
    """
    from scipy import stats

    dist = getattr(stats, dist_name, None)
    if dist is None or not hasattr(dist, "rvs"):
        raise InvalidSamplerParamsError(f"scipy.stats has no distribution '{dist_name}'")
    try:
        made = dist(**dist_params)
        probe = made.ppf(0.5)
    except (TypeError, ValueError) as error:
        raise InvalidSamplerParamsError(f"scipy.stats.{dist_name} refuses {dist_params}: {error}") from error
    if np.isnan(probe):
        raise InvalidSamplerParamsError(f"scipy.stats.{dist_name} is not defined for {dist_params}")
    return made


def choose(values: Sequence[Any], weights: Sequence[float] | None, drawn: npt.NDArray[np.float64]) -> Drawn:
    """One of some values a row, each keeping its own type."""
    if weights is None:
        index = np.minimum((drawn * len(values)).astype(np.int64), len(values) - 1)
    else:
        index = np.searchsorted(np.cumsum(np.asarray(weights) / np.sum(weights)), drawn, side="right")
        index = np.minimum(index, np.flatnonzero(weights)[-1])
    options = np.empty(len(values), dtype=object)
    options[:] = values
    return options[index]


def draw(params: Any, stream: int, rows: Indices) -> Drawn:
    """Values of every kind that needs no other column and is no person."""
    match params:
        case UUIDSamplerParams():
            return _uuids(params, stream, rows)
        case CategorySamplerParams():
            return choose(params.values, params.weights, uniforms(stream, rows))
        case DatetimeSamplerParams():
            return _moments(params, uniforms(stream, rows))
        case BernoulliMixtureSamplerParams():
            chosen = uniforms(stream, rows) < params.p
            return np.where(chosen, frozen(params.dist_name, params.dist_params).ppf(uniforms(stream, rows, 1)), 0.0)
        case _:
            drawn: Drawn = _NUMERIC[type(params)](params, uniforms(stream, rows))
            return drawn


def _scipy(params: ScipySamplerParams, drawn: Drawn) -> Drawn:
    values: Drawn = np.asarray(frozen(params.dist_name, params.dist_params).ppf(drawn))
    return values


def _normal(params: GaussianSamplerParams, drawn: Drawn) -> Drawn:
    from scipy.special import ndtri

    values: Drawn = params.mean + params.stddev * ndtri(drawn)
    return values


def _counts(name: str, drawn: Drawn, **params: float) -> Drawn:
    values: Drawn = frozen(name, params).ppf(drawn).astype(np.int64)
    return values


_NUMERIC: dict[type, Callable[[Any, Drawn], Drawn]] = {
    UniformSamplerParams: lambda p, u: p.low + (p.high - p.low) * u,
    GaussianSamplerParams: _normal,
    BernoulliSamplerParams: lambda p, u: (u < p.p).astype(np.int64),
    BinomialSamplerParams: lambda p, u: _counts("binom", u, n=p.n, p=p.p),
    PoissonSamplerParams: lambda p, u: _counts("poisson", u, mu=p.mean),
    ScipySamplerParams: _scipy,
}


def _uuids(params: UUIDSamplerParams, stream: int, rows: Indices) -> Drawn:
    """Unique because they are a permutation of the record index, or hold one."""
    short = permuted(stream, rows, 1 << 32)
    if params.short_form:
        texts = [f"{number:08x}" for number in short.tolist()]
    else:
        first, second = words(stream, rows, 1), words(stream, rows, 2)
        parts = zip(short.tolist(), first.tolist(), second.tolist(), strict=True)
        texts = [f"{one:08x}{two:016x}{three & 0xFFFFFFFF:08x}" for one, two, three in parts]
    prefix = params.prefix or ""
    return np.array([prefix + (text.upper() if params.uppercase else text) for text in texts], dtype=object)


def seconds(text: str) -> int:
    """Seconds since 1970 of a moment without time zone."""
    return int((parse_moment(text).replace(tzinfo=None) - _EPOCH) / timedelta(seconds=1))


def _moments(params: DatetimeSamplerParams, drawn: Drawn) -> Drawn:
    start, end = seconds(params.start), seconds(params.end)
    moments = (start + np.floor(drawn * (end - start)).astype(np.int64)).astype("datetime64[s]")
    truncated: Drawn = moments.astype(f"datetime64[{params.unit}]").astype("datetime64[s]")
    return truncated
