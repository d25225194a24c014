"""Profilers that look at columns of a finished dataset."""

from pydantic import Field

from data_designer.config.base import ConfigBase


class JudgeScoreProfilerConfig(ConfigBase):
    """Summarises the scores that judge columns gave."""

    model_alias: str
    summary_score_sample_size: int | None = Field(default=20, ge=1)
    """Reasonings read for a summary; None for no summaries."""
