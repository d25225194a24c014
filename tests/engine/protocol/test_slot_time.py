"""Accounts of runs: they add up, they are the same after JSON, and a timeline stays short."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_designer.engine.protocol.distribution import Distribution
from data_designer.engine.protocol.slot_time import (
    MOST_SAMPLES,
    Account,
    AliasAccounts,
    ColumnAccounts,
    RunAccounts,
    Sample,
    compact,
)

SECONDS = st.dictionaries(st.sampled_from(Account), st.integers(0, 100).map(float))
ALIASES = st.builds(
    AliasAccounts,
    st.just("model"),
    st.integers(1, 64),
    st.integers(0, 100).map(float),
    SECONDS,
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
    st.none() | st.integers(1, 64),
)
COLUMNS = st.builds(
    ColumnAccounts,
    st.just("a"),
    st.integers(0, 100),
    st.integers(0, 100),
    st.builds(Distribution, st.lists(st.integers(0, 9).map(float), max_size=5)),
)
SAMPLES = st.builds(
    Sample,
    st.integers(0, 100).map(float),
    st.integers(1, 9).map(float),
    st.integers(0, 9),
    st.integers(0, 9),
    st.dictionaries(st.sampled_from("ab"), SECONDS),
)
RUNS = st.builds(
    RunAccounts,
    st.integers(1, 9),
    st.integers(1, 100).map(float),
    st.integers(0, 100).map(float),
    st.just("inline"),
    st.dictionaries(st.sampled_from("ab"), ALIASES),
    st.dictionaries(st.sampled_from("xyz"), COLUMNS),
    st.integers(1, 8),
    st.dictionaries(st.sampled_from(["x", "y, z"]), st.integers(0, 9).map(float)),
    st.integers(0, 9).map(float),
    st.lists(SAMPLES, max_size=4).map(tuple),
)


@given(RUNS)
def test_json_keeps_everything(run: RunAccounts) -> None:
    """What was written is what is read."""
    assert RunAccounts.from_dict(json.loads(json.dumps(run.to_dict()))) == run


@given(RUNS, RUNS)
def test_two_runs_add_up(one: RunAccounts, other: RunAccounts) -> None:
    """Seconds, slot-seconds, cells and requests, alias by alias and column by column."""
    both = one + other
    assert both.seconds == one.seconds + other.seconds
    for alias in {*one.aliases, *other.aliases}:
        parts = [run.aliases[alias] for run in (one, other) if alias in run.aliases]
        assert both.aliases[alias].slot_seconds == sum(part.slot_seconds for part in parts)
        assert both.aliases[alias].requests == sum(part.requests for part in parts)
        for account in Account:
            wanted = sum(part.seconds.get(account, 0.0) for part in parts)
            assert both.aliases[alias].seconds.get(account, 0.0) == wanted
    for column in {*one.columns, *other.columns}:
        parts_of = [run.columns[column] for run in (one, other) if column in run.columns]
        assert both.columns[column].cells == sum(part.cells for part in parts_of)
        assert both.columns[column].latency.count == sum(part.latency.count for part in parts_of)


@given(RUNS)
def test_a_run_of_nothing_adds_nothing(run: RunAccounts) -> None:
    """So that sums can begin with it."""
    assert RunAccounts() + run == run


def test_the_later_run_follows_in_the_timeline() -> None:
    """Its samples begin where the earlier run ended."""
    run = RunAccounts(seconds=10.0, timeline=(Sample(0.0, 10.0, 1, 1, {}),))
    assert [one.at for one in (run + run).timeline] == [0.0, 10.0]


def test_a_timeline_is_brought_down_without_loss() -> None:
    """Neighbours are added up: seconds, cells, records and slot-seconds stay."""
    samples = tuple(Sample(float(at), 1.0, 2, 1, {"a": {Account.ASKING: 3.0}}) for at in range(MOST_SAMPLES + 1))
    short = compact(samples)
    assert len(short) <= MOST_SAMPLES
    assert sum(one.seconds for one in short) == len(samples)
    assert sum(one.cells for one in short) == 2 * len(samples)
    assert sum(one.slots["a"][Account.ASKING] for one in short) == pytest.approx(3.0 * len(samples))
    assert [one.at for one in short] == sorted(one.at for one in short)
