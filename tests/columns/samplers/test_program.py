"""Sampler columns: what each kind draws, in which order, and what they promise together."""

import math
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from scipy import stats

from data_designer.columns.random_streams import key, uniforms
from data_designer.columns.samplers import sampler
from data_designer.columns.samplers.program import SamplersProgram
from data_designer.config.column_configs import SamplerColumnConfig
from data_designer.config.sampler_constraints import (
    ColumnInequalityConstraint,
    Constraint,
    InequalityOperator,
    ScalarInequalityConstraint,
)
from data_designer.config.sampler_params import (
    BernoulliMixtureSamplerParams,
    BernoulliSamplerParams,
    BinomialSamplerParams,
    CategorySamplerParams,
    DatetimeSamplerParams,
    GaussianSamplerParams,
    PersonFromFakerSamplerParams,
    PoissonSamplerParams,
    SamplerType,
    ScipySamplerParams,
    SubcategorySamplerParams,
    TimeDeltaSamplerParams,
    UniformSamplerParams,
    UUIDSamplerParams,
)
from data_designer.values import Block, Made


def column(name: str, params: Any, **options: Any) -> SamplerColumnConfig:
    """Declare a sampler column."""
    kind = SamplerType(params.sampler_type)
    return SamplerColumnConfig(name=name, sampler_type=kind, params=params, **options)


def draw(
    configs: Sequence[SamplerColumnConfig], rows: int | Sequence[int] = 1000, constraints: Sequence[Constraint] = ()
) -> Made:
    """Draw columns for some records."""
    indices = np.asarray(range(rows) if isinstance(rows, int) else rows, dtype=np.int64)
    return SamplersProgram(configs, constraints, seed=7).run(Block(indices, {}))


def values(params: Any, rows: int = 1000, **options: Any) -> list[Any]:
    """Draw one column that depends on no other."""
    return draw([column("x", params, **options)], rows).columns["x"]


def below(target: str, rhs: float) -> ScalarInequalityConstraint:
    """Constrain a column to be less than a number."""
    return ScalarInequalityConstraint(target_column=target, rhs=rhs, operator=InequalityOperator.LT)


UNIT = UniformSamplerParams(low=0, high=1)
CITY = CategorySamplerParams(values=["Bern", "Lyon"])

EVERY_KIND = [
    column("id", UUIDSamplerParams()),
    column("city", CITY),
    column("street", SubcategorySamplerParams(category="city", values={"Bern": ["a", "b"], "Lyon": ["c"]})),
    column("share", UNIT),
    column("size", GaussianSamplerParams(mean=170, stddev=10), convert_to="int"),
    column("flag", BernoulliSamplerParams(p=0.5)),
    column("mixture", BernoulliMixtureSamplerParams(p=0.5, dist_name="expon", dist_params={})),
    column("hits", BinomialSamplerParams(n=5, p=0.5)),
    column("calls", PoissonSamplerParams(mean=4)),
    column("weight", ScipySamplerParams(dist_name="gamma", dist_params={"a": 2})),
    column("start", DatetimeSamplerParams(start="2020-01-01", end="2021-01-01")),
    column("end", TimeDeltaSamplerParams(dt_min=1, dt_max=9, reference_column_name="start")),
    column("person", PersonFromFakerSamplerParams()),
    column("rent", UNIT, conditional_params={"city == 'Bern'": UniformSamplerParams(low=5, high=6)}),
]


def test_a_record_does_not_depend_on_its_block() -> None:
    """Records drawn alone, backwards or in another block are the records of the whole, rejected draws included."""
    constraints = [below("share", 0.3)]
    whole = draw(EVERY_KIND, 50, constraints)
    some = draw(EVERY_KIND, [49, 7, 8], constraints)
    for name, drawn in whole.columns.items():
        assert some.columns[name] == [drawn[49], drawn[7], drawn[8]], name


def test_columns_come_in_the_order_of_declaration() -> None:
    """The order of columns is the user's, whatever the order of drawing."""
    later = column("end", TimeDeltaSamplerParams(dt_min=1, dt_max=2, reference_column_name="start"))
    start = column("start", DatetimeSamplerParams(start="2020-01-01", end="2021-01-01"))
    assert list(draw([later, start]).columns) == ["end", "start"]


