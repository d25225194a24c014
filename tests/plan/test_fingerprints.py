"""Fingerprints of columns: what changes them, what does not, and what a digest of code looks at."""

import functools
import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
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
from data_designer.config.run_config import RunConfig
from data_designer.plan.compile import compile_plan, with_models
from data_designer.plan.fingerprints import code_digest
from data_designer.plan.model import Geometry, Plan
from data_designer.steps.samplers import SamplersProgram
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
    return compile_plan(made.build(), providers, RunConfig(), Geometry(10, 5), seed, seed_data=seed_data)


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
    "a gate": (
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


# --- code ------------------------------------------------------------------------------------------------------


def from_file(folder: Path, source: str) -> Function:
    """The function `f` of a module, from a file."""
    path = folder / f"module{len(list(folder.iterdir()))}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Function = module.f
    return function


def from_nowhere(source: str) -> Function:
    """The function `f` of text that is in no file, as in an interpreter."""
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - as an interpreter does
    with pytest.raises(OSError, match="could not get source code"):
        inspect.getsource(names["f"])
    function: Function = names["f"]
    return function


PLAIN = "def f(row, scale=2):\n    return row['n'] * scale + 1\n"

SAME = {
    "itself": PLAIN,
    "comments": "# What it is for.\ndef f(row, scale=2):  # Why.\n    # How.\n    return row['n'] * scale + 1\n",
    "layout": "\n\n\ndef f(\n    row,\n    scale=2,\n):\n\n    return (\n        row['n']\n     * scale\n    ) + 1\n",
    "quotes": PLAIN.replace("'", '"'),
    "where it stands": f"x = 1\n\n{PLAIN}\ny = 2\n",
    "how deep": "if True:\n    def f(row, scale=2):\n        return row['n'] * scale + 1\n",
}
OTHER = {
    "a number": PLAIN.replace("+ 1", "+ 3"),
    "an operator": PLAIN.replace("*", "/"),
    "a text": PLAIN.replace("'n'", "'m'"),
    "a default": PLAIN.replace("=2", "=3"),
    "a call": PLAIN.replace("row['n']", "row.get('n')"),
    "a lambda": "f = lambda row, scale=2: row['n'] * scale + 1\n",
}


@pytest.mark.parametrize("form", SAME)
def test_layout_and_comments_are_no_code(tmp_path: Path, form: str) -> None:
    """A function that is only written otherwise has the same digest."""
    assert code_digest(from_file(tmp_path, SAME[form])) == code_digest(from_file(tmp_path, PLAIN))


@pytest.mark.parametrize("form", OTHER)
def test_other_code_has_another_digest(tmp_path: Path, form: str) -> None:
    """A function that does something else has another digest."""
    assert code_digest(from_file(tmp_path, OTHER[form])) != code_digest(from_file(tmp_path, PLAIN))


def test_code_without_source_is_told_by_what_it_is_compiled_to() -> None:
    """The same text gives the same digest each time; comments and layout are gone anyway."""
    digests = {code_digest(from_nowhere(SAME[form])) for form in SAME}
    assert len(digests) == 1


@pytest.mark.parametrize("form", sorted(set(OTHER) - {"a lambda"}))
def test_other_code_without_source_has_another_digest(form: str) -> None:
    """A function of an interpreter that does something else has another digest."""
    assert code_digest(from_nowhere(OTHER[form])) != code_digest(from_nowhere(PLAIN))


class Doubling:
    """An object that is called."""

    def __call__(self, row: dict[str, Any]) -> Any:
        """Double."""
        return row["n"] * 2

    def method(self, row: dict[str, Any]) -> Any:
        """Double, as a method."""
        return row["n"] * 2


class Halving:
    """Another one."""

    def __call__(self, row: dict[str, Any]) -> Any:
        """Halve."""
        return row["n"] / 2

    def method(self, row: dict[str, Any]) -> Any:
        """Halve, as a method."""
        return row["n"] / 2


class Trebling:
    """One that differs in a number only."""

    def __call__(self, row: dict[str, Any]) -> Any:
        """Treble."""
        return row["n"] * 3


def test_objects_that_are_called_are_told_by_their_class() -> None:
    """Two objects of a class have the same digest, objects of classes with other code another; methods likewise."""
    assert code_digest(Doubling()) == code_digest(Doubling())
    assert code_digest(Doubling()) != code_digest(Halving())
    assert code_digest(Doubling().method) == code_digest(Doubling().method)
    assert code_digest(Doubling().method) != code_digest(Halving().method)


def test_objects_that_are_called_are_told_by_constants_too() -> None:
    """Classes whose code differs in a number only are different."""
    assert code_digest(Doubling()) != code_digest(Trebling())


def test_partial_functions_are_told_by_what_they_call_and_with_what() -> None:
    """Neither another function nor other arguments go unnoticed."""
    digests = [code_digest(functools.partial(*call)) for call in ((judged,), (misjudged,), (shout, 1), (shout, 2))]
    assert len(set(digests)) == len(digests)


def logged(function: Function) -> Function:
    """Wrap a function as most decorators do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_a_decorated_function_is_told_by_its_own_code() -> None:
    """A wrapper is looked through, also several: not all functions with one decorator are the same."""
    assert code_digest(logged(judged)) == code_digest(judged)
    assert code_digest(logged(logged(judged))) == code_digest(judged)
    assert code_digest(logged(judged)) != code_digest(logged(misjudged))
    assert code_digest(shout) != code_digest(whisper)


def test_what_a_function_calls_is_not_looked_into(tmp_path: Path) -> None:
    """Another helper beside a function that stays as it is goes unnoticed, as documented."""
    one, other = (f"def g(n):\n    return n + {number}\n\n\ndef f(row):\n    return g(row)\n" for number in (1, 2))
    assert code_digest(from_file(tmp_path, one)) == code_digest(from_file(tmp_path, other))


def test_functions_of_a_factory_are_told_by_what_they_close_over() -> None:
    """Two functions of one text that were made with different values do different things."""

    def scaled(factor: int) -> Function:
        return lambda row: row["n"] * factor

    assert code_digest(scaled(2)) == code_digest(scaled(2))
    assert code_digest(scaled(2)) != code_digest(scaled(3))


def test_lambdas_of_one_line_are_told_apart() -> None:
    """The source of a lambda is the whole line it is in; its own code counts."""
    one, other = (lambda row: row["n"] + 1), (lambda row: row["n"] + 2)
    again = lambda row: row["n"] + 1  # noqa: E731 - it is what is tested
    assert code_digest(one) == code_digest(again) != code_digest(other)


def test_a_function_that_calls_itself_has_a_digest() -> None:
    """A recursive function inside another one closes over itself."""

    def make(step: int) -> Function:
        def down(n: int) -> int:
            return n if n <= 0 else down(n - step)

        return down

    assert code_digest(make(1)) == code_digest(make(1)) != code_digest(make(2))


def test_what_a_function_keeps_in_mind_is_no_code() -> None:
    """A function that remembers what it has done is the same after it has done something: else no run goes on."""

    def make() -> Function:
        known: dict[int, int] = {}
        calls: list[int] = []

        def square(n: int) -> int:
            calls.append(n)
            return known.setdefault(n, n * n)

        return square

    function = make()
    before = code_digest(function)
    function(3)
    assert code_digest(function) == before == code_digest(make())


@pytest.mark.usefixtures("processes")
def test_a_digest_is_the_same_in_every_process() -> None:
    """A set in a lambda does not look otherwise in another process, which hashes text otherwise."""
    code = (
        "from data_designer.plan.fingerprints import code_digest\n"
        "print(code_digest(lambda row: row['n'] in {'a', 'b', 'c', 'd', 'e'}))\n"
    )
    digests = {
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": number})
        for number in "123"
    }
    assert len(digests) == 1
