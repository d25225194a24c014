"""Judge profilers: what a model says of the reasons for scores, asked once the dataset is there, and kept beside it."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from data_designer.columns.registry import KINDS
from data_designer.config.analysis.column_profilers import (
    JudgeScoreProfilerConfig,
    JudgeScoreProfilerResults,
    JudgeScoreSample,
    JudgeScoreSummary,
)
from data_designer.config.analysis.column_statistics import MISSING
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.config.run_config import Budget, RunConfig
from data_designer.engine.dataset.judge_scores import Scored, distributions_of, samples_of, scored, stored_cells
from data_designer.engine.dataset.layout import JUDGE_SUMMARIES
from data_designer.engine.dataset.sealed import seal, unseal
from data_designer.engine.dataset.store import Store
from data_designer.engine.execution.budget import limit_of
from data_designer.engine.protocol.spending import Spending, by_alias, summed
from data_designer.errors import DataDesignerError
from data_designer.interface.compile import CompileContext, check, prepare
from data_designer.interface.outcomes import RunOutcomes
from data_designer.interface.results import DatasetCreationResults, PreviewResults
from data_designer.models.admission.budget_lease import NOTHING, Amount, amount_of
from data_designer.models.capability_probe import Known
from data_designer.plan.fingerprints import digest
from data_designer.plan.model import Geometry, Plan

logger = logging.getLogger(__name__)

_SPENT = "summaries of scores"
"""Stands as a column in what a dataset cost."""
_MOST_WORDS = 74
_LONGEST_REASON = 2000
"""Characters of a reason that the model is given."""
_PATIENCE = 60.0
"""Seconds that a model which fails is waited for: the dataset is there already."""


@dataclass(frozen=True, slots=True)
class _Summary:
    """A summary, and of what it is one."""

    column: str
    about: str
    """Digest of what the model was asked."""
    summary: JudgeScoreSummary


@dataclass(frozen=True, slots=True)
class JudgeSummaries:
    """The summaries of a dataset, and what they cost."""

    summaries: Sequence[_Summary] = ()
    spent: Mapping[str, Spending] = field(default_factory=dict)

    def of(self, column: str) -> dict[str, JudgeScoreSummary]:
        """Those of a column, by the name of the score."""
        return {one.summary.score_name: one.summary for one in self.summaries if one.column == column}

    def known(self, about: str) -> _Summary | None:
        """A summary of the same, if there is one."""
        return next((one for one in self.summaries if one.about == about and one.summary.summary != MISSING), None)

    def to_dict(self) -> dict[str, object]:
        """As JSON data."""
        summaries = [{"column": s.column, "about": s.about, **s.summary.model_dump()} for s in self.summaries]
        return {"summaries": summaries, "spent": {name: asdict(one) for name, one in self.spent.items()}}


def read_summaries(store: Store) -> JudgeSummaries:
    """The summaries beside a dataset; none where there are none, or where they are damaged."""
    try:
        found = unseal(store.files.read(JUDGE_SUMMARIES))
        summaries = [
            _Summary(str(one["column"]), str(one["about"]), JudgeScoreSummary.model_validate(one))
            for one in found["summaries"]
        ]
        return JudgeSummaries(summaries, {name: Spending.from_dict(one) for name, one in found["spent"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return JudgeSummaries()


def judge_columns(plan: Plan) -> list[str]:
    """Columns that profilers look at."""
    if not plan.config.profilers:
        return []
    return [column.name for column in plan.config.columns if KINDS[column.column_type].group == "judge"]


def profiles_of(columns: Mapping[str, Iterable[object]], summaries: JudgeSummaries) -> list[JudgeScoreProfilerResults]:
    """What profilers found of some columns, given by their cells."""
    return [
        JudgeScoreProfilerResults(
            column_name=name, summaries=summaries.of(name), score_distributions=distributions_of(scored(cells))
        )
        for name, cells in columns.items()
    ]


def stored_profiles(plan: Plan, store: Store) -> list[JudgeScoreProfilerResults]:
    """What profilers found of the columns of a dataset, whose scores are read for that."""
    return profiles_of({name: stored_cells(store, name) for name in judge_columns(plan)}, read_summaries(store))


# --- after a run -----------------------------------------------------------------------------------------


def profile_dataset(results: DatasetCreationResults, context: CompileContext, known: Known) -> None:
    """Have the scores of a dataset that is complete summarised, as far as that was not done before."""
    plan, store = results.plan, results.artifact_storage.store
    columns = judge_columns(plan)
    if not columns or results.early_shutdown is not None or results.outcomes.unfinished:
        return
    before = read_summaries(store)
    found = _Profiling(plan, context, known, before, results.outcomes).summarised(
        {name: scored(stored_cells(store, name)) for name in columns}
    )
    if found.summaries:
        try:
            store.files.put(JUDGE_SUMMARIES, seal(found.to_dict()))
        except OSError as error:
            logger.warning("the summaries of scores cannot be kept: %s", error)
    results.outcomes = with_summaries(results.outcomes, found)


def profile_preview(results: PreviewResults, context: CompileContext, known: Known) -> None:
    """Have the scores of a preview summarised."""
    plan, frame, analysis, outcomes = results.plan, results.dataset, results.analysis, results.outcomes
    if plan is None or frame is None or analysis is None or outcomes is None:
        return
    cells = {name: frame[name].tolist() for name in judge_columns(plan) if name in frame}
    if cells:
        profiling = _Profiling(plan, context, known, JudgeSummaries(), outcomes)
        found = profiling.summarised({name: scored(given) for name, given in cells.items()})
        results.outcomes = with_summaries(outcomes, found)
        results.analysis = analysis.model_copy(update={"column_profiles": profiles_of(cells, found)})


def with_summaries(outcomes: RunOutcomes, found: JudgeSummaries) -> RunOutcomes:
    """What a dataset came to, with what its summaries cost."""
    if not found.spent:
        return outcomes
    columns = {**outcomes.columns, **found.spent}
    usd = None if outcomes.usd is None else outcomes.usd + sum(one.usd for one in found.spent.values())
    return replace(outcomes, columns=columns, usage=by_alias(columns), usd=usd)


@dataclass(frozen=True, slots=True)
class _Profiling:
    plan: Plan
    context: CompileContext
    known: Known
    before: JudgeSummaries
    outcomes: RunOutcomes

    def summarised(self, columns: Mapping[str, Iterable[Scored]]) -> JudgeSummaries:
        """Summaries of the scores of some columns: a request each, for those that are not there."""
        profiler = self._profiler
        size = None if profiler is None else profiler.summary_score_sample_size
        if profiler is None or size is None:
            return replace(self.before, summaries=())
        wanted: list[tuple[_Summary, str]] = []
        for column, cells in columns.items():
            for name, samples in samples_of(cells, size, f"{self.plan.seed} {column}").items():
                asked = _prompt(name, samples)
                summary = JudgeScoreSummary(score_name=name, summary=MISSING, score_samples=samples)
                wanted.append((_Summary(column, digest([profiler.model_alias, column, asked]), summary), asked))
        new = [(one, asked) for one, asked in wanted if self.before.known(one.about) is None]
        answers, spent = self._asked(profiler, new) if new else ({}, {})
        return JudgeSummaries(
            [self.before.known(one.about) or _with_text(one, answers.get(one.about)) for one, _ in wanted],
            summed((self.before.spent, spent)),
        )

    @property
    def _profiler(self) -> JudgeScoreProfilerConfig | None:
        """The last one that was declared."""
        profilers = self.plan.config.profilers
        return profilers[-1] if profilers else None

    def _asked(
        self, profiler: JudgeScoreProfilerConfig, wanted: Sequence[tuple[_Summary, str]]
    ) -> tuple[dict[str, str], dict[str, Spending]]:
        """Digest to answer, and what they cost, a column at a time."""
        budget = self.plan.run.budget
        left = _left(budget, self._spent()) if budget is not None else None
        if budget is not None and budget.limits_spending and left is None:
            logger.warning("the budget is used up: the scores are not summarised; resume with a larger one")
            return {}, {}
        logger.info("summaries of scores: %d requests to model alias '%s'", len(wanted), profiler.model_alias)
        try:
            return self._run(profiler, wanted, left)
        except DataDesignerError as error:
            logger.warning("the scores could not be summarised: %s", error)
            return {}, {}

    def _spent(self) -> Amount:
        spent = NOTHING
        for one in [*self.outcomes.columns.values(), *self.before.spent.values()]:
            pool = self.plan.pools.get(one.alias)
            spent += replace(amount_of(one.usage, None if pool is None else pool.price), usd=one.usd)
        return spent

    def _run(
        self, profiler: JudgeScoreProfilerConfig, wanted: Sequence[tuple[_Summary, str]], left: Budget | None
    ) -> tuple[dict[str, str], dict[str, Spending]]:
        """Make a preview of a dataset whose records are the summaries: they are asked for as all cells are."""
        import pandas as pd

        from data_designer.config.seed_source_dataframe import DataFrameSeedSource
        from data_designer.interface.making import make_preview

        models = [one for one in self.plan.config.model_configs or () if one.alias == profiler.model_alias]
        if profiler.model_alias in self.plan.pools:
            models = [one.model_copy(update={"skip_health_check": True}) for one in models]
        builder = DataDesignerConfigBuilder(model_configs=models)
        rows = {"about": [one.about for one, _ in wanted], "asked": [asked for _, asked in wanted]}
        builder.with_seed_dataset(DataFrameSeedSource(df=pd.DataFrame(rows)))
        builder.add_column(
            name="summary", column_type="llm-text", model_alias=profiler.model_alias, prompt="{{ asked }}"
        )
        context = replace(self.context, run=_quiet(self.plan.run, left))
        prepared = prepare(check(builder, context), context, Geometry(len(wanted), len(wanted)), seed=self.plan.seed)
        made = make_preview(prepared, builder, self.known)
        assert made.dataset is not None
        assert made.outcomes is not None
        answers = dict(zip(made.dataset["about"], made.dataset["summary"], strict=True))
        return answers, {_SPENT: one for one in made.outcomes.columns.values()}  # noqa: B035 - there is one column


def _quiet(run: RunConfig, left: Budget | None) -> RunConfig:
    """The settings of a run of a few requests."""
    about = {"executor": "inline", "budget": left, "on_row_failure": "drop", "buffer_size": 1000}
    return run.model_copy(update={**about, "outage_patience": min(run.outage_patience, _PATIENCE)})


def _left(budget: Budget, spent: Amount) -> Budget | None:
    """What is left of what may be spent; None where that is nothing, or where spending is not limited."""
    if not budget.limits_spending:
        return None
    left = limit_of(budget) - spent
    if left.usd <= 0 or left.tokens < 1 or left.requests < 1:
        return None
    return Budget(
        usd=None if budget.usd is None else left.usd,
        tokens=None if budget.tokens is None else int(left.tokens),
        requests=None if budget.requests is None else int(left.requests),
    )


def _prompt(name: str, samples: Sequence[JudgeScoreSample]) -> str:
    given = "\n".join(f"- score {one.score}: {one.reasoning[:_LONGEST_REASON]}" for one in samples)
    return (
        f"A judge gave records of a dataset the score '{name}', and said why. These are some of its scores:\n\n{given}"
        "\n\nSay in fewer than 75 words what the reasons have in common and what tells high scores from low ones. "
        "Answer with the summary only."
    )


def _with_text(one: _Summary, answer: str | None) -> _Summary:
    words = (answer or "").split()
    text = " ".join(words[:_MOST_WORDS]) + ("…" if len(words) > _MOST_WORDS else "")
    return one if not words else replace(one, summary=one.summary.model_copy(update={"summary": text}))