def test_values_are_plain_python_objects() -> None:
    """No value of any kind is a scalar of numpy."""
    kinds = {type(value) for drawn in draw(EVERY_KIND, 20).columns.values() for value in drawn}
    assert kinds == {str, int, float, dict}


def test_an_empty_block_gives_empty_columns() -> None:
    """No rows are no trouble."""
    assert set(map(tuple, draw(EVERY_KIND, 0, [below("share", 0.5)]).columns.values())) == {()}


def test_columns_of_equal_parameters_differ() -> None:
    """Each column has its own stream."""
    made = draw([column("x", UNIT), column("y", UNIT)])
    assert not set(made.columns["x"]) & set(made.columns["y"])


def test_another_seed_gives_other_values() -> None:
    """The dataset's seed is part of every stream."""
    block = Block(np.arange(100, dtype=np.int64), {})
    one, two = (SamplersProgram([column("x", UNIT)], (), seed).run(block).columns["x"] for seed in (1, 2))
    assert not set(one) & set(two)


@pytest.mark.parametrize(
    ("params", "distribution"),
    [
        *((PoissonSamplerParams(mean=mean), stats.poisson(mean)) for mean in (1e-9, 0.5, 4.0, 333.3, 50_000.0, 1e9)),
        *(
            (BinomialSamplerParams(n=n, p=p), stats.binom(n, p))
            for n, p in ((5, 0.5), (5, 0.0), (9, 1.0), (10**6, 0.3))
        ),
    ],
)
def test_counts_are_the_quantiles_that_scipy_finds(params: Any, distribution: Any) -> None:
    """Looking them up changes none, however near a number is to a step."""
    drawn = uniforms(key(7, "x", "values", "0"), np.arange(20_000))
    assert values(params, 20_000) == distribution.ppf(drawn).astype(np.int64).tolist()
    steps = distribution.cdf(np.arange(20))
    near = np.clip(
        np.concatenate([np.nextafter(steps, 0), steps, np.nextafter(steps, 1), steps + 1e-9]), 1e-16, 1 - 1e-16
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sampler, "uniforms", lambda _stream, rows: near[rows])
        assert values(params, len(near)) == distribution.ppf(near).astype(np.int64).tolist()


# --- kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "distribution"),
    [
        (UniformSamplerParams(low=-2, high=5), stats.uniform(-2, 7)),
        (GaussianSamplerParams(mean=3, stddev=2), stats.norm(3, 2)),
        (ScipySamplerParams(dist_name="gamma", dist_params={"a": 2, "scale": 3}), stats.gamma(2, scale=3)),
    ],
)
def test_continuous_kinds_follow_their_distribution(params: Any, distribution: Any) -> None:
    """Draws pass a Kolmogorov-Smirnov test against the distribution declared."""
    assert stats.kstest(values(params, 5000), distribution.cdf).pvalue > 0.001


@pytest.mark.parametrize(
    ("params", "distribution"),
    [
        (BernoulliSamplerParams(p=0.3), stats.bernoulli(0.3)),
        (BinomialSamplerParams(n=6, p=0.4), stats.binom(6, 0.4)),
        (PoissonSamplerParams(mean=2.5), stats.poisson(2.5)),
        (ScipySamplerParams(dist_name="randint", dist_params={"low": 1, "high": 7}), stats.randint(1, 7)),
    ],
)
def test_discrete_kinds_are_integers_of_their_distribution(params: Any, distribution: Any) -> None:
    """Counts are ints and come as often as declared."""
    drawn = values(params, 20_000)
    assert {type(value) for value in drawn} == {int}
    for value in set(drawn):
        assert drawn.count(value) / len(drawn) == pytest.approx(distribution.pmf(value), abs=0.015)


def test_a_mixture_is_zero_or_a_draw() -> None:
    """With probability p a value is drawn, else it is 0."""
    drawn = values(BernoulliMixtureSamplerParams(p=0.25, dist_name="norm", dist_params={"loc": 100}), 10_000)
    drawn_values = [value for value in drawn if value != 0]
    assert len(drawn_values) / len(drawn) == pytest.approx(0.25, abs=0.02)
    assert stats.kstest(drawn_values, stats.norm(100).cdf).pvalue > 0.001


