"""Fingerprints of columns: what changes them, and what does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.fakes import model
from tests.properties import examples

import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.columns.samplers.program import SamplersProgram
from data_designer.config.run_config import RunConfig
from data_designer.plan.compile import compile_plan, with_models
from data_designer.plan.model import Geometry, Plan
from data_designer.values import Block

Builder = dd.DataDesignerConfigBuilder
Edit = Callable[[Builder], object]
Function = Callable[..., Any]


class Volume(BaseModel):
    """Parameters of a function."""

    marks: int = 1


@dd.custom_column_generator(required_columns=["n"], side_effect_columns=["echo"])
def shout(row: dict[str, Any], generator_params: Volume) -> dict[str, Any]:
    """Make a custom column and its side effect."""
    return {**row, "shout": str(row["n"]) + "!" * generator_params.marks, "echo": row["n"]}


@dd.custom_column_generator(required_columns=["n"], side_effect_columns=["echo"])
def whisper(row: dict[str, Any], generator_params: Volume) -> dict[str, Any]:
    """Make it otherwise."""
    return {**row, "shout": str(row["n"]) + "." * generator_params.marks, "echo": row["n"]}


whisper.__name__ = shout.__name__


def judged(df: pd.DataFrame) -> pd.DataFrame:
    """Call everything valid."""
    return df.assign(is_valid=True)


def misjudged(df: pd.DataFrame) -> pd.DataFrame:
    """Call nothing valid."""
    return df.assign(is_valid=False)


misjudged.__name__ = judged.__name__


def small(alias: str, **options: Any) -> dd.ModelConfig:
    """A model; whatever their alias, all have one name."""
    return model(alias, "small", **options)


def story() -> Builder:
    """Samplers, a seed column, two models, and what is made of them."""
    made = Builder(model_configs=[small("a"), small("b")])
    made.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1, 2]})))
    made.add_column(dd.SeedDatasetColumnConfig(name="n"))
    category(made, "mood", ["calm", "wild"])
    uniform(made, "size", 9)
    text(made, "draft", "row {{ n }} {{ mood }}", with_trace="all_messages")
    made.add_column(name="loud", column_type="expression", expr="{{ draft | upper }}")
    text(made, "final", "better {{ loud }}", alias="b")
    text(made, "aside", "about {{ size }}")
    custom(made)
    validated(made, judged)
    return made


def category(made: Builder, name: str, values: list[str]) -> Builder:
    """Add a sampler of categories."""
    return made.add_column(name=name, column_type="sampler", sampler_type="category", params={"values": values})


def uniform(made: Builder, name: str, high: float, **options: Any) -> Builder:
    """Add a sampler of numbers."""
    params = {"low": 0, "high": high, "decimal_places": 0}
    return made.add_column(name=name, column_type="sampler", sampler_type="uniform", params=params, **options)


def text(made: Builder, name: str, prompt: str, alias: str = "a", **options: Any) -> Builder:
    """Add a text column."""
    return made.add_column(name=name, column_type="llm-text", model_alias=alias, prompt=prompt, **options)


def custom(made: Builder, function: Function = shout, marks: int = 1) -> Builder:
    """Add the custom column."""
    params = Volume(marks=marks)
    return made.add_column(dd.CustomColumnConfig(name="shout", generator_function=function, generator_params=params))


def validated(made: Builder, function: Function) -> Builder:
    """Add the column of verdicts."""
    params = dd.LocalCallableValidatorParams(validation_function=function)
    return made.add_column(
        name="good", column_type="validation", target_columns=["final"], validator_type="local_callable",
        validator_params=params,
    )  # fmt: skip


def remodelled(*models: dd.ModelConfig) -> Edit:
    """Declare models otherwise."""

    def edit(made: Builder) -> None:
        for one in models:
            made.delete_model_config(one.alias)
            made.add_model_config(one)

    return edit


def dropped(name: str) -> Edit:
    """Leave a column out of the dataset."""
    return lambda made: made.add_column(made.get_column_config(name).model_copy(update={"drop": True}))


def reordered(made: Builder) -> None:
    """Declare the same columns the other way round."""
    columns = list(reversed(made.get_column_configs()))
    made._columns = {column.name: column for column in columns}


def limited(made: Builder, rhs: float = 5.0) -> Builder:
    """Put a constraint on a sampler."""
    return made.add_constraint(constraint_type="scalar_inequality", target_column="size", rhs=rhs, operator="lt")


def compiled(made: Builder, seed: int = 1, seed_data: str = "rows", endpoint: str = "http://here") -> Plan:
    """Compile a declaration."""
    providers = {name: dd.ModelProvider(name=name, endpoint=endpoint) for name in "pq"}
    return compile_plan(made.build(), providers, RunConfig(), Geometry(10, 5), seed, kinds=KINDS, seed_data=seed_data)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Columns that are not what they were."""
    return {name for name, known in before.items() if after.get(name) != known}


