"""What is wrong with sampler columns is said before anything is drawn."""

from typing import Any

import pytest

from data_designer.columns.samplers.checks import check_samplers
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_constraints import (
    ColumnInequalityConstraint,
    Constraint,
    InequalityOperator,
    ScalarInequalityConstraint,
)
from data_designer.config.sampler_params import (
    BernoulliMixtureSamplerParams,
    BinomialSamplerParams,
    CategorySamplerParams,
    DatetimeSamplerParams,
    GaussianSamplerParams,
    PersonFromFakerSamplerParams,
    PersonSamplerParams,
    PoissonSamplerParams,
    SamplerType,
    ScipySamplerParams,
    SubcategorySamplerParams,
    TimeDeltaSamplerParams,
    UniformSamplerParams,
    UUIDSamplerParams,
)

UNIT = UniformSamplerParams(low=0, high=1)
WORDS = CategorySamplerParams(values=["a", "b"])
MIXED = CategorySamplerParams(values=["a", 1])
DAY = DatetimeSamplerParams(start="2020-01-01", end="2021-01-01")


def column(name: str, params: Any, **options: Any) -> SamplerColumnConfig:
    """Declare a sampler column."""
    kind = SamplerType(params.sampler_type)
    return SamplerColumnConfig(name=name, sampler_type=kind, params=params, **options)


def than(target: str, rhs: float | str) -> Constraint:
    """Constrain a column to be less than a number or another column."""
    if isinstance(rhs, str):
        return ColumnInequalityConstraint(target_column=target, rhs=rhs, operator=InequalityOperator.LT)
    return ScalarInequalityConstraint(target_column=target, rhs=rhs, operator=InequalityOperator.LT)


def only(columns: list[SamplerColumnConfig], *constraints: Constraint) -> tuple[str, str]:
    """Expect exactly one thing to be wrong."""
    [found] = check_samplers(columns, constraints)
    return found


def scipy(name: str, **params: Any) -> ScipySamplerParams:
    """Declare a distribution."""
    return ScipySamplerParams(dist_name=name, dist_params=params)


def test_a_sound_configuration_passes() -> None:
    """Nothing is found where nothing is wrong."""
    columns = [
        column("city", WORDS),
        column("x", UNIT, conditional_params={"city == 'a' and range(3)": UNIT}),
        column("street", SubcategorySamplerParams(category="city", values={"a": [1], "b": [2]}), convert_to="int"),
        column("start", DAY, convert_to="%Y"),
        column("end", TimeDeltaSamplerParams(dt_min=0, dt_max=3, reference_column_name="start")),
        column("id", UUIDSamplerParams(), convert_to="ignored"),
        column("gamma", scipy("gamma", a=2)),
        column("zipf", scipy("zipf", a=1.0001)),
    ]
    constraints = [than("x", 0.5), than("gamma", "x"), than("end", "start"), than("street", 3), than("city", "id")]
    assert check_samplers(columns, constraints) == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (UniformSamplerParams(low=2, high=1), "low (2) is greater than high (1)"),
        (UniformSamplerParams(low=0, high=float("inf")), "must be finite"),
        (GaussianSamplerParams(mean=0, stddev=-1), "stddev (-1) is negative"),
        (GaussianSamplerParams(mean=float("nan"), stddev=1), "must be finite"),
        (DatetimeSamplerParams(start="2021-01-01", end="2021-01-01"), "start (2021-01-01) is not before end"),
        (BinomialSamplerParams(n=-1, p=0.5), "not defined for"),
        (PoissonSamplerParams(mean=-1), "not defined for"),
        (BernoulliMixtureSamplerParams(p=0.5, dist_name="nothing", dist_params={}), "no distribution"),
        (scipy("nothing"), "no distribution of single numbers named 'nothing'"),
        (scipy("multivariate_normal", mean=[0, 0]), "no distribution of single numbers"),
        (scipy("rv_continuous"), "no distribution of single numbers"),
        (scipy("gamma"), "refuses {}"),
        (scipy("gamma", a=2, nonsense=1), "nonsense"),
        (scipy("gamma", a=-2), "not defined for {'a': -2}"),
        (scipy("zipf", a=0.5), "scipy.stats.zipf"),
        (scipy("norm", loc=[0, 1]), "scipy.stats.norm"),
        (scipy("norm", loc="far"), "refuses"),
        (PersonSamplerParams(locale="fr_FR").at("/nowhere/fr_FR.parquet"), "no managed person data for locale fr_FR"),
    ],
)
def test_parameters_that_cannot_be_drawn_are_refused(params: Any, said: str) -> None:
    """Each is named with its column, in the plain parameters and in conditional ones alike."""
    name, message = only([column("x", params)])
    assert name == "x"
    assert said in message
    if params.sampler_type not in ("person", "datetime"):
        assert said in only([column("y", UNIT), column("x", params, conditional_params={"y > 0.5": params})])[1]