def test_heavy_tails_are_drawn_without_adding_them_up() -> None:
    """A count whose quantiles lie beyond all memory comes out at once, as an integer that never wraps around."""
    assert min(values(ScipySamplerParams(dist_name="zipf", dist_params={"a": 1.05}), 200)) >= 1


def test_counts_without_a_quantile_function_follow_their_distribution() -> None:
    """What scipy can only draw directly is drawn as declared, the same for a record in any block."""
    config = column("x", ScipySamplerParams(dist_name="zipf", dist_params={"a": 2.5}))
    drawn = draw([config], 4000).columns["x"]
    assert drawn.count(1) / len(drawn) == pytest.approx(stats.zipf(2.5).pmf(1), abs=0.03)
    assert draw([config], [99, 5]).columns["x"] == [drawn[99], drawn[5]]


def test_category_values_keep_their_types() -> None:
    """A mixed list stays mixed, and integers stay exact."""
    given = ["1", 2, 2.5, True, False, 9007199254740993, 2**63]
    drawn = {(type(value), value) for value in values(CategorySamplerParams(values=given))}
    assert drawn == {(type(value), value) for value in given}


@pytest.mark.parametrize("value", [9007199254740993, "9007199254740993", " 9007199254740993 "])
def test_a_category_of_long_integers_converts_exactly(value: Any) -> None:
    """Whether they are written as numbers or as texts."""
    config = column("n", CategorySamplerParams(values=[value]), convert_to="int")
    assert draw([config], 2).columns["n"] == [9007199254740993] * 2


def test_weights_say_how_often() -> None:
    """Weights need not sum to one; a weight of zero never comes out, even in last place."""
    drawn = values(CategorySamplerParams(values=["a", "b", "c"], weights=[3, 1, 0]), 10_000)
    assert drawn.count("a") / len(drawn) == pytest.approx(0.75, abs=0.02)
    assert "c" not in drawn


def test_subcategories_follow_their_category() -> None:
    """Each row's subcategory is one of its category's, and every one comes out."""
    streets = {"Bern": ["a", "b"], "Lyon": ["c", "d"]}
    made = draw([column("street", SubcategorySamplerParams(category="city", values=streets)), column("city", CITY)])
    pairs = set(zip(made.columns["city"], made.columns["street"], strict=True))
    assert pairs == {("Bern", "a"), ("Bern", "b"), ("Lyon", "c"), ("Lyon", "d")}


@pytest.mark.parametrize("convert_to", [None, "float", "int", "str"])
def test_subcategories_follow_a_category_of_numbers_however_converted(convert_to: str | None) -> None:
    """The keys are the values as declared, not as converted."""
    parent = column("level", CategorySamplerParams(values=[1, 2]), convert_to=convert_to)
    child = column("x", SubcategorySamplerParams(category="level", values={"1": ["low"], "2": ["high"]}))
    made = draw([parent, child])
    pairs = {(float(level), text) for level, text in zip(made.columns["level"], made.columns["x"], strict=True)}
    assert pairs == {(1.0, "low"), (2.0, "high")}


@pytest.mark.parametrize(
    ("unit", "pattern"),
    [
        ("Y", r"\d{4}-01-01T00:00:00"),
        ("M", r"\d{4}-\d\d-01T00:00:00"),
        ("D", r"\d{4}-\d\d-\d\dT00:00:00"),
        ("h", r"\d{4}-\d\d-\d\dT\d\d:00:00"),
        ("m", r"\d{4}-\d\d-\d\dT\d\d:\d\d:00"),
        ("s", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    ],
)
def test_moments_are_truncated_iso_text(unit: Any, pattern: str) -> None:
    """A datetime is ISO text of the unit asked for, from its start up to and without its end."""
    drawn = values(DatetimeSamplerParams(start="1969-01-01", end="1972-01-01", unit=unit))
    assert all(re.fullmatch(pattern, text) for text in drawn)
    assert min(drawn) >= "1969-01-01"
    assert max(drawn) < "1972-01-01"
    assert {text[:4] for text in drawn} == {"1969", "1970", "1971"}


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "m", "s"])
def test_no_moment_is_before_its_start(unit: Any) -> None:
    """Whose year, month or day has begun before it."""
    start = "2020-06-15T12:30:30"
    drawn = values(DatetimeSamplerParams(start=start, end="2021-03-01", unit=unit))
    assert min(drawn) >= start
    if unit == "Y":
        assert set(drawn) == {start, "2021-01-01T00:00:00"}


