"""Samplers of moments, as datetime64[s] without time zone."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from data_designer.columns.random_streams import Floats, Indices, uniforms
from data_designer.columns.samplers.sampler import Draw, Drawn, Holds, Known, Others, Sampler, by_inverse
from data_designer.config.near_names import suggestion
from data_designer.config.sampler_params import DatetimeSamplerParams, SamplerType, TimeDeltaSamplerParams, parse_moment

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - moments of samplers have no time zone


def _range(params: DatetimeSamplerParams) -> tuple[int, int]:
    """Start and end as seconds since 1970 of the clock that the start is written by; values have no UTC offset."""
    start, end = parse_moment(params.start), parse_moment(params.end)
    if start.tzinfo is not None and end.tzinfo is not None:
        end = end.astimezone(start.tzinfo)
    return _seconds(start), _seconds(end)


def _seconds(moment: datetime) -> int:
    return (moment.replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1)


def _datetime(params: DatetimeSamplerParams) -> Draw:
    start, end = _range(params)
    first = np.datetime64(start, "s")

    def moments(drawn: Floats) -> Drawn:
        chosen = (start + np.floor(drawn * (end - start)).astype(np.int64)).astype("datetime64[s]")
        truncated = chosen.astype(f"datetime64[{params.unit}]").astype("datetime64[s]")
        within: Drawn = np.maximum(truncated, first)  # The unit in which the start is may have begun before it.
        return within

    return by_inverse(moments)


def _check_datetime(params: DatetimeSamplerParams, _: Known) -> Iterator[str]:
    start, end = _range(params)
    if start >= end:
        yield f"start ({params.start}) is not before end ({params.end})"


def _timedelta(params: TimeDeltaSamplerParams) -> Draw:
    def draw(stream: int, rows: Indices, others: Others) -> Drawn:
        span = uniforms(stream, rows) * (params.dt_max - params.dt_min)
        steps = params.dt_min + np.floor(span).astype(np.int64)
        moved: Drawn = others[params.reference_column_name] + steps.astype(f"timedelta64[{params.unit}]")
        return moved

    return draw


def _check_timedelta(params: TimeDeltaSamplerParams, known: Known) -> Iterator[str]:
    name = params.reference_column_name
    kinds = (SamplerType.DATETIME, SamplerType.TIMEDELTA)
    if name not in known or known[name].sampler_type not in kinds:
        moments = [other for other, one in known.items() if one.sampler_type in kinds]
        yield f"its reference column '{name}' is no datetime sampler{suggestion(name, moments)}"


DATETIME = Sampler(DatetimeSamplerParams, Holds.MOMENTS, _datetime, _check_datetime)
TIMEDELTA = Sampler(
    TimeDeltaSamplerParams,
    Holds.MOMENTS,
    _timedelta,
    _check_timedelta,
    needs=lambda params: {params.reference_column_name},
)
