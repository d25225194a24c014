"""What became of a batch's records and what they cost, gathered from the values of its stages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from tests.fakes import model
from tests.plans import compiled

import data_designer.config as dd
from data_designer.engine.dataset.accounts import Accounts, accounts_of
from data_designer.engine.dataset.failures import Failure
from data_designer.engine.protocol.messages import CommitJob
from data_designer.engine.protocol.parcels import FAILED, REJECTED, SPENT, Parcel, Source, Values
from data_designer.plan.model import Plan
from data_designer.values import Block, Reason, Usage

SEEDS, X, Y = 0, 1, 2
"""The stages."""
CHEAP = dd.Price(input=1.0, output=2.0)
DEAR = dd.Price(input=100.0, output=200.0)
BAD = Reason("ModelBadRequestError", "HTTP 400: not this one", "y", "half a reply")
WORSE = Reason("ModelRefusalError", "it declines", "x")
ROWS = np.arange(10, 14, dtype=np.int64)
"""Four records."""

Cells = Mapping[int, Any]
"""Record to what it holds."""


def plan(x: dd.Price | None = CHEAP, y: dd.Price | None = DEAR) -> Plan:
    """A seed column, and two text columns of two models with prices."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("a", price=x), model("b", price=y)])
    made.add_column(dd.SeedDatasetColumnConfig(name="n"))
    made.add_column(name="x", column_type="llm-text", model_alias="a", prompt="{{ n }}")
    made.add_column(name="y", column_type="llm-text", model_alias="b", prompt="{{ x }}")
    return compiled(made, 14)


def column(cells: Cells) -> list[Any]:
    """A column of the four records."""
    return [cells.get(row) for row in ROWS.tolist()]


def values(*, spent_x: Cells | None = None, spent_y: Cells | None = None, **others: Cells) -> Values:
    """What the stages made of the four records; further columns are given as `rejected_y` and so on."""
    names = {"rejected": REJECTED, "failed": FAILED}
    columns: dict[int, dict[str, list[Any]]] = {
        SEEDS: {"n": [f"seed {row}" for row in ROWS.tolist()]},
        X: {"x": column({})},
        Y: {"y": column({})},
    }
    for stage, name, spent in ((X, "x", spent_x), (Y, "y", spent_y)):
        if spent is not None:
            columns[stage][SPENT] = column({row: ((name, usage.numbers),) for row, usage in spent.items()})
    for key, cells in others.items():
        what, _, name = key.partition("_")
        columns[X if name == "x" else Y][names[what]] = column(cells)
    return {stage: Block(ROWS, made) for stage, made in columns.items()}


def parcel(rows: list[int], *stages: int) -> Parcel:
    """Some of the four records, with the values of some stages."""
    offsets = np.searchsorted(ROWS, rows)
    sources = tuple(Source(stage, np.zeros(len(rows), dtype=np.int64), offsets) for stage in stages)
    return Parcel(Y, np.array(rows, dtype=np.int64), 0, sources)


def job(kept: list[int], rejected: list[int], *, at: int = Y) -> CommitJob:
    """A batch of the four records, some of which came to nothing at a stage."""
    rejects = tuple(parcel(rejected, stage) for stage in range(at + 1)) if rejected else ()
    return CommitJob(0, parcel(kept, SEEDS, X, Y), np.array(rejected, dtype=np.int64), rejects)


def of(made: Values, kept: list[int], rejected: list[int], *, at: int = Y, plan_: Plan | None = None) -> Accounts:
    """The accounts of a batch."""
    return accounts_of(plan_ or plan(), job(kept, rejected, at=at), [made])


ONE = Usage(requests=1, input_tokens=1000, output_tokens=500)
"""Costs 0.002 USD at the cheap price and 0.2 at the dear one."""


