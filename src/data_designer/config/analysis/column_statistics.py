"""Statistics of one column of a finished dataset."""

from collections.abc import Iterable
from typing import Literal

from data_designer.config.base import ConfigBase

MISSING: Literal["--"] = "--"
"""What stands where a statistic could not be calculated."""

Number = int | float | Literal["--"]


class GeneralColumnStatistics(ConfigBase):
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


class LLMColumnStatistics(GeneralColumnStatistics):
    """Columns that a model writes; tokens are about four characters each."""

    output_tokens_mean: Number = MISSING
    output_tokens_median: Number = MISSING
    output_tokens_stddev: Number = MISSING
    input_tokens_mean: Number = MISSING
    input_tokens_median: Number = MISSING
    input_tokens_stddev: Number = MISSING


class LLMJudgedColumnStatistics(LLMColumnStatistics):
    """Columns of judgements."""

    score_counts: dict[str, dict[str, int]] | None = None
    """Name of a score to each of its options, as text, to how often it was given; None where that was not recorded."""

    @property
    def score_means(self) -> dict[str, float]:
        """Name of a score to the mean of what was given, where all of its options are whole numbers."""
        given = {name: own for name, own in (self.score_counts or {}).items() if sum(own.values()) and _are_whole(own)}
        return {name: sum(int(o) * n for o, n in own.items()) / sum(own.values()) for name, own in given.items()}


def _are_whole(options: Iterable[str]) -> bool:
    return all(option.removeprefix("-").isdecimal() for option in options)


class SamplerColumnStatistics(GeneralColumnStatistics):
    """Columns that are drawn."""

    sampler_type: str
    distribution_type: Literal["categorical", "numerical", "text", "other", "unknown"]
    distribution: dict[str, object] | None = None


class ValidationColumnStatistics(GeneralColumnStatistics):
    """Columns of verdicts."""

    num_valid_records: int | Literal["--"] = MISSING
    num_invalid_records: int | None = None
    """Verdicts that are neither are none; None where those that are false were not counted."""

    @property
    def percent_valid(self) -> float:
        """Share of valid records, in percent."""
        if self.num_valid_records == MISSING or not self.num_records:
            return 0.0
        return 100 * float(self.num_valid_records) / self.num_records
