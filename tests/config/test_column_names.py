"""What a column, and what a judge gives, must be called and hold at least."""

import pytest
from pydantic import ValidationError

import data_designer.config as dd


def test_a_column_has_a_name() -> None:
    """One that has none could be neither referred to nor read."""
    with pytest.raises(ValidationError, match="a column needs a name"):
        dd.ExpressionColumnConfig(name="", expr="x")


def test_a_score_has_an_option() -> None:
    """A model that has none to choose from is not asked."""
    with pytest.raises(ValidationError, match="a score needs options"):
        dd.Score(name="a", description="b", options={})
