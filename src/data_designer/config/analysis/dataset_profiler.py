"""What is known of a finished dataset."""

from pathlib import Path

from pydantic import ConfigDict, SerializeAsAny

from data_designer.config.analysis.column_profilers import ColumnProfilerResults
from data_designer.config.analysis.column_statistics import GeneralColumnStatistics
from data_designer.config.base import ConfigBase


class DatasetProfilerResults(ConfigBase):
    """Statistics of a dataset and its columns. `to_report()` shows them."""

    model_config = ConfigDict(extra="ignore")

    num_records: int
    """Records that are there."""
    target_num_records: int
    """Records that were asked for."""
    column_statistics: list[SerializeAsAny[GeneralColumnStatistics]]
    """Of each column, in the order in which reports show them; none where no batch is committed yet."""
    side_effect_column_names: list[str] | None = None
    """Columns that others wrote beside themselves, such as traces."""
    column_profiles: list[SerializeAsAny[ColumnProfilerResults]] | None = None
    """What profilers found; None where there are none."""

    @property
    def percent_complete(self) -> float:
        """Share of the records asked for that are there, in percent."""
        return 100 * self.num_records / self.target_num_records if self.target_num_records else 0.0

    @property
    def column_types(self) -> list[str]:
        """Types of columns there are, sorted."""
        return sorted({statistics.column_type for statistics in self.column_statistics})

    def get_column_statistics_by_type(self, column_type: str) -> list[GeneralColumnStatistics]:
        """Statistics of columns of a type."""
        return [statistics for statistics in self.column_statistics if statistics.column_type == str(column_type)]

    def to_report(self, save_path: "str | Path | None" = None, include_sections: list[str] | None = None) -> None:
        """Print the statistics, or save them.

        Args:
            save_path: a file that ends in `.html` or `.svg`; unset, they are printed.
            include_sections: what is shown: `overview`, kinds of columns such as `llm-text`, and `column_profilers`;
                unset, all.

        Raises:
            AnalysisReportError: the file has another suffix.
        """
        from data_designer.config.analysis.report import write_report

        write_report(self, save_path, include_sections)
