"""The page of a dataset of which everything is large, and written in characters that take the most bytes."""

from typing import Any

from tests.run_accounts import some_accounts

from data_designer.engine.dataset.failures import Failure
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.profile import profile_columns
from data_designer.engine.dataset.totals import Totals
from data_designer.engine.protocol.spending import Spending
from data_designer.interface.report.batch_line import BatchLine
from data_designer.interface.report.facts import Extras, Facts
from data_designer.interface.report.page import page
from data_designer.interface.report.samples import MOST_RECORDS, MOST_REJECTED, Sample
from data_designer.interface.report.state import State
from data_designer.values import Reason, Usage

LARGEST = 5_000_000
"""Bytes."""
MANY = 300
"""Columns, models, causes, settings."""


def odd(number: int, length: int) -> str:
    """A text of characters that are written out, or of several bytes."""
    return str(number) + '"<&😀\x1b' * (length // 5)


def large() -> Facts:
    """Facts of a dataset of many columns, each with a long name and long values."""
    names = [odd(number, 300) for number in range(MANY)]
    columns = [
        {"name": name, "column_type": "llm-text", "model_alias": name, "prompt": odd(1, 30_000), "x": odd(2, 30_000)}
        for name in names
    ]
    models: list[dict[str, Any]] = [{"alias": name, "model": name, "provider": name} for name in names]
    values: list[object] = [odd(number % 12, 90) for number in range(100)]
    totals = Totals(generated=10**8, rejected=10**6, complete=10**5)
    totals.profile = profile_columns(dict.fromkeys(names, values), {})
    totals.spent = {name: Spending(name, Usage(10**9, 10**6, 10**12, 10**12), 10**9, 10**8, 1e5) for name in names}
    totals.reasons = {name: {"count": 5, "column": name, "record": 1, "message": odd(3, 500)} for name in names}
    reason = Reason(names[0], odd(4, 30_000), names[1], odd(5, 30_000))
    record: dict[str, object] = {name: odd(6, 30_000) for name in names}
    return Facts(
        name=names[0],
        state=State("running", odd(7, 300)),
        metadata=Metadata(
            target_num_records=10**8, requested_num_records=10**8, buffer_size=1000, earlier_geometry=(), seed=1,
            run_config={name: odd(8, 30_000) for name in names},
        ),
        declared={"columns": columns, "model_configs": models, "seed_config": {"path": odd(9, 30_000)}},
        totals=totals,
        batches=BatchLine(10**5),
        accounts=some_accounts(dict.fromkeys(names, 64), {name: name for name in names}),
        sample=Sample(MOST_RECORDS, [(number, record) for number in range(MOST_RECORDS)]),
        rejected=[Failure(number, reason, 3, 0.1, odd(10, 30_000)) for number in range(MOST_REJECTED)],
        extras=Extras(advice=[odd(11, 30_000)] * MANY, conversation=lambda *_: odd(12, 100_000)),
    )  # fmt: skip


def test_no_dataset_makes_a_page_of_more_than_five_megabytes() -> None:
    """What does not fit is left out, and the page says so."""
    content = page(large())
    assert len(content.encode()) <= LARGEST
    for left_out in ("200 further columns are left out", "further characters are left out", "the report would be too"):
        assert left_out in content
