"""Statistics of one column of a finished dataset."""

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


class SamplerColumnStatistics(GeneralColumnStatistics):
    """Columns that are drawn."""

    sampler_type: str
    distribution_type: Literal["categorical", "numerical", "text", "other", "unknown"]
    distribution: dict[str, object] | None = None


class ValidationColumnStatistics(GeneralColumnStatistics):
    """Columns of verdicts."""

    num_valid_records: int | Literal["--"] = MISSING

    @property
    def percent_valid(self) -> float:
        """Share of valid records, in percent."""
        if self.num_valid_records == MISSING or not self.num_records:
            return 0.0
        return 100 * float(self.num_valid_records) / self.num_records
