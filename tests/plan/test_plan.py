"""From declaration to plan: order, fusion, violations."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.errors import DAGCircularDependencyError
from data_designer.plan.columns import ordered_steps
from data_designer.plan.fusion import fuse
from data_designer.plan.model import Geometry, Stage
from data_designer.plan.violations import violations


def builder(**prompts: str) -> dd.DataDesignerConfigBuilder:
    """A sampler `s`, and a text column for each prompt; the name's first letter is its alias."""
    made = dd.DataDesignerConfigBuilder()
    made.add_column(name="s", column_type="sampler", sampler_type="uuid", params={})
    for name, prompt in prompts.items():
        made.add_column(name=name, column_type="llm-text", prompt=prompt, model_alias=name[0])
    return made


def stages(made: dd.DataDesignerConfigBuilder) -> list[list[str]]:
    """Names of the steps of each stage."""
    return [[step.name for step in stage.steps] for stage in fused(made)]


def fused(made: dd.DataDesignerConfigBuilder) -> tuple[Stage, ...]:
    """The stages."""
    return fuse(ordered_steps(made.build().columns, KINDS))


def test_columns_run_after_what_they_need_whatever_the_order_of_declaration() -> None:
    """A column declared before what it needs is still run after it."""
    names = [step.name for step in ordered_steps(builder(b1="{{ a1 }}", a1="{{ s }}").build().columns, KINDS)]
    assert names == ["samplers", "a1", "b1"]


def test_a_chain_of_one_alias_and_its_expressions_are_one_stage() -> None:
    """Neighbouring steps of one alias with the expressions between them run without coming back."""
    made = builder(a1="{{ s }}")
    made.add_column(name="e", column_type="expression", expr="{{ a1 | upper }}")
    made.add_column(name="a2", column_type="llm-text", prompt="{{ e }}", model_alias="a")
    assert stages(made) == [["samplers"], ["a1", "e", "a2"]]


def test_a_step_that_needs_something_from_outside_is_a_stage_of_its_own() -> None:
    """No independent step waits for an unrelated one."""
    assert stages(builder(a1="{{ s }}", b1="{{ s }}", a2="{{ a1 }} {{ b1 }}")) == [["samplers"], ["a1"], ["b1"], ["a2"]]


def test_nobody_waits_for_a_step_they_do_not_need() -> None:
    """Where another alias waits for the first column, the second one is not put before it."""
    assert stages(builder(a1="{{ s }}", a2="{{ a1 }}", b1="{{ a1 }}")) == [["samplers"], ["a1"], ["a2"], ["b1"]]


def test_depth_is_the_longest_way_from_a_root() -> None:
    """Deeper stages are served first, so depth must be the longest path."""
    depths = {
        stage.steps[0].name: stage.depth for stage in fused(builder(a1="{{ s }}", b1="{{ a1 }}", c1="{{ b1 }} {{ s }}"))
    }
    assert depths == {"samplers": 0, "a1": 1, "b1": 2, "c1": 3}


def test_a_circle_is_named() -> None:
    """Columns that need each other are refused with the way around."""
    made = builder(a1="{{ b1 }}", b1="{{ a1 }}")
    with pytest.raises(DAGCircularDependencyError, match="a1 -> b1 -> a1|b1 -> a1 -> b1"):
        ordered_steps(made.build().columns, KINDS)
    assert [v.type for v in violations(made.build(), KINDS)] == ["cycle"]


def test_all_violations_are_reported_together() -> None:
    """Everything wrong is said at once, each with its column."""
    made = builder(a1="{{ nope }}", b1="plain", c1="{s}")
    made.add_column(name="e", column_type="expression", expr="{{ gone }}")
    made.add_processor(processor_type="drop_columns", name="d", column_names=["absent", "x*"])
    found = {(v.type, v.column, v.level) for v in violations(made.build(), KINDS)}
    assert found >= {
        ("invalid_reference", "a1", "ERROR"),
        ("prompt_without_references", "b1", "WARNING"),
        ("f_string_syntax", "c1", "WARNING"),
        ("expression_reference_missing", "e", "ERROR"),
        ("invalid_column", None, "ERROR"),
        ("invalid_column", None, "WARNING"),
    }


