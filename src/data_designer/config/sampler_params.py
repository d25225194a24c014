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
    """0 or 1."""
    BERNOULLI_MIXTURE = "bernoulli_mixture"
    """0, or a draw of a distribution of `scipy.stats`."""
    BINOMIAL = "binomial"
    """Successes in some tries."""
    CATEGORY = "category"
    """One of some values."""
    DATETIME = "datetime"
    """A moment between two others."""
    GAUSSIAN = "gaussian"
    """A number of a normal distribution."""
    PERSON = "person"
    """A person of managed person data."""
    PERSON_FROM_FAKER = "person_from_faker"
    """A person made up by Faker."""
    POISSON = "poisson"
    """A count with a given mean."""
    SCIPY = "scipy"
    """A draw of any distribution of `scipy.stats`."""
    SUBCATEGORY = "subcategory"
    """One of some values that depend on a category."""
    TIMEDELTA = "timedelta"
    """A moment some time after another column's."""
    UNIFORM = "uniform"
    """A number of a range."""
    UUID = "uuid"
    """A unique identifier."""


class CategorySamplerParams(ConfigBase):
    """Parameters of `category`: one of some values.

    A cell is the value, in the type in which it is listed: values of different types may stand beside each other.
    """

    sampler_type: Literal["category"] = "category"
    values: list[Scalar] = Field(min_length=1)
    """Texts, numbers and truth values to choose from."""
    weights: list[float] | None = None
    """How likely each value is, one weight a value; they need not sum to one, and become shares that do. Negative
    ones, and a sum of zero, are refused. Unset, all values are equally likely."""

    @model_validator(mode="after")
    def _normalise(self) -> "CategorySamplerParams":
        self.weights = normalised(self.weights, self.values)
        return self


class SubcategorySamplerParams(ConfigBase):
    """Parameters of `subcategory`: one of some values that depend on a category.

    A cell is one of the values listed for what the category column holds in the same record, all equally likely.
    """

    sampler_type: Literal["subcategory"] = "subcategory"
    category: str
    """Name of the column that chooses; a sampler of type `category`."""
    values: dict[str, list[Scalar]]
    """Each value of that column, as text, to its subcategories. Every value has to be there, those of its
    `conditional_params` too, and none that it cannot have."""


class UniformSamplerParams(ConfigBase):
    """Parameters of `uniform`: a number of a range, all equally likely.

    A cell is a number (64-bit float).
    """

    sampler_type: Literal["uniform"] = "uniform"
    low: float
    """The least number."""
    high: float
    """The greatest; finite, and not below `low`."""
    decimal_places: int | None = None
    """Places after the point to which numbers are rounded; unset, they are not."""


class GaussianSamplerParams(ConfigBase):
    """Parameters of `gaussian`: a number of a normal distribution.

    A cell is a number (64-bit float); it has no bounds, for which a constraint is.
    """

    sampler_type: Literal["gaussian"] = "gaussian"
    mean: float
    """Mean of the distribution."""
    stddev: float
    """Its standard deviation; not negative, and 0 gives the mean always."""
    decimal_places: int | None = None
    """Places after the point to which numbers are rounded; unset, they are not."""


class BernoulliSamplerParams(ConfigBase):
    """Parameters of `bernoulli`: 1 with a probability, else 0.

    A cell is the whole number 0 or 1.
    """

    sampler_type: Literal["bernoulli"] = "bernoulli"
    p: float = Field(ge=0, le=1)
    """Probability of 1."""


class BernoulliMixtureSamplerParams(ConfigBase):
    """Parameters of `bernoulli_mixture`: a draw of a distribution with a probability, else 0.

    A cell is a number (64-bit float).
    """

    sampler_type: Literal["bernoulli_mixture"] = "bernoulli_mixture"
    p: float = Field(ge=0, le=1)
    """Probability that the distribution is drawn from."""
    dist_name: str
    """Name of a distribution of single numbers in `scipy.stats`, such as `expon`."""
    dist_params: dict[str, Any]
    """Its parameters by their names there, such as `{"scale": 2.0}`; what it refuses is refused with the
    configuration."""


class BinomialSamplerParams(ConfigBase):
    """Parameters of `binomial`: how many of some tries succeed.

    A cell is a whole number from 0 to `n`.
    """

    sampler_type: Literal["binomial"] = "binomial"
    n: int
    """Tries."""
    p: float = Field(ge=0, le=1)
    """Probability that a try succeeds."""


class PoissonSamplerParams(ConfigBase):
    """Parameters of `poisson`: a count of what happens independently, at a given rate.

    A cell is a whole number from 0.
    """

    sampler_type: Literal["poisson"] = "poisson"
    mean: float
    """Mean of the counts; not negative."""


