"""The Arrow types that declarations of samplers fix."""

from typing import Any

import pyarrow as pa
import pytest

from data_designer.columns.samplers.arrow_types import arrow_type
from data_designer.config.column_configs import SamplerColumnConfig

PARAMS: dict[str, dict[str, Any]] = {
    "bernoulli": {"p": 0.5},
    "bernoulli_mixture": {"p": 0.5, "dist_name": "poisson", "dist_params": {"mu": 1}},
    "binomial": {"n": 2, "p": 0.5},
    "category": {"values": ["a"]},
    "datetime": {"start": "2020", "end": "2021"},
    "gaussian": {"mean": 0, "stddev": 1},
    "person": {},
    "person_from_faker": {},
    "poisson": {"mean": 1},
    "scipy": {"dist_name": "poisson", "dist_params": {"mu": 1}},
    "subcategory": {"category": "c", "values": {"a": [1], "b": [2, 3]}},
    "timedelta": {"dt_min": 0, "dt_max": 1, "reference_column_name": "start"},
    "uniform": {"low": 0, "high": 1},
    "uuid": {},
}


def column(sampler_type: str, **options: Any) -> SamplerColumnConfig:
    """Declare a sampler column."""
    declared = {"name": "x", "sampler_type": sampler_type, "params": PARAMS[sampler_type], **options}
    return SamplerColumnConfig.model_validate(declared)


@pytest.mark.parametrize(
    ("sampler_type", "expected"),
    [
        ("bernoulli", pa.int64()),
        ("bernoulli_mixture", pa.float64()),
        ("binomial", pa.int64()),
        ("category", pa.string()),
        ("datetime", pa.string()),
        ("gaussian", pa.float64()),
        ("person", None),
        ("person_from_faker", None),
        ("poisson", pa.int64()),
        ("scipy", pa.float64()),
        ("subcategory", pa.int64()),
        ("timedelta", pa.string()),
        ("uniform", pa.float64()),
        ("uuid", pa.string()),
    ],
)
def test_each_type_has_its_own(sampler_type: str, expected: pa.DataType | None) -> None:
    """People are objects whose type their values decide."""
    assert arrow_type(column(sampler_type)) == expected


@pytest.mark.parametrize(
    ("convert_to", "expected"), [("int", pa.int64()), ("float", pa.float64()), ("str", pa.string())]
)
def test_convert_to_decides_but_where_values_are_text(convert_to: str, expected: pa.DataType) -> None:
    """Numbers and listed values are converted; moments and identifiers stay text."""
    for sampler_type in ("uniform", "bernoulli", "category", "subcategory"):
        assert arrow_type(column(sampler_type, convert_to=convert_to)) == expected
    for sampler_type in ("datetime", "timedelta", "uuid"):
        assert arrow_type(column(sampler_type, convert_to=convert_to)) == pa.string()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "b"], pa.string()),
        ([True, False], pa.bool_()),
        ([1.5], pa.float64()),
        ([1, 2.5], pa.float64()),
        ([2**53 + 1, 2.5], None),
        ([-(2**53), 2.5], pa.float64()),
        ([-(2**63), 2**63 - 1], pa.int64()),
        ([0, 2**63], pa.uint64()),
        ([-1, 2**63], None),
        ([2**64], None),
        (["a", 1], None),
        ([True, 1], None),
    ],
)
def test_listed_values_have_the_type_that_holds_all_of_them(values: list[Any], expected: pa.DataType | None) -> None:
    """Without loss; where there is none, the dataset's values decide."""
    assert arrow_type(column("category", params={"values": values})) == expected


def test_values_of_conditional_parameters_count() -> None:
    """They stand in the same column."""
    assert arrow_type(column("category", conditional_params={"n > 1": {"values": [1]}})) is None
    assert arrow_type(column("category", conditional_params={"n > 1": {"values": ["b"]}})) == pa.string()


def test_a_category_without_values_has_no_type() -> None:
    """A subcategory may list none."""
    assert arrow_type(column("subcategory", params={"category": "c", "values": {}})) is None
