"""What each kind of sampler draws."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, PrivateAttr, field_validator, model_validator

from data_designer.config.base import ConfigBase
from data_designer.config.locales import FAKER_LOCALES, MANAGED_LOCALES
from data_designer.config.models import normalised
from data_designer.config.near_names import suggestion

__all__ = [
    "BernoulliMixtureSamplerParams",
    "BernoulliSamplerParams",
    "BinomialSamplerParams",
    "CategorySamplerParams",
    "DatetimeSamplerParams",
    "GaussianSamplerParams",
    "PersonFromFakerSamplerParams",
    "PersonSamplerParams",
    "PoissonSamplerParams",
    "SamplerType",
    "ScipySamplerParams",
    "SubcategorySamplerParams",
    "TimeDeltaSamplerParams",
    "UUIDSamplerParams",
    "UniformSamplerParams",
]
"""What users find in `data_designer.config`."""

MIN_AGE, MAX_AGE = 0, 114

Scalar = bool | int | float | str
"""A value that is kept as the kind it is written as."""


class SamplerType(StrEnum):
    """Kinds of samplers."""

    BERNOULLI = "bernoulli"
    BERNOULLI_MIXTURE = "bernoulli_mixture"
    BINOMIAL = "binomial"
    CATEGORY = "category"
    DATETIME = "datetime"
    GAUSSIAN = "gaussian"
    PERSON = "person"
    PERSON_FROM_FAKER = "person_from_faker"
    POISSON = "poisson"
    SCIPY = "scipy"
    SUBCATEGORY = "subcategory"
    TIMEDELTA = "timedelta"
    UNIFORM = "uniform"
    UUID = "uuid"


class CategorySamplerParams(ConfigBase):
    """One of some values."""

    sampler_type: Literal["category"] = "category"
    values: list[Scalar] = Field(min_length=1)
    weights: list[float] | None = None
    """One a value; they need not sum to one."""

    @model_validator(mode="after")
    def _normalise(self) -> "CategorySamplerParams":
        self.weights = normalised(self.weights, self.values)
        return self


class SubcategorySamplerParams(ConfigBase):
    """One of some values that depend on another category."""

    sampler_type: Literal["subcategory"] = "subcategory"
    category: str
    """The category column."""
    values: dict[str, list[Scalar]]
    """Value of the category to its subcategories."""


class UniformSamplerParams(ConfigBase):
    """A number of a range."""

    sampler_type: Literal["uniform"] = "uniform"
    low: float
    high: float
    decimal_places: int | None = None


class GaussianSamplerParams(ConfigBase):
    """A number of a normal distribution."""

    sampler_type: Literal["gaussian"] = "gaussian"
    mean: float
    stddev: float
    decimal_places: int | None = None


class BernoulliSamplerParams(ConfigBase):
    """1 with probability p, else 0."""

    sampler_type: Literal["bernoulli"] = "bernoulli"
    p: float = Field(ge=0, le=1)


class BernoulliMixtureSamplerParams(ConfigBase):
    """A draw of a distribution with probability p, else 0."""

    sampler_type: Literal["bernoulli_mixture"] = "bernoulli_mixture"
    p: float = Field(ge=0, le=1)
    dist_name: str
    """Name in `scipy.stats`."""
    dist_params: dict[str, Any]


class BinomialSamplerParams(ConfigBase):
    """Successes in n tries."""

    sampler_type: Literal["binomial"] = "binomial"
    n: int
    p: float = Field(ge=0, le=1)


class PoissonSamplerParams(ConfigBase):
    """A count with a given mean."""

    sampler_type: Literal["poisson"] = "poisson"
    mean: float


class ScipySamplerParams(ConfigBase):
    """A draw of any distribution of `scipy.stats`."""

    sampler_type: Literal["scipy"] = "scipy"
    dist_name: str
    """Name in `scipy.stats`."""
    dist_params: dict[str, Any]
    decimal_places: int | None = None


class DatetimeSamplerParams(ConfigBase):
    """A moment between two others."""

    sampler_type: Literal["datetime"] = "datetime"
    start: str
    end: str
    """Exclusive. Where start and end have UTC offsets, values are by that of the start."""
    unit: Literal["Y", "M", "D", "h", "m", "s"] = "D"
    """Moments are truncated to it, but not to before the start."""

    @field_validator("start", "end")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        parse_moment(text)
        return text


def parse_moment(text: str) -> datetime:
    """A date or time as ISO text, or in any other form pandas reads.

    Raises:
        ValueError: it is neither.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        import pandas as pd

        try:
            moment: datetime = pd.to_datetime(text).to_pydatetime()
        except Exception as error:
            raise ValueError(f"{text!r} is no date or time; write it as 2024-01-31 or 2024-01-31T12:00:00") from error
        return moment


