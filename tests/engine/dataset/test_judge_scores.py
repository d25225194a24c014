"""Scores of judge columns: what counts, how they are distributed, and samples that say as much as all of them."""

from collections import Counter
from typing import Any

from data_designer.config.analysis.column_profilers import JudgeScoreDistributions
from data_designer.config.analysis.column_statistics import (
    CategoricalDistribution,
    ColumnDistributionType,
    MissingValue,
    NumericalDistribution,
)
from data_designer.engine.dataset.judge_scores import distributions_of, samples_of, scored


def cell(**scores: Any) -> dict[str, Any]:
    """A judge's cell, each score with its reason."""
    return {name: {"score": score, "reasoning": f"why {score}"} for name, score in scores.items()}


def test_what_is_no_score_does_not_count() -> None:
    """Cells that were skipped are null or of the user's own, and scores may be missing."""
    cells = [None, "n/a", {}, {"a": None}, {"a": {"reasoning": "?"}}, {"a": {"score": True}}, cell(a=1)]
    found = distributions_of(scored(cells))
    assert isinstance(found, JudgeScoreDistributions)
    assert (found.scores, found.reasoning) == ({"a": [1]}, {"a": ["why 1"]})
    assert distributions_of(scored(cells[:-1])) is MissingValue.CALCULATION_FAILED


def test_numbers_have_moments_and_words_have_a_most_common_one() -> None:
    """Texts that are numbers count as such; both have histograms."""
    cells = [cell(n=score, w=word) for score, word in [(3, "good"), ("1", "bad"), (2, "good")]]
    found = distributions_of(scored(cells))
    assert isinstance(found, JudgeScoreDistributions)
    kinds = ColumnDistributionType
    assert found.distribution_types == {"n": kinds.NUMERICAL, "w": kinds.CATEGORICAL}
    assert found.distributions["n"] == NumericalDistribution(min=1, max=3, mean=2, stddev=1, median=2)
    words = found.distributions["w"]
    assert isinstance(words, CategoricalDistribution)
    assert (words.most_common_value, words.least_common_value) == ("good", "bad")
    histogram = found.histograms["n"]
    assert not isinstance(histogram, MissingValue)
    assert (histogram.categories, histogram.counts) == ([1, 2, 3], [1, 1, 1])
    assert found.histograms["w"] == words.histogram
    assert words.histogram.counts == [2, 1]


def test_samples_are_as_many_as_wanted_and_the_same_for_the_same_seed() -> None:
    """All where there are no more; over many seeds each cell is taken about as often as any other."""
    cells = [cell(a=n) for n in range(20)]
    assert [one.score for one in samples_of(scored(cells), 50, "s")["a"]] == list(range(20))
    taken: Counter[Any] = Counter()
    for seed in range(400):
        found = samples_of(scored(cells), 5, str(seed))["a"]
        assert len({one.score for one in found}) == 5
        assert found == samples_of(scored(cells), 5, str(seed))["a"]
        taken.update(one.score for one in found)
    assert len(taken) == 20
    assert min(taken.values()) > 60
    assert max(taken.values()) < 140
