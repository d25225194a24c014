"""Judge profilers in runs: what they find, what they ask, and that nothing is paid for twice."""

from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import designer, model, numbered
from tests.gate import gate
from tests.interface.kinds import Undisturbed, begun
from tests.interface.kinds import make as go_on
from tests.replies import LIMIT, row_of

import data_designer.config as dd
from data_designer.config.analysis.column_profilers import JudgeScoreDistributions, JudgeScoreProfilerResults
from data_designer.interface import DataDesignerGenerationError, DatasetCreationResults

RECORDS = 10
SUMMED = "The reasons speak of rows."


def reply(prompt: str) -> Reply:
    """Scores for records, and a summary of their reasons."""
    if prompt.startswith("A judge gave"):
        return Reply(SUMMED)
    row = row_of(prompt)
    return Reply(f'```json\n{{"size": {{"reasoning": "row {row}", "score": {row % 3}}}}}\n```')


def judged(size: int | None = 4, **more: Any) -> dd.DataDesignerConfigBuilder:
    """Numbers and a judge of them, whose scores are summed up by another model."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("judge"), model("writer", price=dd.Price(input=1.0))])
    made.with_seed_dataset(numbered())
    scores = [dd.Score(name="size", description="How large is it?", options={0: "no", 1: "some", 2: "very"})]
    made.add_column(
        name="verdict", column_type="llm-judge", model_alias="judge", prompt="Judge row {{ n }}", scores=scores, **more
    )
    made.add_column(name="after", column_type="expression", expr="{{ n }}")
    return made.add_profiler(dd.JudgeScoreProfilerConfig(model_alias="writer", summary_score_sample_size=size))


def make(
    url: str, path: Path, builder: dd.DataDesignerConfigBuilder, resume: str = "never", **run: Any
) -> DatasetCreationResults:
    """Make the dataset, or go on with it."""
    return designer(url, path, **run).create(builder, num_records=RECORDS, dataset_name="d", resume=resume)


def profile(results: DatasetCreationResults) -> JudgeScoreProfilerResults:
    """What was found of the one judge."""
    found = results.load_analysis().column_profiles
    assert found is not None
    [one] = found
    assert isinstance(one, JudgeScoreProfilerResults)
    return one


def summaries(prompts: list[str]) -> list[str]:
    """Prompts that ask for a summary."""
    return [prompt for prompt in prompts if prompt.startswith("A judge gave")]


@pytest.mark.parametrize("drop", [False, True])
def test_scores_are_counted_and_their_reasons_summed_up(endpoint: Endpoint, tmp_path: Path, drop: bool) -> None:
    """In one request for each score, of samples as many as wanted; also where the column is dropped."""
    with endpoint(reply) as counted:
        results = make(counted.url, tmp_path, judged(drop=drop))
    found = profile(results)
    assert found.column_name == "verdict"
    distributions = found.score_distributions
    assert isinstance(distributions, JudgeScoreDistributions)
    assert distributions.scores == {"size": [n % 3 for n in range(RECORDS)]}
    assert distributions.reasoning == {"size": [f"row {n}" for n in range(RECORDS)]}
    summary = found.summaries["size"]
    assert (summary.score_name, summary.summary, len(summary.score_samples)) == ("size", SUMMED, 4)
    [asked] = summaries(counted.prompts)
    assert all(f"- score {one.score}: {one.reasoning}" in asked for one in summary.score_samples)
    assert "fewer than 75 words" in asked


def test_summaries_count_in_what_the_dataset_cost_and_are_asked_for_once(endpoint: Endpoint, tmp_path: Path) -> None:
    """A resume finds them; another profiler asks again, and both are accounted for."""
    with endpoint(reply) as counted:
        first = make(counted.url, tmp_path, judged())
        assert first.outcomes.usage["writer"].requests == 1
        assert first.outcomes.columns["summaries of scores"].usd == pytest.approx(3e-6)
        again = make(counted.url, tmp_path, judged(), "always")
        assert len(summaries(counted.prompts)) == 1
        assert again.outcomes.usage == first.outcomes.usage
        assert profile(again) == profile(first)
        opened = designer(counted.url, tmp_path).open("d")
        assert (opened.outcomes.usage, opened.outcomes.columns) == (first.outcomes.usage, first.outcomes.columns)
        more = make(counted.url, tmp_path, judged(size=2), "always")
        assert len(counted.prompts) == RECORDS + 2
    assert more.outcomes.usage["writer"].requests == 2
    assert len(profile(more).summaries["size"].score_samples) == 2


def test_a_run_that_is_killed_among_its_summaries_asks_for_them_again(
    simulated: str, tmp_path: Path, processes: None
) -> None:
    """Of two scores one is summed up; no cell is asked for again, and the end is as if nobody had disturbed the run."""
    name = "judge with profiler"
    (tmp_path / "whole").mkdir()
    undisturbed = Undisturbed.of(name, simulated, tmp_path / "whole")
    with gate(simulated, undisturbed.requests - 1) as passed:
        program = begun(name, passed.url, tmp_path)
        held = passed.is_held.wait(LIMIT)
        program.kill()
        program.join()
        assert held
        passed.open()
        go_on(name, passed.url, tmp_path, "always")
    undisturbed.check(tmp_path, passed, {"writer": 2})


def test_without_samples_nothing_is_asked(endpoint: Endpoint, tmp_path: Path) -> None:
    """`summary_score_sample_size=None`: distributions only."""
    with endpoint(reply) as counted:
        found = profile(make(counted.url, tmp_path, judged(size=None)))
    assert found.summaries == {}
    assert isinstance(found.score_distributions, JudgeScoreDistributions)
    assert len(counted.prompts) == RECORDS


def test_a_summary_that_cannot_be_had_is_said_and_costs_no_dataset(
    endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked for again by the next resume."""
    refused = True

    def refusing(prompt: str) -> Reply:
        return Reply("no", 400) if refused and prompt.startswith("A judge gave") else reply(prompt)

    with endpoint(refusing) as counted:
        results = make(counted.url, tmp_path, judged())
        assert "the scores could not be summarised" in caplog.text
        assert (results.outcomes.generated, profile(results).summaries["size"].summary) == (RECORDS, "--")
        refused = False
        assert profile(make(counted.url, tmp_path, judged(), "always")).summaries["size"].summary == SUMMED