def test_a_rejected_record_is_told_with_everything_that_was_asked_for_it() -> None:
    """Its reason, the requests of all its columns, failed ones too, what they cost, and its seed row."""
    tries = Usage(requests=2, failed_requests=3, input_tokens=2000, output_tokens=1000)
    made = values(spent_x={11: ONE}, spent_y={11: tries}, rejected_y={11: BAD})
    [failure] = of(made, [10, 12, 13], [11]).rejected
    assert (failure.record, failure.reason, failure.attempts) == (11, BAD, 6)
    assert failure.usd == pytest.approx(0.002 + 0.4)
    assert orjson.loads(failure.seed or "") == {"n": "seed 11"}


def test_rejected_records_come_in_order_whatever_stage_rejected_them() -> None:
    """Those that an early stage rejected have no values of later ones."""
    made = values(rejected_x={10: WORSE}, rejected_y={13: BAD})
    rejects = (parcel([10, 13], SEEDS), parcel([10, 13], X), parcel([13], Y))
    batch = CommitJob(0, parcel([11, 12], SEEDS, X, Y), np.array([13, 10], dtype=np.int64), rejects)
    found = accounts_of(plan(), batch, [made]).rejected
    assert [(one.record, one.reason) for one in found] == [(10, WORSE), (13, BAD)]


def test_a_null_filled_record_is_told_once_a_cell_that_failed() -> None:
    """The record is kept; each of its failed cells has its reason, with the costs of the whole record."""
    other = Reason("ModelRefusalError", "no", "y")
    made = values(spent_x={12: ONE}, failed_x={12: (WORSE,)}, failed_y={12: (other,)})
    accounts = of(made, ROWS.tolist(), [])
    assert accounts.rejected == []
    assert [(one.record, one.reason, one.attempts) for one in accounts.nulled] == [(12, WORSE, 1), (12, other, 1)]
    assert [one.usd for one in accounts.nulled] == [pytest.approx(0.002)] * 2


def test_a_null_in_a_record_that_is_rejected_after_all_is_no_null_filled_record() -> None:
    """Only what is in the data counts as such."""
    made = values(failed_x={11: (WORSE,)}, rejected_y={11: BAD})
    accounts = of(made, [10, 12, 13], [11])
    assert accounts.nulled == []
    assert [one.reason for one in accounts.rejected] == [BAD]


@pytest.mark.parametrize(("x", "y"), [(None, CHEAP), (CHEAP, None), (None, None)])
def test_without_all_prices_nobody_claims_to_know_a_record_s_cost(x: dd.Price | None, y: dd.Price | None) -> None:
    """A sum that leaves something out would mislead; the attempts are counted all the same."""
    made = values(spent_x={11: ONE}, spent_y={11: ONE}, rejected_y={11: BAD})
    [failure] = of(made, [10, 12, 13], [11], plan_=plan(x, y)).rejected
    assert (failure.usd, failure.attempts) == (None, 2)


def test_a_price_that_is_missing_of_a_model_that_was_not_asked_does_not_matter() -> None:
    """What was asked has a price, so the cost is known."""
    made = values(spent_x={11: ONE}, rejected_x={11: WORSE})
    [failure] = of(made, [10, 12, 13], [11], at=X, plan_=plan(CHEAP, None)).rejected
    assert failure.usd == pytest.approx(0.002)


def test_a_record_whose_reason_is_lost_is_rejected_all_the_same() -> None:
    """The machine that held the reason is gone; the record is told as such, at no known cost."""
    batch = CommitJob(0, parcel([10, 12, 13], SEEDS, X, Y), np.array([11], dtype=np.int64), ())
    [failure] = accounts_of(plan(), batch, [values()]).rejected
    assert (failure.record, failure.reason.kind, failure.attempts, failure.seed) == (11, "LostWork", 0, None)


