"""What is known of a dataset's columns."""

from pydantic import BaseModel, Field


class DatasetMetadata(BaseModel):
    """What is known of a dataset's columns."""

    seed_column_names: list[str] = Field(default_factory=list)
    """Columns of the seed dataset."""
