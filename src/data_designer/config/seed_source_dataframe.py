"""A DataFrame as a seed source."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, field_validator

from data_designer.config.seed_source import SeedSource

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any  # Declaring does not import pandas.


class DataFrameSeedSource(SeedSource):
    """Rows of a pandas DataFrame.

    It cannot stand in a file: `LocalFileSeedSource.from_dataframe` writes one that can.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    seed_type: Literal["df"] = "df"
    df: DataFrame = Field(exclude=True, repr=False)
    """The rows; columns keep their types, as those of Parquet do."""

    @field_validator("df")
    @classmethod
    def _is_a_frame(cls, df: object) -> object:
        import pandas as pd

        if not isinstance(df, pd.DataFrame):
            raise ValueError(f"df must be a pandas DataFrame, not {type(df).__name__}")  # noqa: TRY004 - pydantic
        return df
