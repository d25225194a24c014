"""Columns of embeddings: not made by this version."""

from data_designer.columns.unsupported import not_yet, refuse
from data_designer.config.column_configs import EmbeddingColumnConfig
from data_designer.plan.kinds import ColumnKind

EMBEDDING = ColumnKind(
    config=EmbeddingColumnConfig,
    build=refuse,
    check=not_yet,
)
