"""The printed form of a dataset's statistics."""

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from data_designer.config.analysis.column_profilers import JudgeScoreProfilerResults
from data_designer.config.analysis.column_statistics import (
    CategoricalHistogramData,
    GeneralColumnStatistics,
    LLMTextColumnStatistics,
    MissingValue,
    NumericalDistribution,
    SamplerColumnStatistics,
    ValidationColumnStatistics,
)
from data_designer.config.analysis.dataset_profiler import DatasetProfilerResults
from data_designer.config.analysis.distributions import distribution_tables
from data_designer.config.column_types import COLUMN_CLASSES
from data_designer.errors import AnalysisReportError
from data_designer.terminal import as_it_is, console

_WIDTH = 110
_BAR = 30
"""Characters of the longest bar of a histogram."""


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
    told = [one for one in results.column_statistics if sections is None or one.column_type in sections]
    for table in distribution_tables(told, to.width, "█" if to.encoding.startswith("utf") else "#"):
        to.print(table)
    for profile in results.column_profiles or ():
        if isinstance(profile, JudgeScoreProfilerResults) and (sections is None or "column_profilers" in sections):
            to.print(profile.create_report_section())


def profile_panel(profile: JudgeScoreProfilerResults) -> Panel:
    """The scores of a judge column: what a model says of them, and how often each was given."""
    found = profile.score_distributions
    parts: list[RenderableType] = []
    names = [*profile.summaries] if isinstance(found, MissingValue) else [*found.scores]
    for name in names:
        parts.append(Text.assemble(as_it_is(name), style="bold"))
        if name in profile.summaries:
            parts.append(as_it_is(profile.summaries[name].summary))
        if not isinstance(found, MissingValue):
            distribution, histogram = found.distributions[name], found.histograms[name]
            if isinstance(distribution, NumericalDistribution):
                parts.append(Text(f"mean {distribution.mean:.2f} ± {distribution.stddev:.2f}"))
            if isinstance(histogram, CategoricalHistogramData):
                parts.append(_bars(histogram))
    return Panel(Group(*parts), title=Text.assemble("Scores: ", as_it_is(profile.column_name)))


def _bars(histogram: CategoricalHistogramData) -> Table:
    most, total = max(histogram.counts, default=1), max(1, sum(histogram.counts))
    table = Table.grid(padding=(0, 1))
    for value, count in zip(histogram.categories, histogram.counts, strict=True):
        bar = "█" * max(1, round(_BAR * count / most))
        table.add_row(as_it_is(str(value)), bar, f"{count} ({100 * count / total:.0f}%)")
    return table


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
        case LLMTextColumnStatistics():
            return {"tokens per record": f"{one.output_tokens_mean} ± {one.output_tokens_stddev}"}
        case SamplerColumnStatistics():
            return {"sampler type": one.sampler_type}
        case ValidationColumnStatistics():
            return {"valid": f"{one.percent_valid:.1f}%"}
        case _:
            return {}
