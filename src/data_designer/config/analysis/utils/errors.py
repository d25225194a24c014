"""Errors of reports, where users import them from."""

from data_designer.errors import AnalysisReportError

__all__ = ["AnalysisReportError"]
