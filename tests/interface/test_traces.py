"""Traces and reasoning in runs: what is kept of conversations beside a column, and what others make of it."""

from pathlib import Path
from typing import Any

import pytest
from tests.fakes import designer, model, numbered, rows

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults

RECORDS = 6


def text(role: str, said: str, **more: str) -> dict[str, Any]:
    """A message of a trace."""
    return {"role": role, "content": [{"type": "text", "text": said}], **more}


def traced(kind: str = "all_messages", **more: Any) -> dd.DataDesignerConfigBuilder:
    """A structured column with all that is kept beside it, and what others make of that."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m", "sim?malformed_rate=0.5&seed=3")])
    made.with_seed_dataset(numbered())
    made.add_column(
        name="x",
        column_type="llm-structured",
        model_alias="m",
        prompt="row {{ n }}",
        system_prompt="Be brief.",
        output_format={"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        with_trace=kind,
        extract_reasoning_content=True,
        **more,
    )
    made.add_column(name="messages", column_type="expression", expr="{{ x__trace | length }}", dtype="int")
    return made.add_column(name="thought", column_type="expression", expr="{{ x__reasoning_content or 'none' }}")


def make(url: str, path: Path, builder: dd.DataDesignerConfigBuilder, **run: Any) -> DatasetCreationResults:
    """Make it, with a correction before a restart."""
    settings = {"max_conversation_correction_steps": 1, "buffer_size": 4, **run}
    return designer(url, path, **settings).create(builder, num_records=RECORDS, dataset_name="d")


def test_a_full_trace_is_the_conversation_that_led_to_the_cell(simulated: str, tmp_path: Path) -> None:
    """System, user, and each reply that was corrected; other columns may use it, and the file holds it."""
    frame = make(simulated, tmp_path, traced()).load_dataset()
    assert {"x", "x__trace", "x__reasoning_content"} < set(frame.columns)
    lengths = set()
    for n, trace in enumerate(frame["x__trace"]):
        assert trace[0] == text("system", "Be brief.")
        assert trace[1]["content"][0]["text"].startswith(f"row {n}\n\n")
        assert [one["role"] for one in trace[1:]] == ["user", "assistant"] * ((len(trace) - 1) // 2)
        assert all(set(one) == {"role", "content"} for one in trace)
        lengths.add(len(trace))
    assert lengths == {3, 5}
    assert list(frame["messages"]) == [len(trace) for trace in frame["x__trace"]]
    assert frame["x__reasoning_content"].isna().all()
    assert set(frame["thought"]) == {"none"}
    assert len(rows(tmp_path / "d")) == RECORDS


def test_a_short_trace_is_the_last_reply(simulated: str, tmp_path: Path) -> None:
    """However many came before it."""
    frame = make(simulated, tmp_path, traced("last_message")).load_dataset()
    assert [len(trace) for trace in frame["x__trace"]] == [1] * RECORDS
    assert {trace[0]["role"] for trace in frame["x__trace"]} == {"assistant"}


def test_what_is_skipped_or_fails_has_neither(simulated: str, tmp_path: Path) -> None:
    """All three are null, in the rows that are skipped and in those that fail."""
    skip = dd.SkipConfig(when="{{ n < 2 }}")
    run = {"on_row_failure": "null", "max_conversation_correction_steps": 0, "max_conversation_restarts": 0}
    frame = make(simulated, tmp_path, traced(skip=skip), disable_early_shutdown=True, **run).load_dataset()
    missing = frame["x"].isna()
    assert missing[:2].all()
    assert 0 < missing[2:].sum() < RECORDS - 2
    assert (frame["x__trace"].isna() == missing).all()
    assert frame["x__reasoning_content"].isna().all()


@pytest.mark.parametrize("kind", ["none", "last_message"])
def test_what_is_not_asked_for_is_not_there(kind: str) -> None:
    """By the names of the side effects."""
    column = dd.LLMTextColumnConfig(name="x", model_alias="m", prompt="p", with_trace=kind)
    assert column.side_effect_columns == ([] if kind == "none" else ["x__trace"])
