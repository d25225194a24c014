"""Plans that tests of the engine run or look at."""

from collections.abc import Iterable
from typing import Any

from tests.fakes import NOWHERE, provider

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.engine.dataset.metadata import Metadata
from data_designer.plan.compile import compile_plan
from data_designer.plan.model import Geometry, Plan

Text = tuple[str, str]
"""Alias of a model, and what it is asked."""


def texts(models: Iterable[dd.ModelConfig], **columns: Text) -> dd.DataDesignerConfigBuilder:
    """A column `id`, and a text column for each name that is given."""
    made = dd.DataDesignerConfigBuilder(model_configs=list(models))
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    for name, (alias, prompt) in columns.items():
        made.add_column(name=name, column_type="llm-text", model_alias=alias, prompt=prompt)
    return made


def compiled(made: dd.DataDesignerConfigBuilder, records: int, buffer_size: int | None = None, **run: Any) -> Plan:
    """The plan of so many records, in one batch unless told otherwise, of models of the provider `p`."""
    geometry = Geometry(records, buffer_size or records)
    return compile_plan(made.build(), {"p": provider(NOWHERE)}, dd.RunConfig(**run), geometry, seed=1, kinds=KINDS)


def metadata_of(run: int) -> Metadata:
    """Metadata of which only the number of the run counts."""
    return Metadata(target_num_records=1, requested_num_records=1, buffer_size=1, earlier_geometry=(), seed=0, run=run)
