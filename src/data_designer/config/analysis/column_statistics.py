"""Statistics of one column of a finished dataset."""

import statistics
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from data_designer.config.base import ConfigBase

MISSING: Literal["--"] = "--"
"""What stands where a statistic could not be calculated."""

Number = int | float | Literal["--"]


class MissingValue(StrEnum):
    """What stands where there is no value."""

    CALCULATION_FAILED = "--"
    OUTPUT_FORMAT_ERROR = "output_format_error"


class ColumnDistributionType(StrEnum):
    """How values are distributed."""

    CATEGORICAL = "categorical"
    NUMERICAL = "numerical"
    TEXT = "text"
    OTHER = "other"
    UNKNOWN = "unknown"


class CategoricalHistogramData(BaseModel):
    """How often each value is there."""

    categories: list[float | int | str]
    """The values: numbers in their order, others the most common first."""
    counts: list[int]
    """How often each is there."""

    @classmethod
    def from_series(cls, series: Iterable[float | str]) -> Self:
        """Of some values: in their own order where they are all numbers, else the most common first."""
        counted = Counter(series)
        common = [value for value, _ in counted.most_common()]
        numbers = [value for value in common if isinstance(value, int | float)]
        categories = sorted(numbers) if len(numbers) == len(common) else common
        return cls(categories=[*categories], counts=[counted[value] for value in categories])


class CategoricalDistribution(BaseModel):
    """How values that are no numbers are distributed."""

    most_common_value: int | str
    """The value that is there most often."""
    least_common_value: int | str
    """The one that is there least often."""
    histogram: CategoricalHistogramData
    """How often each is there."""

    @classmethod
    def from_series(cls, series: Iterable[int | str]) -> Self:
        """Of some values. Raises ValueError where there are none."""
        counted = Counter(series).most_common()
        if not counted:
            raise ValueError("no values have no distribution")
        values = [value for value, count in counted for _ in range(count)]
        return cls(
            most_common_value=counted[0][0],
            least_common_value=counted[-1][0],
            histogram=CategoricalHistogramData.from_series(values),
        )


class NumericalDistribution(BaseModel):
    """How numbers are distributed."""

    min: int | float
    """The least."""
    max: int | float
    """The greatest."""
    mean: float
    """Their mean."""
    stddev: float
    """Their standard deviation, as that of a sample; 0 of one number."""
    median: float | Literal["--"]
    """Their median; `--` where there are more than 50 distinct numbers, of which not each is counted."""

    @classmethod
    def from_series(cls, series: Iterable[float]) -> Self:
        """Of some numbers. Raises ValueError where there are none."""
        numbers = [*series]
        if not numbers:
            raise ValueError("no numbers have no distribution")
        return cls(
            min=min(numbers),
            max=max(numbers),
            mean=statistics.fmean(numbers),
            stddev=statistics.stdev(numbers) if len(numbers) > 1 else 0.0,
            median=statistics.median(numbers),
        )


class BaseColumnStatistics(ConfigBase):
    """Statistics of a column, of whatever kind; what is not known of them is left out when they are read."""

    model_config = ConfigDict(extra="ignore")


class GeneralColumnStatistics(BaseColumnStatistics):
    """What is known of every column."""

    column_name: str
    """Name of the column."""
    num_records: int
    """Records of the dataset."""
    num_null: int
    """Records in which it is null."""
    num_unique: int
    """Distinct values; estimated within about 4 % above 512."""
    pyarrow_dtype: str
    """Its type in Parquet, in Arrow's words."""
    simple_dtype: str
    """Its type in plain words, such as `string` or `int`."""
    column_type: str = "general"
    """Its kind."""
    most_common: dict[str, int] | None = None
    """The most common values, the most common first, to how often each is there; None where values are many, or each of
    them is there once."""

    @property
    def percent_null(self) -> float:
        """Share of nulls, in percent."""
        return 100 * self.num_null / self.num_records if self.num_records else 0.0

    @property
    def percent_unique(self) -> float:
        """Share of distinct values, in percent."""
        return 100 * self.num_unique / self.num_records if self.num_records else 0.0


class LLMTextColumnStatistics(GeneralColumnStatistics):
    """What is known of columns that a model writes; a token counts as about four characters."""

    column_type: str = "llm-text"
    """Its kind."""
    output_tokens_mean: Number
    """Mean length of a cell."""
    output_tokens_median: Number
    """Not recorded: `--`."""
    output_tokens_stddev: Number
    """Standard deviation of the lengths."""
    input_tokens_mean: Number
    """Not recorded: `--`; `results.outcomes.usage` has the tokens of prompts."""
    input_tokens_median: Number
    """Not recorded: `--`."""
    input_tokens_stddev: Number
    """Not recorded: `--`."""


class LLMCodeColumnStatistics(LLMTextColumnStatistics):
    """What is known of columns of code."""

    column_type: str = "llm-code"
    """Its kind."""


class LLMStructuredColumnStatistics(LLMTextColumnStatistics):
    """What is known of columns of JSON."""

    column_type: str = "llm-structured"
    """Its kind."""


class LLMJudgedColumnStatistics(LLMTextColumnStatistics):
    """What is known of columns of judgements."""

    column_type: str = "llm-judge"
    """Its kind."""
    score_counts: dict[str, dict[str, int]] | None = None
    """Name of a score to each of its options, as text, to how often it was given; None where that was not recorded."""

    @property
    def score_means(self) -> dict[str, float]:
        """Name of a score to the mean of what was given, where all of its options are whole numbers."""
        given = {name: own for name, own in (self.score_counts or {}).items() if sum(own.values()) and _are_whole(own)}
        return {name: sum(int(o) * n for o, n in own.items()) / sum(own.values()) for name, own in given.items()}


def _are_whole(options: Iterable[str]) -> bool:
    return all(option.removeprefix("-").isdecimal() for option in options)


class SeedDatasetColumnStatistics(GeneralColumnStatistics):
    """What is known of columns of the seed dataset."""

    column_type: str = "seed-dataset"
    """Its kind."""


class ExpressionColumnStatistics(GeneralColumnStatistics):
    """What is known of columns that are computed from others."""

    column_type: str = "expression"
    """Its kind."""


class SamplerColumnStatistics(GeneralColumnStatistics):
    """What is known of columns that are drawn."""

    column_type: str = "sampler"
    """Its kind."""
    sampler_type: str
    """Which sampler drew it."""
    distribution_type: Literal["categorical", "numerical", "text", "other", "unknown"]
    """What kind of values they are."""
    distribution: CategoricalDistribution | NumericalDistribution | MissingValue | None
    """How they are distributed; None where that is not known."""


class ValidationColumnStatistics(GeneralColumnStatistics):
    """What is known of columns of verdicts."""

    column_type: str = "validation"
    """Its kind."""
    num_valid_records: int | Literal["--"]
    """Records whose `is_valid` is true; `--` where that was not counted."""
    num_invalid_records: int | None = None
    """Verdicts that are neither are none; None where those that are false were not counted."""

    @property
    def percent_valid(self) -> float:
        """Share of valid records, in percent."""
        if self.num_valid_records == MISSING or not self.num_records:
            return 0.0
        return 100 * float(self.num_valid_records) / self.num_records