def test_a_long_summary_is_cut(endpoint: Endpoint, tmp_path: Path) -> None:
    """To fewer than 75 words."""
    with endpoint(
        lambda prompt: Reply("word " * 200) if prompt.startswith("A judge gave") else reply(prompt)
    ) as counted:
        summary = profile(make(counted.url, tmp_path, judged())).summaries["size"].summary
    assert len(summary.split()) == 74


def test_a_budget_that_is_used_up_pays_for_no_summary(
    endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a larger one, a resume makes it."""
    with endpoint(reply) as counted:
        make(counted.url, tmp_path, judged(), budget=dd.Budget(requests=RECORDS))
        assert len(counted.prompts) == RECORDS
        assert "the scores are not summarised" in caplog.text
        results = make(counted.url, tmp_path, judged(), "always", budget=dd.Budget(requests=RECORDS + 1))
    assert profile(results).summaries["size"].summary == SUMMED


def test_a_preview_is_profiled_too(endpoint: Endpoint, tmp_path: Path) -> None:
    """And the report shows it, without what a terminal would take for a command."""
    with endpoint(reply) as counted:
        preview = designer(counted.url, tmp_path).preview(judged(), num_records=5)
    assert preview.analysis is not None
    assert preview.outcomes is not None
    assert preview.outcomes.usage["writer"].requests == 1
    preview.analysis.to_report(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Scores: verdict" in text
    assert SUMMED in text
    preview.analysis.to_report(tmp_path / "less.html", include_sections=["overview"])
    assert "Scores: verdict" not in (tmp_path / "less.html").read_text()


def test_a_profiler_whose_model_is_not_there_is_refused_before_anything_is_asked(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    """By its name."""
    builder = judged()
    builder.add_profiler(dd.JudgeScoreProfilerConfig(model_alias="nobody"))
    with endpoint(reply) as counted, pytest.raises(DataDesignerGenerationError, match="a profiler: model alias 'nob"):
        make(counted.url, tmp_path, builder)
    assert not counted.prompts
