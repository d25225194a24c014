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
    counts: list[int]

    @classmethod
    def from_series(cls, series: Iterable[float | str]) -> Self:
        """Of some values: in their own order where they are all numbers, else the most common first."""
        counted = Counter(series)
        common = [value for value, _ in counted.most_common()]
        numbers = [value for value in common if isinstance(value, int | float)]
        categories = sorted(numbers) if len(numbers) == len(common) else common
        return cls(categories=[*categories], counts=[counted[value] for value in categories])


class CategoricalDistribution(BaseModel):
    """Of values that are no numbers."""

    most_common_value: int | str
    least_common_value: int | str
    histogram: CategoricalHistogramData

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
    """Of numbers; the standard deviation is that of a sample."""

    min: int | float
    max: int | float
    mean: float
    stddev: float
    median: float | Literal["--"]
    """`--` where there are more than 50 distinct numbers, of which not each is counted."""

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
    """What every column has."""

    column_name: str
    num_records: int
    num_null: int
    num_unique: int
    """Estimated within about 4 % above 512 distinct values."""
    pyarrow_dtype: str
    simple_dtype: str
    column_type: str = "general"
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
    """Columns that a model writes; tokens are about four characters each."""

    column_type: str = "llm-text"
    output_tokens_mean: Number
    output_tokens_median: Number
    output_tokens_stddev: Number
    input_tokens_mean: Number
    input_tokens_median: Number
    input_tokens_stddev: Number


class LLMCodeColumnStatistics(LLMTextColumnStatistics):
    """Columns of code."""

    column_type: str = "llm-code"


class LLMStructuredColumnStatistics(LLMTextColumnStatistics):
    """Columns of JSON."""

    column_type: str = "llm-structured"


class LLMJudgedColumnStatistics(LLMTextColumnStatistics):
    """Columns of judgements."""

    column_type: str = "llm-judge"
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
    """Columns of the seed dataset."""

    column_type: str = "seed-dataset"


class ExpressionColumnStatistics(GeneralColumnStatistics):
    """Columns that are computed from others."""

    column_type: str = "expression"


class SamplerColumnStatistics(GeneralColumnStatistics):
    """Columns that are drawn."""

    column_type: str = "sampler"
    sampler_type: str
    distribution_type: Literal["categorical", "numerical", "text", "other", "unknown"]
    distribution: CategoricalDistribution | NumericalDistribution | MissingValue | None


class ValidationColumnStatistics(GeneralColumnStatistics):
    """Columns of verdicts."""

    column_type: str = "validation"
    num_valid_records: int | Literal["--"]
    num_invalid_records: int | None = None
    """Verdicts that are neither are none; None where those that are false were not counted."""

    @property
    def percent_valid(self) -> float:
        """Share of valid records, in percent."""
        if self.num_valid_records == MISSING or not self.num_records:
            return 0.0
        return 100 * float(self.num_valid_records) / self.num_records
