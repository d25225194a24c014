"""Kinds of samplers stand in one list, and nobody else tells them apart."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import data_designer
from data_designer.columns.samplers.registry import SAMPLERS, needs, sampler_of
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_params import (
    SAMPLER_PARAMS,
    CategorySamplerParams,
    SamplerType,
    UniformSamplerParams,
)


def column(sampler_type: str, params: object, **options: object) -> SamplerColumnConfig:
    """Declare a sampler column as a file does."""
    declared = {"name": "x", "sampler_type": sampler_type, "params": params, **options}
    return SamplerColumnConfig.model_validate(declared)


def test_every_type_has_its_parameters_and_its_sampler() -> None:
    """What the enumeration names can be declared, and what can be declared can be drawn."""
    assert list(SAMPLER_PARAMS) == list(SamplerType)
    assert [sampler.params for sampler in SAMPLERS] == list(SAMPLER_PARAMS.values())


def test_parameters_and_columns_lead_to_their_sampler() -> None:
    """However the type was written."""
    params = UniformSamplerParams(low=0, high=1)
    assert sampler_of(params).params is UniformSamplerParams
    assert sampler_of(column("category", {"values": [1]})).params is CategorySamplerParams
    declared = SamplerColumnConfig(name="x", sampler_type=SamplerType.UNIFORM, params=params)
    assert sampler_of(declared).params is UniformSamplerParams


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (column("uuid", {}), set()),
        (column("subcategory", {"category": "city", "values": {}}), {"city"}),
        (column("timedelta", {"dt_min": 0, "dt_max": 1, "reference_column_name": "start"}), {"start"}),
        (column("bernoulli", {"p": 0.5}, conditional_params={"a.b > 1 and range(n)": {"p": 1}}), {"a", "n"}),
        (
            column(
                "timedelta",
                {"dt_min": 0, "dt_max": 1, "reference_column_name": "start"},
                conditional_params={"x == 'a'": {"dt_min": 0, "dt_max": 1, "reference_column_name": "end"}},
            ),
            {"start", "end", "x"},
        ),
    ],
)
def test_a_column_needs_what_its_parameters_and_conditions_name(
    declared: SamplerColumnConfig, expected: set[str]
) -> None:
    """Plain and conditional ones; itself too, where it names itself."""
    assert needs(declared) == expected


AT_HOME = ("columns/samplers/", "config/", "simulated_model/")
"""Where types of samplers are told apart; the simulated model's jitter has a kind of the same name."""
NAMES = set(SamplerType) - {"datetime", "timedelta", "uuid"}
"""Words that name nothing else in the product."""


def compared(tree: ast.AST) -> Iterator[ast.expr]:
    """What values are compared with, looked up in a table of, or matched against."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                yield from (part for one in (left, *others) for part in ast.walk(one) if isinstance(part, ast.expr))
            case ast.Dict(keys=keys):
                yield from (key for key in keys if key is not None)
            case ast.MatchValue(value=value):
                yield value


def names_a_type(node: ast.expr) -> bool:
    """Whether an expression is a type of samplers, as text or as a member of the enumeration."""
    match node:
        case ast.Constant(value=str(text)):
            return text in NAMES
        case ast.Attribute(value=ast.Name(id="SamplerType")):
            return True
        case _:
            return False


def test_no_other_room_tells_types_of_samplers_apart() -> None:
    """They ask the sampler, so that a new one is one file."""
    root = Path(data_designer.__file__).parent
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}
    found = {
        name
        for name, path in files.items()
        if not name.startswith(AT_HOME) and any(map(names_a_type, compared(ast.parse(path.read_text()))))
    }
    assert not found
