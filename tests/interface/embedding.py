"""A dataset of embeddings that tests make in several ways, and what its vectors are."""

import struct
from pathlib import Path
from typing import Any

from tests.counting import embedding_of
from tests.fakes import designer, numbered

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults

RECORDS = 60
SLOTS = 3
TEXTS = 5
"""That go into a request."""
DIMENSIONS = 12
"""Of the vectors that counting endpoints give."""


def declared(**params: Any) -> dd.DataDesignerConfigBuilder:
    """A text about each seed row, and its vector."""
    inference = dd.EmbeddingInferenceParams(
        **{"max_parallel_requests": SLOTS, "texts_per_request": TEXTS, "dimensions": DIMENSIONS, **params}
    )
    model = dd.ModelConfig(alias="e", model="e", provider="p", skip_health_check=True, inference_parameters=inference)
    made = dd.DataDesignerConfigBuilder(model_configs=[model])
    made.with_seed_dataset(numbered(RECORDS))
    made.add_column(name="text", column_type="expression", expr="row {{ n }}")
    made.add_column(name="vector", column_type="embedding", target_column="text", model_alias="e")
    return made


def make(
    url: str, path: Path, mode: str = "never", params: dict[str, Any] | None = None, **run: Any
) -> DatasetCreationResults:
    """Make it, or go on with it."""
    builder = declared(**(params or {}))
    return designer(url, path, **run).create(builder, num_records=RECORDS, dataset_name="d", resume=mode)


def cell_of(text: str) -> dict[str, Any]:
    """What the cell of a text holds: numbers of 32 bits."""
    numbers = embedding_of(text)
    single = struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers))
    return {"embeddings": [list(single)], "num_embeddings": 1, "dimension": len(numbers)}