@pytest.mark.parametrize(
    ("start", "end", "least", "most"),
    [
        ("2020-01-01T00:00+02:00", "2020-01-01T01:00+02:00", "2020-01-01T00", "2020-01-01T01"),
        ("2020-01-01T00:00+00:00", "2020-01-01T05:00+04:00", "2020-01-01T00", "2020-01-01T01"),
        ("2020-01-01T00:00Z", "2019-12-31T20:00-05:00", "2020-01-01T00", "2020-01-01T01"),
        ("2020-01-01T00:00+02:00", "2020-01-01T01:00", "2020-01-01T00", "2020-01-01T01"),
    ],
)
def test_offsets_of_two_clocks_are_of_one_time(start: str, end: str, least: str, most: str) -> None:
    """Moments are told by the clock of the start; what has no offset is by the same clock."""
    params = DatetimeSamplerParams(start=start, end=end, unit="s")
    assert least <= min(values(params)) <= max(values(params)) < most


def test_what_is_beyond_the_largest_number_is_infinite() -> None:
    """No warning, which here would be an error, and no row is lost."""
    drawn = values(GaussianSamplerParams(mean=1.7e308, stddev=1e307))
    assert max(drawn) == math.inf
    assert min(drawn) < math.inf


def test_moments_take_a_pattern() -> None:
    """`convert_to` of a datetime is a strftime pattern."""
    params = DatetimeSamplerParams(start="2020-02-03", end="2020-02-04")
    assert set(values(params, convert_to="%d.%m.%Y")) == {"03.02.2020"}


@pytest.mark.parametrize(("unit", "seconds"), [("D", 86400), ("h", 3600), ("m", 60), ("s", 1)])
def test_a_time_difference_is_added_to_its_reference(unit: Any, seconds: int) -> None:
    """Each row's own reference moves by dt_min up to and without dt_max units, converted references too."""
    start = column("start", DatetimeSamplerParams(start="2020-01-01", end="2022-01-01", unit="s"), convert_to="%c")
    end = column("end", TimeDeltaSamplerParams(dt_min=1, dt_max=4, reference_column_name="start", unit=unit))
    made = draw([end, start])
    moved = {
        (datetime.fromisoformat(late) - datetime.strptime(early, "%c")).total_seconds() / seconds  # noqa: DTZ007 - moments of samplers have no zone
        for early, late in zip(made.columns["start"], made.columns["end"], strict=True)
    }
    assert moved == {1.0, 2.0, 3.0}


def test_a_time_difference_may_start_from_another() -> None:
    """Differences chain."""
    chain = [
        column("third", TimeDeltaSamplerParams(dt_min=1, dt_max=2, reference_column_name="second")),
        column("second", TimeDeltaSamplerParams(dt_min=1, dt_max=2, reference_column_name="first")),
        column("first", DatetimeSamplerParams(start="2020-01-01", end="2020-01-02")),
    ]
    assert set(draw(chain).columns["third"]) == {"2020-01-03T00:00:00"}


def test_identifiers_are_unique_over_blocks() -> None:
    """No two records share an identifier, short or long, whatever blocks they come from."""
    for short in (False, True):
        config = column("id", UUIDSamplerParams(short_form=short))
        ids = draw([config], 20_000).columns["id"] + draw([config], range(20_000, 40_000)).columns["id"]
        assert len(set(ids)) == 40_000


def test_identifiers_have_their_form() -> None:
    """32 hexadecimal digits or 8; the prefix is left as it is."""
    assert all(uuid.UUID(text).hex == text for text in values(UUIDSamplerParams(), 10))
    short = values(UUIDSamplerParams(prefix="id-", short_form=True, uppercase=True))
    assert all(len(text) == 11 and text.startswith("id-") for text in short)
    assert any(char in "ABCDEF" for text in short for char in text[3:])


# --- conversion ------------------------------------------------------------------------------------------


def test_decimal_places_round() -> None:
    """Rounded values carry no tails."""
    assert all(len(str(value)) <= 4 for value in values(UniformSamplerParams(low=0, high=1, decimal_places=2)))


