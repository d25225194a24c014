"""Profilers that look at columns of a finished dataset, and what they find."""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from data_designer.config.analysis.column_statistics import (
    CategoricalDistribution,
    CategoricalHistogramData,
    ColumnDistributionType,
    MissingValue,
    NumericalDistribution,
)
from data_designer.config.base import ConfigBase

if TYPE_CHECKING:
    from rich.panel import Panel


class ColumnProfilerType(StrEnum):
    """Kinds of profilers."""

    JUDGE_SCORE = "judge-score"
    """Sums up the scores of judge columns."""


class JudgeScoreProfilerConfig(ConfigBase):
    """Sums up the scores that the judge columns of a finished dataset gave.

    It finds how each score is distributed, and has a model say what the reasons have in common. See
    `results.load_analysis().column_profiles`.
    """

    model_alias: str
    """Alias of the `ModelConfig` that writes the summaries."""
    summary_score_sample_size: int | None = Field(default=20, ge=1)
    """Reasons that it reads for the summary of a score, drawn by the dataset's seed; None for no summaries, for
    which no model is asked."""


class JudgeScoreSample(BaseModel):
    """One score, and why it was given."""

    score: int | str
    """The option that the judge chose."""
    reasoning: str
    """Its reason, in the judge's words."""


class JudgeScoreSummary(BaseModel):
    """What a model says of the reasons for one kind of score."""

    score_name: str
    """Name of the score."""
    summary: str
    """Fewer than 75 words; `--` where none could be had."""
    score_samples: list[JudgeScoreSample]
    """What the model read."""


class JudgeScoreDistributions(BaseModel):
    """All scores of a column; each field is by the name of the score."""

    scores: dict[str, list[int | str]]
    """What was given, in the order of the records."""
    reasoning: dict[str, list[str]]
    """Why, in the same order."""
    distribution_types: dict[str, ColumnDistributionType]
    """Numerical where all scores are numbers, else categorical."""
    distributions: dict[str, CategoricalDistribution | NumericalDistribution | MissingValue]
    """Minimum, maximum, mean and so on of numbers; the most and the least common of others."""
    histograms: dict[str, CategoricalHistogramData | MissingValue]
    """How often each option was given."""


class ColumnProfilerResults(BaseModel, ABC):
    """What a profiler finds out about a column."""

    column_name: str
    """The column."""

    @abstractmethod
    def create_report_section(self) -> "Panel":
        """What a report shows of it."""


class JudgeScoreProfilerResults(ColumnProfilerResults):
    """The scores of a judge column, and what a model says of the reasons."""

    summaries: dict[str, JudgeScoreSummary]
    """By the name of the score; empty where no summaries are wanted."""
    score_distributions: JudgeScoreDistributions | MissingValue
    """How the scores are distributed; `--` where there are none."""

    def create_report_section(self) -> "Panel":
        """What a report shows of it."""
        from data_designer.config.analysis.report import profile_panel

        return profile_panel(self)