class ScipySamplerParams(ConfigBase):
    """Parameters of `scipy`: a draw of any distribution of single numbers in `scipy.stats`.

    A cell is a whole number where the distribution is discrete, else a 64-bit float.
    """

    sampler_type: Literal["scipy"] = "scipy"
    dist_name: str
    """Name of the distribution in `scipy.stats`, such as `lognorm` or `geom`."""
    dist_params: dict[str, Any]
    """Its parameters by their names there, such as `{"s": 0.9, "scale": 40}`; what it refuses is refused with the
    configuration."""
    decimal_places: int | None = None
    """Places after the point to which numbers are rounded; unset, they are not."""


class DatetimeSamplerParams(ConfigBase):
    """Parameters of `datetime`: a moment between two others, all equally likely.

    A cell is text, `2024-01-31T12:00:00` or what `convert_to` makes of it; moments have no time zone.
    """

    sampler_type: Literal["datetime"] = "datetime"
    start: str
    """The first moment: `2024-01-31`, `2024-01-31T12:00:00`, or another form that pandas reads."""
    end: str
    """The moment before which values are. Where start and end have UTC offsets, values are by that of the start."""
    unit: Literal["Y", "M", "D", "h", "m", "s"] = "D"
    """Moments are truncated to it, but not to before the start: years, months, days, hours, minutes or seconds."""

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
    """Parameters of `timedelta`: a moment some time after that of another column.

    A cell is text as for `datetime`.
    """

    sampler_type: Literal["timedelta"] = "timedelta"
    dt_min: int = Field(ge=0)
    """The shortest time, in `unit`."""
    dt_max: int = Field(gt=0)
    """The time below which all are, in `unit`; greater than `dt_min`."""
    reference_column_name: str
    """Name of the column that is counted from; a sampler of type `datetime` or `timedelta`."""
    unit: Literal["D", "h", "m", "s"] = "D"
    """What is counted: days, hours, minutes or seconds."""

    @model_validator(mode="after")
    def _in_order(self) -> "TimeDeltaSamplerParams":
        if self.dt_min >= self.dt_max:
            raise ValueError(f"dt_min ({self.dt_min}) must be less than dt_max ({self.dt_max})")
        return self


class UUIDSamplerParams(ConfigBase):
    """Parameters of `uuid`: an identifier, unique in the dataset.

    A cell is text: the prefix and 32 hexadecimal digits without hyphens. The same seed gives the same identifiers.
    """

    sampler_type: Literal["uuid"] = "uuid"
    prefix: str | None = None
    """A text before the digits, left as it is."""
    short_form: bool = False
    """8 hexadecimal digits instead of 32; unique among the first 4 billion records."""
    uppercase: bool = False
    """Digits `A` to `F` instead of `a` to `f`."""

    @property
    def last_index(self) -> int:
        """How many hexadecimal digits it has."""
        return 8 if self.short_form else 32


class _PersonParams(ConfigBase):
    """What both kinds of people share."""

    sex: Literal["Male", "Female"] | None = None
    """`Male` or `Female`; unset, either with equal chance."""
    city: str | list[str] | None = None
    """Where people live: a city, or a list of cities of which one is drawn; unset, one of the locale."""
    age_range: list[int] = Field(default=[18, MAX_AGE], min_length=2, max_length=2)
    """Least and greatest age, both included, from 0 to 114. Ages are those on 1 January 2025."""

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
    """Parameters of `person`: a person of the managed person data.

    They are a Parquet file of each locale, `datasets/<locale>.parquet` below the folder of managed assets.
    """

    sampler_type: Literal["person"] = "person"
    locale: str = "en_US"
    """Language and country, such as `en_US`; another than the managed ones is refused."""
    select_field_values: dict[str, list[str]] | None = None
    """Field of a person to the values that it may have."""
    with_synthetic_personas: bool = False
    """Give people personas too, which say how somebody is."""
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
    """Parameters of `person_from_faker`: a person made up by Faker.

    A cell is an object, so `{{ customer.first_name }}` in a template, with `uuid`, `locale`, `first_name`, `last_name`,
    `middle_name` (null), `sex`, `street_number`, `street_name`, `city`, `state`, `postcode`, `age`, `birth_date`,
    `country`, `marital_status`, `education_level`, `unit` (empty), `occupation`, `phone_number` (null below 18) and
    `bachelors_field`. What a locale of Faker does not know is null.
    """

    sampler_type: Literal["person_from_faker"] = "person_from_faker"
    locale: str = "en_US"
    """Language and country of names and addresses, such as `de_DE`; one that Faker has."""

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