@pytest.mark.parametrize(
    ("params", "convert_to", "expected"),
    [
        (UniformSamplerParams(low=0.6, high=1.4), "int", {1}),
        (CategorySamplerParams(values=["1", 2.6]), "int", {1, 3}),
        (CategorySamplerParams(values=["1", 2]), "float", {1.0, 2.0}),
        (BernoulliSamplerParams(p=0.5), "str", {"0", "1"}),
        (CategorySamplerParams(values=[2**62 + 1]), "int", {2**62 + 1}),
    ],
)
def test_convert_to_gives_its_type(params: Any, convert_to: str, expected: set[Any]) -> None:
    """`int` rounds, `float` and `str` convert, and large integers lose nothing."""
    drawn = values(params, convert_to=convert_to)
    assert set(drawn) == expected
    assert {type(value) for value in drawn} == {type(next(iter(expected)))}


@pytest.mark.parametrize("params", [UUIDSamplerParams(), PersonFromFakerSamplerParams()])
def test_convert_to_leaves_identifiers_and_people_alone(params: Any) -> None:
    """Where `convert_to` has no meaning it changes nothing."""
    assert values(params, 5, convert_to="int") == values(params, 5)


# --- conditions ------------------------------------------------------------------------------------------


def marks(*conditions: str) -> list[Any]:
    """Draw a column that holds the number of the condition that won, 0 for none, over n = 1..4."""
    branches = {text: CategorySamplerParams(values=[number]) for number, text in enumerate(conditions, 1)}
    columns = [
        column("x", CategorySamplerParams(values=[0]), conditional_params=branches),
        column("n", CategorySamplerParams(values=[1, 2, 3, 4])),
    ]
    made = draw(columns)
    return sorted({*zip(made.columns["n"], made.columns["x"], strict=True)})


def test_rows_that_meet_no_condition_take_the_plain_parameters() -> None:
    """A condition picks its rows and no others."""
    assert marks("n == 2") == [(1, 0), (2, 1), (3, 0), (4, 0)]


def test_the_later_of_two_conditions_wins() -> None:
    """Conditions overwrite each other in the order in which they are declared."""
    assert marks("n > 1", "n > 2") == [(1, 0), (2, 1), (3, 2), (4, 2)]


@pytest.mark.parametrize("condition", ["n", "1", "'True'", "n % 2", "[n]"])
def test_only_true_selects(condition: str) -> None:
    """What is merely truthy selects nothing."""
    assert {mark for _, mark in marks(condition)} == {0}


def test_a_condition_reads_a_column_named_like_a_function_of_jinjas() -> None:
    """It is drawn first, and what is compared."""
    columns = [
        column("x", UNIT, conditional_params={"range == 'far'": UniformSamplerParams(low=5, high=6)}),
        column("range", CategorySamplerParams(values=["far"])),
    ]
    assert all(5 <= x < 6 for x in draw(columns, 3).columns["x"])


def test_conditions_see_converted_values_and_people() -> None:
    """A condition reads columns as they stand in the dataset."""
    columns = [
        column("x", CategorySamplerParams(values=["other"]), conditional_params={
            "p.sex == 'Female' and day == '03.02'": CategorySamplerParams(values=["hers"]),
        }),
        column("p", PersonFromFakerSamplerParams()),
        column("day", DatetimeSamplerParams(start="2020-02-03", end="2020-02-04"), convert_to="%d.%m"),
    ]  # fmt: skip
    made = draw(columns, 40)
    assert [mark == "hers" for mark in made.columns["x"]] == [p["sex"] == "Female" for p in made.columns["p"]]


@pytest.mark.parametrize(
    "condition",
    [
        "1 / (n - 2) > 0",
        "n != 2 or n.nowhere > 1",
        "n != 2 or [][5] > 1",
        "n != 2 or n()",
        "n != 2 or 'a' * 10 ** 10 == 'b'",
        "n != 2 or 9 ** (9 ** 9) > 1",
    ],
)
def test_a_condition_that_fails_costs_its_row_only(condition: str) -> None:
    """The row of a failing condition is dropped with its reason; the others are drawn, dependants included."""
    columns = [
        column("n", CategorySamplerParams(values=[1, 2, 3])),
        column("x", UNIT, conditional_params={condition: UNIT}),
        column("y", UNIT, conditional_params={"x > 0.5": UNIT}),
    ]
    made = draw(columns, 100, [ColumnInequalityConstraint(target_column="y", rhs="x", operator=InequalityOperator.LT)])
    assert set(made.drops) == {place for place, n in enumerate(made.columns["n"]) if n == 2}
    reasons = {(reason.kind, reason.column) for reason in made.drops.values()}
    assert reasons == {("InvalidSamplerParamsError", "x")}
    assert all(made.columns["y"][place] is not None for place in set(range(100)) - set(made.drops))