@pytest.mark.parametrize(
    ("params", "convert_to", "said"),
    [
        (UNIT, "bool", "one of int, float, str; not 'bool'"),
        (UNIT, "%Y", "one of int, float, str"),
        (DAY, "str", "strftime pattern"),
        (WORDS, "float", "'a' cannot be converted to float"),
        (CategorySamplerParams(values=["1", "nan"]), "int", "'nan' cannot be converted to int"),
    ],
)
def test_conversions_that_cannot_be_made_are_refused(params: Any, convert_to: str, said: str) -> None:
    """`convert_to` must fit the kind, and the values."""
    assert said in check_samplers([column("x", params, convert_to=convert_to)], ())[0][1]


@pytest.mark.parametrize("condition", ["n >", "{{ n }}", "n | nowhere", "n }}{{ n", ""])
def test_a_condition_that_is_no_expression_is_refused(condition: str) -> None:
    """The message quotes the condition and says how it is written."""
    columns = [column("n", UNIT), column("x", UNIT, conditional_params={condition: UNIT})]
    assert "is no expression" in only(columns)[1]


def test_a_condition_may_only_refer_to_samplers() -> None:
    """Other columns do not exist yet when samplers are drawn."""
    found = only([column("x", UNIT, conditional_params={"story == 'long'": UNIT})])
    assert "refers to 'story', which is no sampler column" in found[1]


@pytest.mark.parametrize(
    ("category", "children", "said"),
    [
        ("nowhere", {"a": [1]}, "'nowhere' is no category sampler"),
        ("number", {"a": [1]}, "'number' is no category sampler"),
        ("city", {"a": [1]}, "no subcategories for 'b' of 'city'"),
        ("city", {"a": [1], "b": [1], "c": [1]}, "'c' is no value of 'city'"),
        ("city", {"a": [1], "b": []}, "the subcategories of 'b' are empty"),
    ],
)
def test_subcategories_must_fit_their_category(category: str, children: dict[str, list[Any]], said: str) -> None:
    """There is a list for each value of the category, and none for others."""
    params = SubcategorySamplerParams(category=category, values=children)
    assert said in only([column("city", WORDS), column("number", UNIT), column("x", params)])[1]


def test_subcategories_must_fit_conditional_values_too() -> None:
    """Values that only a condition gives need subcategories as well."""
    third = CategorySamplerParams(values=["c"])
    city = column("city", WORDS, conditional_params={"n > 0.5": third})
    child = column("x", SubcategorySamplerParams(category="city", values={"a": [1], "b": [1]}))
    assert "for 'c'" in only([column("n", UNIT), city, child])[1]


@pytest.mark.parametrize("reference", ["nowhere", "number"])
def test_a_time_difference_needs_a_moment(reference: str) -> None:
    """Its reference is a datetime sampler, or another difference."""
    params = TimeDeltaSamplerParams(dt_min=0, dt_max=2, reference_column_name=reference)
    assert f"'{reference}' is no datetime sampler" in only([column("number", UNIT), column("x", params)])[1]