FROM_DRAFT = {"draft", "draft__trace", "loud", "final", "good"}
FROM_N = {"n", *FROM_DRAFT, "shout", "echo"}
EVERYTHING = {"mood", "size", "aside", *FROM_N}

EDITS: dict[str, tuple[Edit, set[str]]] = {
    "nothing": (lambda _: None, set()),
    # What a column's values depend on.
    "a prompt": (lambda made: text(made, "draft", "{{ n }} {{ mood }}", with_trace="all_messages"), FROM_DRAFT),
    "the last prompt": (lambda made: text(made, "final", "best {{ loud }}", alias="b"), {"final", "good"}),
    "a system prompt": (
        lambda made: text(made, "final", "better {{ loud }}", alias="b", system_prompt="Be kind."),
        {"final", "good"},
    ),
    "an expression": (
        lambda made: made.add_column(name="loud", column_type="expression", expr="{{ draft | lower }}"),
        {"loud", "final", "good"},
    ),
    "which model": (lambda made: text(made, "final", "better {{ loud }}", alias="a"), {"final", "good"}),
    "a model's name": (remodelled(model("b", "large")), {"final", "good"}),
    "a model's provider": (remodelled(small("b", provider="q")), {"final", "good"}),
    "a temperature": (remodelled(small("a", temperature=0.5)), {*FROM_DRAFT, "aside"}),
    "a drawn temperature": (
        remodelled(small("b", temperature={"distribution_type": "uniform", "params": {"low": 0.1, "high": 0.9}})),
        {"final", "good"},
    ),
    "fields of the request": (remodelled(small("b", extra_body={"top_k": 1})), {"final", "good"}),
    "a sampler": (lambda made: category(made, "mood", ["calm", "mad"]), {"mood", *FROM_DRAFT}),
    "a constraint on a sampler": (limited, {"size", "aside"}),
    "a function": (lambda made: custom(made, whisper), {"shout", "echo"}),
    "a function's parameters": (lambda made: custom(made, marks=2), {"shout", "echo"}),
    "a function that validates": (lambda made: validated(made, misjudged), {"good"}),
    "which seed rows": (
        lambda made: made.with_seed_dataset(
            dd.DataFrameSeedSource(df=pd.DataFrame({"n": [1, 2]})), sampling_strategy="shuffle"
        ),
        FROM_N,
    ),
    "a skip condition": (
        lambda made: text(made, "aside", "about {{ size }}", skip=dd.SkipConfig(when="{{ mood == 'calm' }}")),
        {"aside"},
    ),
    # What they do not depend on.
    "drop": (dropped("draft"), set()),
    "drop of a sampler": (dropped("mood"), set()),
    "requests at once": (remodelled(small("a", max_parallel_requests=99)), set()),
    "a time limit": (remodelled(small("a", timeout=7)), set()),
    "a health check": (remodelled(small("a").model_copy(update={"skip_health_check": False})), set()),
    "a model that nobody asks": (lambda made: made.add_model_config(small("c")), set()),
    "a processor": (
        lambda made: made.add_processor(processor_type="schema_transform", name="chat", template={"q": "{{ n }}"}),
        set(),
    ),
    "another column": (lambda made: text(made, "more", "more of {{ final }}"), set()),
    "another sampler": (lambda made: uniform(made, "moon", 1), set()),
    "a column less": (lambda made: made.delete_column("aside"), {"aside"}),
    "the order of columns": (reordered, set()),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_what_is_made_of_it_and_nothing_else(edit: str) -> None:
    """Fingerprints of exactly those columns change that the edit can change, side effects included."""
    act, expected = EDITS[edit]
    made = story()
    before = compiled(made).fingerprints
    assert set(before) == EVERYTHING
    act(made)
    assert changed(before, compiled(made).fingerprints) == expected


@pytest.mark.parametrize(
    ("given_otherwise", "expected"),
    [({"seed": 2}, EVERYTHING), ({"seed_data": "other rows"}, FROM_N), ({"endpoint": "http://there"}, set())],
)
def test_what_a_plan_is_compiled_with(given_otherwise: dict[str, Any], expected: set[str]) -> None:
    """Another seed changes all that is drawn, other seed rows what is made of them, another endpoint nothing."""
    before = compiled(story()).fingerprints
    assert changed(before, compiled(story(), **given_otherwise).fingerprints) == expected


def test_no_two_columns_have_the_same_fingerprint() -> None:
    """Columns that are declared alike but for their names are told apart; a side effect counts with its column."""
    made = story()
    text(made, "twin", "about {{ size }}")
    uniform(made, "length", 9)
    made.add_column(dd.SeedDatasetColumnConfig(name="o"))
    found = compiled(made).fingerprints
    alike = {name for name in found if list(found.values()).count(found[name]) > 1}
    assert alike == {"draft", "draft__trace", "shout", "echo"}
    assert found["draft"] == found["draft__trace"] != found["shout"] == found["echo"]


def test_a_plan_that_asks_another_model_has_other_fingerprints() -> None:
    """What a stronger model answers in a retry, and all that is made of it, is never taken for the declared one's."""
    plan = compiled(story())
    again = with_models(plan, {"b": "large"})
    assert changed(plan.fingerprints, again.fingerprints) == {"final", "good"}
    assert with_models(plan, {"b": "small"}).fingerprints == plan.fingerprints


# --- samplers --------------------------------------------------------------------------------------------------


def test_samplers_that_refer_to_each_other_count_with_each_other() -> None:
    """Parents of subcategories, columns of conditions, the other side of a constraint, through any number of steps."""
    made = Builder()
    category(made, "land", ["north", "south"])
    towns = {"north": ["oslo"], "south": ["rome"]}
    made.add_column(
        name="town", column_type="sampler", sampler_type="subcategory", params={"category": "land", "values": towns}
    )
    uniform(made, "storm", 5, conditional_params={"town == 'oslo'": {"low": 0, "high": 9}})
    uniform(made, "wind", 5)
    made.add_constraint(constraint_type="column_inequality", target_column="wind", rhs="storm", operator="ge")
    uniform(made, "moon", 5)
    before = compiled(made).fingerprints
    category(made, "land", ["north", "south", "south"])
    assert changed(before, compiled(made).fingerprints) == {"land", "town", "storm", "wind"}


@pytest.mark.parametrize("name", ["größe", "身長"])
def test_names_in_any_script_are_found(name: str) -> None:
    """A constraint's other side counts whatever letters its name has."""
    made = Builder()
    uniform(made, name, 5)
    uniform(made, "w", 9)
    made.add_constraint(constraint_type="column_inequality", target_column="w", rhs=name, operator="ge")
    before = compiled(made).fingerprints
    uniform(made, name, 1)
    assert changed(before, compiled(made).fingerprints) == {name, "w"}


@pytest.mark.parametrize("name", ["s", "low", "name", "weight", "age", "rain", "uniform"])
def test_a_new_sampler_changes_no_other_whatever_its_name(name: str) -> None:
    """A name that is a part of other words, or a word of declarations, is no reference."""
    made = story()
    category(made, "mood", ["teenager", "adult"])
    before = compiled(made).fingerprints
    uniform(made, name, 1)
    assert changed(before, compiled(made).fingerprints) == set()


@dataclass(frozen=True)
class Chain:
    """Samplers each of which may depend on the one before it."""

    highs: tuple[int, ...]
    conditional: tuple[bool, ...]
    compared: tuple[bool, ...]

    def build(self) -> Builder:
        """Declare them."""
        made = Builder()
        for place, high in enumerate(self.highs):
            before = f"column{place - 1}"
            condition = {f"{before} > 2": {"low": 0, "high": 3, "decimal_places": 0}}
            uniform(made, f"column{place}", high, conditional_params=condition if self.conditional[place] else {})
            if self.compared[place]:
                made.add_constraint(
                    constraint_type="column_inequality", target_column=f"column{place}", rhs=before, operator="le"
                )
        return made


@st.composite
def chains(draw: st.DrawFn, size: int = 4) -> Chain:
    """Any chain; the first of it depends on nothing."""
    highs = draw(st.tuples(*[st.integers(4, 6)] * size))
    flags = [(False, *draw(st.tuples(*[st.booleans()] * (size - 1)))) for _ in range(2)]
    return Chain(highs, *flags)


def drawn(plan: Plan, made: Builder) -> dict[str, list[Any]]:
    """What twenty records get."""
    samplers: Any = plan.steps[0].configs
    program = SamplersProgram(samplers, made.build().constraints or [], plan.seed)
    run = program.run(Block(np.arange(20), {}))
    assert not run.drops
    return run.columns


@examples(150)
@given(chains(), chains(), st.integers(0, 1))
def test_samplers_with_the_same_fingerprint_draw_the_same(one: Chain, other: Chain, other_seed: int) -> None:
    """Of two declarations, every sampler that has the same fingerprint in both has the same values in both."""
    first, second = one.build(), other.build()
    before, after = compiled(first, 0), compiled(second, other_seed)
    same = set(before.fingerprints) - changed(before.fingerprints, after.fingerprints)
    values, others = drawn(before, first), drawn(after, second)
    assert {name: values[name] for name in same} == {name: others[name] for name in same}
