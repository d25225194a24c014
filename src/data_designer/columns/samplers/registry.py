"""The kinds of samplers that there are."""

from typing import Any

from data_designer.columns.samplers.categories import CATEGORY, SUBCATEGORY
from data_designer.columns.samplers.conditions import condition_names
from data_designer.columns.samplers.identifiers import UUID
from data_designer.columns.samplers.managed_people import PERSON
from data_designer.columns.samplers.moments import DATETIME, TIMEDELTA
from data_designer.columns.samplers.numeric import (
    BERNOULLI,
    BERNOULLI_MIXTURE,
    BINOMIAL,
    GAUSSIAN,
    POISSON,
    SCIPY,
    UNIFORM,
)
from data_designer.columns.samplers.people import PERSON_FROM_FAKER
from data_designer.columns.samplers.sampler import Sampler
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_params import SamplerParams, Scalar

SAMPLERS: tuple[Sampler[Any], ...] = (
    BERNOULLI, BERNOULLI_MIXTURE, BINOMIAL, CATEGORY, DATETIME, GAUSSIAN, PERSON, PERSON_FROM_FAKER, POISSON,
    SCIPY, SUBCATEGORY, TIMEDELTA, UNIFORM, UUID,
)  # fmt: skip

_BY_TYPE = {sampler.params.model_fields["sampler_type"].default: sampler for sampler in SAMPLERS}


def sampler_of(declared: SamplerColumnConfig | SamplerParams) -> Sampler[Any]:
    """The sampler of a column, or of parameters."""
    return _BY_TYPE[declared.sampler_type]


def all_params(column: SamplerColumnConfig) -> list[SamplerParams]:
    """The parameters of a column: the plain ones, then those that conditions bring into force."""
    return [column.params, *column.conditional_params.values()]


def needs(column: SamplerColumnConfig) -> set[str]:
    """Other columns that its values are drawn from, constraints aside; itself where it refers to itself."""
    names = {name for condition in column.conditional_params for name in condition_names(condition)}
    return names.union(*(sampler_of(params).needs(params) for params in all_params(column)))


def listed(column: SamplerColumnConfig) -> list[Scalar]:
    """Values that its parameters list, before conversion."""
    return [value for params in all_params(column) for value in sampler_of(params).listed(params)]
