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


class JudgeScoreProfilerConfig(ConfigBase):
    """Summarises the scores that judge columns gave."""

    model_alias: str
    """The model that writes summaries."""
    summary_score_sample_size: int | None = Field(default=20, ge=1)
    """Reasonings read for a summary; None for no summaries."""


class JudgeScoreSample(BaseModel):
    """One score, and why it was given."""

    score: int | str
    reasoning: str


class JudgeScoreSummary(BaseModel):
    """What a model says of the reasons for one kind of score."""

    score_name: str
    summary: str
    """Fewer than 75 words; `--` where none could be had."""
    score_samples: list[JudgeScoreSample]
    """What the model read."""


class JudgeScoreDistributions(BaseModel):
    """All scores of a column, each field by the name of the score."""

    scores: dict[str, list[int | str]]
    reasoning: dict[str, list[str]]
    distribution_types: dict[str, ColumnDistributionType]
    """Numerical where all scores are numbers, else categorical."""
    distributions: dict[str, CategoricalDistribution | NumericalDistribution | MissingValue]
    histograms: dict[str, CategoricalHistogramData | MissingValue]


class ColumnProfilerResults(BaseModel, ABC):
    """What a profiler finds out about a column."""

    column_name: str

    @abstractmethod
    def create_report_section(self) -> "Panel":
        """What a report shows of it."""


class JudgeScoreProfilerResults(ColumnProfilerResults):
    """The scores of a judge column, and what a model says of the reasons."""

    summaries: dict[str, JudgeScoreSummary]
    """By the name of the score; empty where no summaries are wanted."""
    score_distributions: JudgeScoreDistributions | MissingValue

    def create_report_section(self) -> "Panel":
        """What a report shows of it."""
        from data_designer.config.analysis.report import profile_panel

        return profile_panel(self)
