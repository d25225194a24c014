"""Services of tests that judge rows, and a dataset whose rows they judge."""

import json
from collections.abc import Callable
from typing import Any

from tests.counting import Reply
from tests.fakes import designer, numbered

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults
from data_designer.object_storage import Location

SLOTS = 3
"""Requests at once."""
SIZE = 5
"""Rows a request."""
BATCH = 12
"""Records a batch: two full requests and a short one."""
RECORDS = 30
REQUESTS = 8
"""Of an undisturbed run: three, three and two."""


def rows_of(prompt: str) -> list[dict[str, Any]]:
    """The rows of a request."""
    found: list[dict[str, Any]] = json.loads(prompt)
    return found


def verdicts(prompt: str) -> Reply:
    """Even numbers are valid; each verdict says of which row it is."""
    return Reply(json.dumps({"data": [{"is_valid": not row["n"] % 2, "of": row["n"]} for row in rows_of(prompt)]}))


def failing_for(rows: set[int], reply: Reply) -> Callable[[str], Reply]:
    """Verdicts, but for requests that have any of some rows."""
    return lambda prompt: reply if rows & {row["n"] for row in rows_of(prompt)} else verdicts(prompt)


def judged(url: str, **more: Any) -> dd.DataDesignerConfigBuilder:
    """Numbers, a text that is no target, verdicts on the numbers, and what is made of these."""
    made = dd.DataDesignerConfigBuilder(model_configs=[])
    made.with_seed_dataset(numbered())
    made.add_column(name="text", column_type="expression", expr="row {{ n }}")
    params = {"endpoint_url": url.replace("/v1", "/check"), "max_parallel_requests": SLOTS, "max_retries": 1}
    made.add_column(
        name="verdict",
        column_type="validation",
        target_columns=["n"],
        validator_type="remote",
        validator_params={**params, **more.pop("params", {})},
        batch_size=SIZE,
        **more,
    )
    return made.add_column(name="said", column_type="expression", expr="{{ verdict.is_valid }}")


def make(url: str, path: Location, resume: str = "never", records: int = RECORDS, **run: Any) -> DatasetCreationResults:
    """Make it, or go on with it."""
    settings = {"buffer_size": BATCH, "seed": 1, **run}
    return designer(url, path, **settings).create(judged(url), num_records=records, dataset_name="d", resume=resume)
