"""Costs of columns: they add up, over batches and over columns of one alias, and survive a receipt."""

import dataclasses

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data_designer.config as dd
from data_designer.engine.protocol.spending import Spending, by_alias, summed
from data_designer.models.admission.budget_lease import Amount, amount_of, cost
from data_designer.values import Usage

NUMBERS = st.integers(0, 10**9)
USAGES = st.builds(Usage, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
SPENT = st.builds(Spending, st.sampled_from("ab"), USAGES, NUMBERS, NUMBERS, st.integers(0, 1000).map(float))
COLUMNS = st.dictionaries(st.sampled_from(["x", "y", "z"]), SPENT)


def test_two_batches_of_a_column_add_up() -> None:
    """Usage, cells, first passes and USD, each for itself."""
    one = Spending("a", Usage(1, 2, 3, 4, 5, 6), 7, 5, 0.25, 2)
    assert one + one == Spending("a", Usage(2, 4, 6, 8, 10, 12), 14, 10, 0.5, 4)


@given(st.lists(COLUMNS, max_size=5))
def test_nothing_is_lost_when_batches_are_summed(batches: list[dict[str, Spending]]) -> None:
    """Every column of every batch is in the sum once."""
    total = summed(batches)
    assert set(total) == {column for batch in batches for column in batch}
    for column, spent in total.items():
        parts = [batch[column] for batch in batches if column in batch]
        assert spent.usage == Usage.total([part.usage for part in parts])
        assert spent.cells == sum(part.cells for part in parts)
        assert spent.first_pass == sum(part.first_pass for part in parts)
        assert spent.usd == sum(part.usd for part in parts)


@given(COLUMNS)
def test_columns_of_one_alias_are_one_usage(spent: dict[str, Spending]) -> None:
    """What was asked of an alias is what its columns asked."""
    usage = by_alias(spent)
    assert set(usage) == {one.alias for one in spent.values()}
    for alias, total in usage.items():
        assert total == Usage.total([one.usage for one in spent.values() if one.alias == alias])


@given(SPENT)
def test_it_is_read_back_from_json_as_it_was(spent: Spending) -> None:
    """As it stands in a receipt."""
    assert Spending.from_dict(orjson.loads(orjson.dumps(dataclasses.asdict(spent)))) == spent


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        (None, 0.0),
        (dd.Price(), 0.0),
        (dd.Price(input=2.0), 2.0),
        (dd.Price(output=8.0), 4.0),
        (dd.Price(input=2.0, output=8.0), 6.0),
        (dd.Price(input=2.0, output=8.0, cached_input=0.5), 5.4),
        (dd.Price(input=2.0, cached_input=0.0), 1.2),
    ],
)
def test_a_price_is_for_a_million_tokens(price: dd.Price | None, usd: float) -> None:
    """Input, output with what was thought, and cached input, which costs as other input where nothing is said."""
    usage = Usage(
        requests=3, input_tokens=1_000_000, output_tokens=500_000, reasoning_tokens=100_000, cached_tokens=400_000
    )
    assert cost(usage, price) == pytest.approx(usd)


def test_failed_requests_are_requests_and_tokens_are_in_and_out() -> None:
    """What a usage takes out of a budget."""
    usage = Usage(requests=3, failed_requests=2, input_tokens=1_000_000, output_tokens=7, reasoning_tokens=5)
    assert amount_of(usage, dd.Price(input=1.5)) == Amount(1.5, 1_000_007, 5)
