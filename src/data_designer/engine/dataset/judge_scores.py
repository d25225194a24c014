"""The scores of judge columns: read batch by batch, sampled without holding them, and counted."""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import pyarrow as pa

from data_designer.config.analysis.column_profilers import JudgeScoreDistributions, JudgeScoreSample
from data_designer.config.analysis.column_statistics import (
    CategoricalDistribution,
    CategoricalHistogramData,
    ColumnDistributionType,
    MissingValue,
    NumericalDistribution,
)
from data_designer.engine.dataset.arrow_types import cells_of
from data_designer.engine.dataset.layout import DROPPED, PARQUET
from data_designer.engine.dataset.store import Store

Scored: TypeAlias = Mapping[str, JudgeScoreSample]
"""A cell of a judge column: name of the score to the score and its reason."""


def stored_cells(store: Store, column: str) -> Iterator[object]:
    """The cells of a column of a dataset, in order, a file at a time; none where it was not kept."""
    import pyarrow.parquet as pq

    for folder in (PARQUET, DROPPED):
        for content in store.contents(folder):
            source = pa.BufferReader(content)
            if column not in pq.read_schema(source).names:
                break
            source.seek(0)
            table = pq.read_table(source, columns=[column], use_threads=False, pre_buffer=False)
            yield from cells_of(table.column(column), table.schema.field(column))


def scored(cells: Iterable[object]) -> Iterator[Scored]:
    """What judges said; cells that were skipped or failed say nothing."""
    for cell in cells:
        if isinstance(cell, dict):
            yield {name: sample for name, given in cell.items() if (sample := _sample(given)) is not None}


def _sample(given: object) -> JudgeScoreSample | None:
    match given:
        case {"score": bool()}:
            return None
        case {"score": int() | str() as score, **more}:
            return JudgeScoreSample(score=score, reasoning=str(more.get("reasoning") or ""))
        case _:
            return None


def samples_of(judged: Iterable[Scored], size: int, seed: str) -> dict[str, list[JudgeScoreSample]]:
    """For each score some of its cells, each cell as likely as any other, the same for the same seed.

    Holds no more than `size` of each at a time (algorithm R, Vitter 1985).
    """
    rngs: dict[str, random.Random] = {}
    seen: dict[str, int] = {}
    kept: dict[str, list[JudgeScoreSample]] = {}
    for cell in judged:
        for name, sample in cell.items():
            seen[name] = number = seen.get(name, 0) + 1
            if number <= size:
                kept.setdefault(name, []).append(sample)
                continue
            rng = rngs.setdefault(name, random.Random(f"{seed} {name}"))
            place = rng.randrange(number)
            if place < size:
                kept[name][place] = sample
    return kept


def distributions_of(judged: Iterable[Scored]) -> JudgeScoreDistributions | MissingValue:
    """How the scores of a column are distributed; missing where there are none."""
    scores: dict[str, list[int | str]] = {}
    reasoning: dict[str, list[str]] = {}
    for cell in judged:
        for name, sample in cell.items():
            scores.setdefault(name, []).append(sample.score)
            reasoning.setdefault(name, []).append(sample.reasoning)
    if not scores:
        return MissingValue.CALCULATION_FAILED
    numbers = {name: _numbers(values) for name, values in scores.items()}
    return JudgeScoreDistributions(
        scores=scores,
        reasoning=reasoning,
        distribution_types={
            name: ColumnDistributionType.CATEGORICAL if found is None else ColumnDistributionType.NUMERICAL
            for name, found in numbers.items()
        },
        distributions={
            name: CategoricalDistribution.from_series(scores[name])
            if found is None
            else NumericalDistribution.from_series(found)
            for name, found in numbers.items()
        },
        histograms={
            name: CategoricalHistogramData.from_series(scores[name] if found is None else found)
            for name, found in numbers.items()
        },
    )


def _numbers(values: Iterable[int | str]) -> list[int] | None:
    """Scores as integers; None where one is none."""
    try:
        return [int(value) for value in values]
    except ValueError:
        return None
