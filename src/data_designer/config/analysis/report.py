"""The printed form of a dataset's statistics."""

from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from data_designer.config.analysis.column_statistics import (
    GeneralColumnStatistics,
    LLMColumnStatistics,
    SamplerColumnStatistics,
    ValidationColumnStatistics,
)
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.column_types import COLUMN_CLASSES
from data_designer.errors import AnalysisReportError
from data_designer.terminal import as_it_is, console

_WIDTH = 110


def write_report(
    results: DatasetProfilerResults, save_path: "str | Path | None", include_sections: list[str] | None
) -> None:
    """Print a report, or save it as `.html` or `.svg`. Raises AnalysisReportError for another suffix."""
    path = None if save_path is None else Path(save_path)
    if path is not None and path.suffix not in (".html", ".svg"):
        raise AnalysisReportError(f"a report is saved as .html or .svg, not as {path.name!r}")
    if path is None:
        _print(console(), results, include_sections)
        return
    with Path("/dev/null").open("w") as nowhere:
        recorded = Console(record=True, width=_WIDTH, file=nowhere)
        _print(recorded, results, include_sections)
        save = recorded.save_html if path.suffix == ".html" else recorded.save_svg
        save(str(path))


def _print(to: Console, results: DatasetProfilerResults, sections: list[str] | None) -> None:
    to.print(Rule("Data Designer Dataset Profile"))
    if sections is None or "overview" in sections:
        overview = Table("number of records", "number of columns", "percent complete", title="Dataset Overview")
        columns = len(results.column_statistics) + len(results.side_effect_column_names or ())
        overview.add_row(str(results.num_records), str(columns), f"{results.percent_complete:.1f}%")
        to.print(overview)
    shown = [*COLUMN_CLASSES, *(t for t in results.column_types if t not in COLUMN_CLASSES)]
    for kind in shown:
        statistics = results.get_column_statistics_by_type(kind)
        if statistics and (sections is None or kind in sections):
            to.print(_table(kind, statistics))


def _table(kind: str, statistics: list[GeneralColumnStatistics]) -> Table:
    extra = _extra(statistics[0])
    table = Table("column name", "data type", "unique values", *extra, title=f"{kind} columns")
    for one in statistics:
        unique = f"{one.num_unique} ({one.percent_unique:.1f}%)"
        kind = one.simple_dtype.partition("<")[0]  # What is inside may be longer than a line.
        table.add_row(*map(as_it_is, (one.column_name, kind, unique, *_extra(one).values())))
    return table


def _extra(one: GeneralColumnStatistics) -> dict[str, str]:
    match one:
        case LLMColumnStatistics():
            return {"tokens per record": f"{one.output_tokens_mean} ± {one.output_tokens_stddev}"}
        case SamplerColumnStatistics():
            return {"sampler type": one.sampler_type}
        case ValidationColumnStatistics():
            return {"valid": f"{one.percent_valid:.1f}%"}
        case _:
            return {}