@pytest.mark.parametrize(
    ("columns", "constraint", "said"),
    [
        ([], than("x", 1.0), "compares 'x', which is no sampler column"),
        ([column("x", UNIT)], than("x", "story"), "compares 'story', which is no sampler column"),
        ([column("x", WORDS)], than("x", 1.0), "holds texts"),
        ([column("x", UNIT, convert_to="str")], than("x", 1.0), "holds texts"),
        ([column("x", DAY)], than("x", 1.0), "holds moments"),
        ([column("x", MIXED)], than("x", 1.0), "holds numbers and texts"),
        ([column("x", PersonFromFakerSamplerParams())], than("x", 1.0), "holds people"),
        ([column("x", DAY), column("y", UNIT)], than("x", "y"), "its moments with the numbers of 'y'"),
        ([column("x", MIXED), column("y", MIXED)], than("x", "y"), "its numbers and texts with the numbers and texts"),
    ],
)
def test_a_constraint_compares_what_can_be_compared(
    columns: list[SamplerColumnConfig], constraint: Constraint, said: str
) -> None:
    """Both sides are sampler columns, and of one nature."""
    name, message = only(columns, constraint)
    assert name == "x"
    assert said in message


def test_a_circle_is_named_without_those_it_only_blocks() -> None:
    """Of many columns the message names those of the circle."""
    columns = [
        column("blocked", UNIT, conditional_params={"one > 0": UNIT}),
        column("one", UNIT, conditional_params={"two > 0": UNIT}),
        column("two", UNIT),
    ]
    assert only(columns, than("two", "one"))[1].endswith("in a circle: one -> two -> one")


@pytest.mark.parametrize(
    ("columns", "constraints"),
    [
        ([column("x", UNIT, conditional_params={"x > 0": UNIT})], []),
        ([column("x", TimeDeltaSamplerParams(dt_min=0, dt_max=2, reference_column_name="x"))], []),
        ([column("x", UNIT)], [than("x", "x")]),
    ],
)
def test_a_column_cannot_wait_for_itself(columns: list[SamplerColumnConfig], constraints: list[Constraint]) -> None:
    """A reference to oneself is a circle of one."""
    assert only(columns, *constraints)[1].endswith("x -> x")


def test_parameters_must_be_of_the_declared_kind() -> None:
    """Conditional parameters of another kind would make a column of two kinds."""
    found = only([column("n", UNIT), column("x", UNIT, conditional_params={"n > 0": WORDS})])
    assert found == ("x", "sampler_type is uniform, but its params are those of category")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """One fault does not hide another."""
    columns = [
        column("x", UniformSamplerParams(low=2, high=1), convert_to="bool", conditional_params={"nowhere": UNIT}),
        column("y", GaussianSamplerParams(mean=0, stddev=-1), conditional_params={"y > 0": UNIT}),
    ]
    assert [name for name, _ in check_samplers(columns, [than("z", 1.0)])] == ["x", "x", "x", "y", "y", "z", "y"]


Bounds = list[tuple[str, float | str]]
BOUNDS: list[tuple[Bounds, bool]] = [
    ([("gt", 5), ("lt", 3)], True),
    ([("gt", 3), ("lt", 5)], False),
    ([("ge", 3), ("le", 3)], False),
    ([("gt", 3), ("le", 3)], True),
    ([("ge", 3), ("lt", 3)], True),
    ([("gt", 1), ("gt", 1)], False),
    ([("lt", "y"), ("gt", "y")], True),
    ([("le", "y"), ("ge", "y")], False),
    ([("lt", "y"), ("ge", "y")], True),
    ([("lt", "y"), ("gt", 3)], False),
]


@pytest.mark.parametrize(("bounds", "contradictory"), BOUNDS)
def test_constraints_that_no_value_satisfies_are_named(
    bounds: list[tuple[str, float | str]], contradictory: bool
) -> None:
    """Before anything is drawn in vain, or anybody is asked."""
    constraints: list[Constraint] = [
        ColumnInequalityConstraint(target_column="x", operator=InequalityOperator(operator), rhs=rhs)
        if isinstance(rhs, str)
        else ScalarInequalityConstraint(target_column="x", operator=InequalityOperator(operator), rhs=rhs)
        for operator, rhs in bounds
    ]
    found = check_samplers([column("x", UNIT), column("y", UNIT)], constraints)
    assert bool(found) == contradictory
    assert all(name == "x" and "no value satisfies its constraints together" in message for name, message in found)
