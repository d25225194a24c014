"""The skip rules: the truth table of the specification, native conditions, and the fail-safe."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.columns.templating.skip_conditions import SkipCondition
from data_designer.config.base import SkipConfig
from data_designer.plan.model import Step


def step(when: str | None = None, *, propagate: bool = True, value: Any = None) -> Step:
    """Make a step `x` that requires `a` and `b__trace`."""
    return Step(
        name="x",
        configs=(),
        needs=("a", "b__trace", "g"),
        makes=("x", "x__trace"),
        scope="cell",
        pool="m",
        required=("a", "b__trace"),
        skip=None if when is None else SkipConfig(when=when, value=value),
        propagate_skip=propagate,
    )


@pytest.mark.parametrize(
    ("upstream", "propagate", "when", "skips"),
    [
        (True, True, None, True),
        (True, True, "{{ g }}", True),
        (True, True, "{{ nowhere }}", True),
        (True, False, None, False),
        (True, False, "{{ not g }}", True),
        (True, False, "{{ g }}", False),
        (False, True, "{{ not g }}", True),
        (False, False, "{{ not g }}", True),
        (False, True, "{{ g }}", False),
        (False, True, None, False),
        (False, False, "{{ nowhere }}", True),
    ],
)
def test_the_truth_table(upstream: bool, propagate: bool, when: str | None, skips: bool) -> None:
    """Propagation decides first, then the condition; a condition that fails skips."""
    skip_condition = SkipCondition(step(when, propagate=propagate))
    assert skip_condition.decide({"a": "1", "g": False}, {"a"} if upstream else ()) is skips


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        ("0", False),
        ("False", False),
        ("", False),
        ("null", False),
        ("[]", False),
        ("yes", True),
        ("1", True),
        ("true", True),
        ({"k": 0}, True),
        (None, False),
        (0.0, False),
    ],
)
def test_a_condition_is_a_python_value(value: Any, truth: bool) -> None:
    """Text that reads as a literal counts as the literal."""
    assert SkipCondition(step("{{ g }}")).decide({"g": value}, ()) is truth


def test_a_condition_sees_decoded_json() -> None:
    """Keys of JSON text can be used, as in prompts."""
    assert SkipCondition(step("{{ g.k == 5 }}")).decide({"g": '{"k": 5}'}, ())


@pytest.mark.parametrize(("skipped", "producers"), [(("b__trace",), {}), (("b",), {"b__trace": "b"})])
def test_a_side_effect_counts_as_its_producer(skipped: tuple[str, ...], producers: Mapping[str, str]) -> None:
    """A skip reaches those who require a side effect, however the caller names it."""
    assert SkipCondition(step(), producers).decide({}, skipped)


def test_columns_of_the_condition_alone_do_not_propagate() -> None:
    """A skipped column that only the condition reads skips nobody."""
    assert not SkipCondition(step("{{ g }}")).decide({"g": None}, {"g"})


def test_a_skipped_cell_holds_the_skip_value_and_nulls() -> None:
    """Values are aligned with what the step makes; without a skip rule they are all null."""
    assert SkipCondition(step("{{ g }}", value="-")).values == ("-", None)
    assert SkipCondition(step()).values == (None, None)


@pytest.mark.parametrize("when", ["{{ missing }}", "{{ g.__class__.mro() }}", "{{ g + 1 }}", "{{ 1 / 0 }}{{ g }}"])
def test_failures_skip_with_one_warning_and_a_count(when: str, caplog: pytest.LogCaptureFixture) -> None:
    """Undefined names, unsafe access and errors of types or values never raise."""
    skip_condition = SkipCondition(step(when))
    with caplog.at_level(logging.WARNING):
        assert all(skip_condition.decide({"g": "text"}, ()) for _ in range(3))
    assert skip_condition.failures == 3
    assert len(caplog.records) == 1
    assert "column=x" in caplog.text


@pytest.mark.parametrize("propagate", [True, False])
@pytest.mark.parametrize(
    "when", [None, "{{ g }}", "{{ g.k > 1 }}", "{{ g + a }}", "{{ nowhere }}", "{{ g in range(3) }}"]
)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers() | st.text(max_size=3) | st.dictionaries(st.just("k"), st.integers()),
            st.sampled_from([None, frozenset(), frozenset({"a"}), frozenset({"g"})]),
            st.booleans(),
        )
    )
)
def test_rows_are_decided_as_their_records_are(when: str | None, propagate: bool, rows: list[Any]) -> None:
    """Of a block the condition reads no more than it names, and decides, fails and counts as for whole records."""
    together, singly = (SkipCondition(step(when, propagate=propagate)) for _ in range(2))
    columns = {"a": [1] * len(rows), "g": [g for g, _, _ in rows], "other": [object()] * len(rows)}
    skipped = [upstream for _, upstream, _ in rows]
    places = [place for place, (_, _, asked) in enumerate(rows) if asked]
    assert [*together.decisions(columns, skipped, places)] == [
        singly.decide({name: values[place] for name, values in columns.items()}, skipped[place] or ())
        for place in places
    ]
    assert together.failures == singly.failures