def test_a_side_effect_named_as_a_column_is_refused() -> None:
    """One of the two would be lost without a word."""
    made = dd.DataDesignerConfigBuilder()
    made.add_column(
        name="a", column_type="llm-text", prompt="x {{ b }}", model_alias="m", with_trace=dd.TraceType.ALL_MESSAGES
    )
    made.add_column(name="b", column_type="expression", expr="1")
    assert violations(made.build(), KINDS) == []
    made.add_column(name="a__trace", column_type="expression", expr="1")
    assert [(found.type, found.column, found.level) for found in violations(made.build(), KINDS)] == [
        ("duplicate_side_effect", "a", "ERROR")
    ]


@pytest.mark.parametrize("name", ["../out", "a/b", "", "..", "n" * 300, "half \ud83d"])
def test_a_processor_that_cannot_have_a_folder_is_refused(name: str) -> None:
    """Its name is that of the folder of what it writes."""
    made = builder()
    made.add_processor(processor_type="schema_transform", name=name, template={"k": "{{ s }}"})
    assert [found.type for found in violations(made.build(), KINDS)] == ["processor_name"]


def test_geometry_covers_every_record_once() -> None:
    """Batches are consecutive; the last may be short."""
    geometry = Geometry(10, 4)
    assert [list(geometry.records(batch)) for batch in geometry.batches()] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """A geometry to which records were added, or none, some times."""
    sizes = st.integers(1, 9)
    geometry = Geometry(draw(st.integers(1, 30)), draw(sizes))
    for added in draw(st.lists(st.integers(0, 20), max_size=4)):
        geometry = geometry.extended(geometry.num_records + added, draw(sizes))
    return geometry


@given(geometries())
def test_everything_that_tells_a_records_batch_agrees(geometry: Geometry) -> None:
    """Spans, `records` and `batches_of` put every record into the same one batch, however often records were added."""
    everything = np.arange(geometry.num_records, dtype=np.int64)
    by_batch = [list(geometry.records(batch)) for batch in geometry.batches()]
    assert [row for rows in by_batch for row in rows] == everything.tolist()
    assert geometry.batches_of(everything).tolist() == [n for n, rows in enumerate(by_batch) for _ in rows]
    by_span = [
        (batch, span.records[start : start + span.buffer_size])
        for span in geometry.spans
        for batch, start in zip(span.batches, range(0, len(span.records), span.buffer_size), strict=True)
    ]
    assert by_span == [(batch, geometry.records(batch)) for batch in geometry.batches()]


@given(geometries(), st.data())
def test_batches_are_told_for_any_records_in_any_order(geometry: Geometry, data: st.DataObject) -> None:
    """`batches_of` looks at each record alone."""
    rows = data.draw(st.lists(st.integers(0, geometry.num_records - 1), max_size=20))
    batches = geometry.batches_of(np.array(rows, dtype=np.int64))
    assert all(row in geometry.records(batch) for row, batch in zip(rows, batches.tolist(), strict=True))


@given(geometries(), st.integers(1, 20), st.integers(1, 9))
def test_records_that_are_added_leave_every_batch_as_it_is(geometry: Geometry, added: int, size: int) -> None:
    """What was a batch stays that batch; what is added is cut as it is asked for, a short last batch is not filled."""
    longer = geometry.extended(geometry.num_records + added, size)
    before = [geometry.records(batch) for batch in geometry.batches()]
    after = [longer.records(batch) for batch in longer.batches()]
    assert after[: len(before)] == before
    assert after[len(before)].start == geometry.num_records
    assert all(one.stop == other.start for one, other in pairwise(after))
    assert {len(records) for records in after[len(before) : -1]} <= {size}
    assert len(after[-1]) <= size


@given(geometries(), st.integers(1, 9))
def test_a_geometry_may_stay_but_not_shrink(geometry: Geometry, size: int) -> None:
    """As many records as before: nothing changes, whatever the batch size; fewer are refused with both numbers."""
    assert geometry.extended(geometry.num_records, size) == geometry
    number = geometry.num_records - 1
    with pytest.raises(ValueError, match=f"{number} records are fewer than the {geometry.num_records} "):
        geometry.extended(number, size)