# --- constraints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "allowed"), [("lt", {1, 2}), ("le", {1, 2, 3}), ("gt", {4, 5}), ("ge", {3, 4, 5})]
)
def test_a_constraint_with_a_number_holds(operator: str, allowed: set[int]) -> None:
    """Every operator keeps exactly the values it allows."""
    constraint = ScalarInequalityConstraint(target_column="x", rhs=3, operator=InequalityOperator(operator))
    made = draw([column("x", CategorySamplerParams(values=[1, 2, 3, 4, 5]))], 1000, [constraint])
    assert set(made.columns["x"]) == allowed
    assert not made.drops


def test_a_constraint_is_checked_on_converted_values() -> None:
    """Rounding cannot carry a value over its limit."""
    made = draw([column("x", UniformSamplerParams(low=0, high=5), convert_to="int")], 1000, [below("x", 3)])
    assert set(made.columns["x"]) == {0, 1, 2}


def test_columns_are_compared_row_by_row() -> None:
    """The constrained column is drawn after the other, and less than it in its own row."""
    constraint = ColumnInequalityConstraint(target_column="low", rhs="high", operator=InequalityOperator.LT)
    made = draw([column("low", UNIT), column("high", UniformSamplerParams(low=0.1, high=1))], 1000, [constraint])
    assert all(low < high for low, high in zip(made.columns["low"], made.columns["high"], strict=True))


def test_moments_are_compared_as_moments() -> None:
    """The text form of a moment does not change which is earlier."""
    params = DatetimeSamplerParams(start="2020-01-01", end="2022-01-01")
    columns = [column(name, params, convert_to="%d.%m.%Y") for name in ("early", "late")]
    constraint = ColumnInequalityConstraint(target_column="early", rhs="late", operator=InequalityOperator.LT)
    made = draw(columns, 300, [constraint])
    pairs = zip(made.columns["early"], made.columns["late"], strict=True)
    assert all(early[6:] + early[3:5] + early[:2] < late[6:] + late[3:5] + late[:2] for early, late in pairs)


def test_accepted_draws_are_not_redrawn() -> None:
    """Rows whose first draw satisfies the constraint keep it."""
    free = draw([column("x", UNIT)]).columns["x"]
    bound = draw([column("x", UNIT)], 1000, [below("x", 0.5)]).columns["x"]
    assert all(mine == its for mine, its in zip(bound, free, strict=True) if its < 0.5)


def test_rejection_does_not_bend_the_distribution() -> None:
    """Constrained draws are uniform over what is allowed."""
    drawn = draw([column("x", UNIT)], 5000, [below("x", 0.2)]).columns["x"]
    assert stats.kstest(drawn, stats.uniform(0, 0.2).cdf).pvalue > 0.001


def test_a_row_that_cannot_be_satisfied_is_dropped() -> None:
    """Only the rows whose branch is impossible are dropped, after finitely many tries, saying why."""
    columns = [
        column("city", CITY),
        column("x", UNIT, conditional_params={"city == 'Bern'": UniformSamplerParams(low=5, high=6)}),
    ]
    made = draw(columns, 20, [below("x", 0.9)])
    assert set(made.drops) == {place for place, city in enumerate(made.columns["city"]) if city == "Bern"}
    reason = next(iter(made.drops.values()))
    assert (reason.kind, reason.column) == ("RejectionSamplingError", "x")
    assert "loosen" in reason.message


@pytest.mark.parametrize(("high", "places"), [(1.0, 400), (1e300, 20), (1e300, 2)])
def test_numbers_without_so_many_places_stay_as_they_are(high: float, places: int) -> None:
    """Rounding makes neither NaN nor infinity of what was drawn."""
    plain = values(UniformSamplerParams(low=0, high=high), 50)
    assert values(UniformSamplerParams(low=0, high=high, decimal_places=places), 50) == pytest.approx(plain, rel=1e-2)