def test_a_column_s_costs_are_those_of_all_its_cells() -> None:
    """Kept and rejected ones, each with the price of its own model."""
    made = values(spent_x=dict.fromkeys((10, 11), ONE), spent_y={10: ONE, 11: ONE, 12: ONE}, rejected_y={11: BAD})
    spent = of(made, [10, 12, 13], [11]).spent
    assert {name: (one.alias, one.usage, one.cells) for name, one in spent.items()} == {
        "x": ("a", Usage(requests=2, input_tokens=2000, output_tokens=1000), 2),
        "y": ("b", Usage(requests=3, input_tokens=3000, output_tokens=1500), 3),
    }
    assert spent["x"].usd == pytest.approx(0.004)
    assert spent["y"].usd == pytest.approx(0.6)


def test_tokens_from_a_cache_cost_what_the_price_says() -> None:
    """Cached input has a price of its own; where it has none, that of other input."""
    usage = Usage(requests=1, input_tokens=1_000_000, cached_tokens=400_000)
    made = values(spent_x={10: usage}, spent_y={10: usage})
    spent = of(made, ROWS.tolist(), [], plan_=plan(dd.Price(input=1.0, cached_input=0.5), CHEAP)).spent
    assert spent["x"].usd == pytest.approx(0.6 + 0.2)
    assert spent["y"].usd == pytest.approx(1.0)


def test_a_first_pass_is_a_good_cell_of_one_reply() -> None:
    """A cell that needed a second reply is none, nor one that failed; requests that failed before it do not matter."""
    second = Usage(requests=2)
    after_errors = Usage(requests=1, failed_requests=4)
    made = values(
        spent_x={10: ONE, 11: second, 12: after_errors, 13: ONE},
        spent_y={10: ONE, 12: ONE, 13: ONE},
        failed_y={12: (Reason("ModelRefusalError", "no", "y"),)},
        rejected_y={13: BAD},
    )
    accounts = of(made, [10, 11, 12], [13])
    assert {name: (one.cells, one.first_pass) for name, one in accounts.spent.items()} == {"x": (4, 3), "y": (3, 1)}


def test_a_conversation_has_no_first_pass() -> None:
    """It takes several replies by design: nothing is to be mended where each cell has six."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("a", price=CHEAP), model("b", price=DEAR)])
    made.add_column(dd.SeedDatasetColumnConfig(name="n"))
    made.add_column(name="y", column_type="llm-text", model_alias="b", prompt="{{ n }}")
    roles = [dd.ConversationRole(name=name, prompt="x", model_alias=name) for name in ("a", "b")]
    made.add_column(dd.LLMConversationColumnConfig(name="x", roles=roles, max_turns=6))
    spent = values(spent_x={10: Usage(requests=6)}, spent_y={10: ONE})
    accounts = of(spent, ROWS.tolist(), [], plan_=compiled(made, 14))
    assert {name: one.first_pass for name, one in accounts.spent.items()} == {"x": None, "y": 1}
    assert (accounts.spent["x"] + accounts.spent["x"]).first_pass is None


def test_what_was_never_asked_is_in_no_account() -> None:
    """A batch of which everything was skipped costs nothing."""
    assert of(values(), ROWS.tolist(), []) == Accounts()


def test_values_of_several_machines_are_put_together() -> None:
    """Each row is looked up where its values are, whichever of those that travelled along hold them."""
    here, there = values(spent_x={10: ONE}), values(spent_x={13: ONE}, rejected_y={13: BAD})
    place = np.array([0, 0, 0, 1], dtype=np.int64)
    kept = Parcel(Y, ROWS[:3], 0, tuple(Source(s, place[:3], np.arange(3)) for s in (SEEDS, X, Y)))
    rejects = tuple(Parcel(s, ROWS[3:], 0, (Source(s, place[3:], np.array([3])),)) for s in (SEEDS, X, Y))
    accounts = accounts_of(plan(), CommitJob(0, kept, ROWS[3:], rejects), [here, there])
    [failure] = accounts.rejected
    assert replace(failure, usd=None) == Failure(13, BAD, 1, None, '{"n":"seed 13"}')
    assert (accounts.spent["x"].usage, accounts.spent["x"].cells) == (ONE + ONE, 2)
    assert [failure.usd, accounts.spent["x"].usd] == pytest.approx([0.002, 0.004])