class TimeDeltaSamplerParams(ConfigBase):
    """A moment some time after another column's."""

    sampler_type: Literal["timedelta"] = "timedelta"
    dt_min: int = Field(ge=0)
    dt_max: int = Field(gt=0)
    """Exclusive."""
    reference_column_name: str
    unit: Literal["D", "h", "m", "s"] = "D"

    @model_validator(mode="after")
    def _in_order(self) -> "TimeDeltaSamplerParams":
        if self.dt_min >= self.dt_max:
            raise ValueError(f"dt_min ({self.dt_min}) must be less than dt_max ({self.dt_max})")
        return self


class UUIDSamplerParams(ConfigBase):
    """A unique identifier."""

    sampler_type: Literal["uuid"] = "uuid"
    prefix: str | None = None
    short_form: bool = False
    """8 hexadecimal digits instead of 32."""
    uppercase: bool = False

    @property
    def last_index(self) -> int:
        """How many hexadecimal digits it has."""
        return 8 if self.short_form else 32


class _PersonParams(ConfigBase):
    """What both kinds of people share."""

    sex: Literal["Male", "Female"] | None = None
    city: str | list[str] | None = None
    age_range: list[int] = Field(default=[18, MAX_AGE], min_length=2, max_length=2)

    @field_validator("age_range")
    @classmethod
    def _ages_in_order(cls, ages: list[int]) -> list[int]:
        if ages[0] < MIN_AGE or ages[1] > MAX_AGE or ages[0] >= ages[1]:
            raise ValueError(f"age_range must be two ages in order, between {MIN_AGE} and {MAX_AGE}; got {ages}")
        return ages

    @property
    def generator_kwargs(self) -> list[str]:
        """Names of the options that choose people."""
        return [name for name in type(self).model_fields if name not in ("locale", "sampler_type")]


class PersonSamplerParams(_PersonParams):
    """A person of the managed person data."""

    sampler_type: Literal["person"] = "person"
    locale: str = "en_US"
    select_field_values: dict[str, list[str]] | None = None
    """Field to the values that are chosen from."""
    with_synthetic_personas: bool = False
    """Whether it is said how somebody is, too."""
    _source: str = PrivateAttr(default="")

    @field_validator("locale")
    @classmethod
    def _known_locale(cls, locale: str) -> str:
        return _known(locale, MANAGED_LOCALES)

    @property
    def source(self) -> str:
        """Path or URL of the Parquet file of its people; empty until a configuration is compiled."""
        return self._source

    def at(self, source: str) -> "PersonSamplerParams":
        """The same, whose people are in a file."""
        found = self.model_copy()
        found._source = source  # noqa: SLF001 - its own
        return found

    @property
    def people_gen_key(self) -> str:
        """Which person data it draws from."""
        return f"{self.locale}_with_personas" if self.with_synthetic_personas else self.locale


class PersonFromFakerSamplerParams(_PersonParams):
    """A person made up by Faker."""

    sampler_type: Literal["person_from_faker"] = "person_from_faker"
    locale: str = "en_US"

    @field_validator("locale")
    @classmethod
    def _known_locale(cls, locale: str) -> str:
        return _known(locale, FAKER_LOCALES)

    @property
    def people_gen_key(self) -> str:
        """Which person data it draws from."""
        return f"{self.locale}_faker"


def _known(locale: str, locales: frozenset[str]) -> str:
    if locale not in locales:
        raise ValueError(f"there are no people for locale {locale!r}{suggestion(locale, locales)}")
    return locale


SamplerParams = Annotated[
    BernoulliSamplerParams
    | BernoulliMixtureSamplerParams
    | BinomialSamplerParams
    | CategorySamplerParams
    | DatetimeSamplerParams
    | GaussianSamplerParams
    | PersonSamplerParams
    | PersonFromFakerSamplerParams
    | PoissonSamplerParams
    | ScipySamplerParams
    | SubcategorySamplerParams
    | TimeDeltaSamplerParams
    | UniformSamplerParams
    | UUIDSamplerParams,
    Discriminator("sampler_type"),
]

SAMPLER_PARAMS: dict[str, type[ConfigBase]] = {
    cls.model_fields["sampler_type"].default: cls for cls in get_args(get_args(SamplerParams)[0])
}
"""Sampler type to the class of its parameters."""
