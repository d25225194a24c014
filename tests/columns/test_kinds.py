"""Kinds of columns: everything about one is in its `ColumnKind`, and nowhere else."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray import cloudpickle

import data_designer
import data_designer.config as dd
from data_designer.columns.registry import KINDS
from data_designer.config.column_types import COLUMN_CLASSES
from data_designer.plan.kinds import seed_columns
from data_designer.plan.model import Step

SOURCE = Path(data_designer.__file__).parent
KNOWING = ("columns", "config")
"""Rooms that know kinds of columns by name."""
TYPES = frozenset(dd.DataDesignerColumnType)
WORDS_OF_WIRES = {"image", "embedding"}
"""Types whose names are what endpoints call such things, too: code tells them apart by class and member only."""
CLASSES = {"DataDesignerColumnType", *(cls.__name__ for cls in COLUMN_CLASSES.values())}


def told_apart(tree: ast.AST) -> Iterator[ast.expr]:
    """What code tells things apart by: what it compares with, matches, looks up, or keeps in sets and dicts."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                for side in (node.left, *node.comparators):
                    yield from ast.iter_child_nodes(side) if isinstance(side, ast.Tuple | ast.List) else [side]
            case ast.MatchValue(value=value):
                yield value
            case ast.Dict(keys=keys):
                yield from filter(None, keys)
            case ast.Set(elts=elements):
                yield from elements
            case ast.Subscript(slice=index):
                yield index
            case ast.Call(func=ast.Name(id="frozenset" | "set" | "dict"), args=[ast.Tuple(elts=elements)]):
                yield from elements


def compared(code: str) -> list[str]:
    """The column types, and classes of columns, that code tells apart by."""
    tree = ast.parse(code)
    types = [
        node.value
        for node in told_apart(tree)
        if isinstance(node, ast.Constant) and node.value in TYPES - WORDS_OF_WIRES
    ]
    return types + [name for name in classes_told_apart(tree) if name in CLASSES]


def classes_told_apart(tree: ast.AST) -> Iterator[str]:
    """The classes that code asks for, and members of enumerations that it names."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                yield from (name.id for name in ast.walk(classes) if isinstance(name, ast.Name))
            case ast.MatchClass(cls=ast.Name(id=name)) | ast.Attribute(value=ast.Name(id=name)):
                yield name


@pytest.mark.parametrize(
    "code",
    [
        'a.column_type == "llm-text"',
        'if step.kind in ("sampler", x): pass',
        'match kind:\n    case "llm-code" | "other": pass',
        'MADE = frozenset({"custom"})',
        'MADE = frozenset(("custom", "x"))',
        'NAMES = {"expression": 1}',
        'TABLE["validation"]',
        'a if "seed-dataset" != kind else b',
        "isinstance(column, Other | ImageColumnConfig)",
        "match column:\n    case SamplerColumnConfig(name=name): pass",
        "kind == DataDesignerColumnType.CUSTOM",
    ],
)
def test_a_comparison_with_a_column_type_is_found(code: str) -> None:
    """In any of its forms."""
    assert len(compared(code)) == 1


def test_no_other_room_compares_column_types() -> None:
    """A new kind is one file here: nothing outside asks what a column is called."""
    rooms = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] not in KNOWING]
    assert len(rooms) > 100
    found = {str(path.relative_to(SOURCE)): compared(path.read_text(encoding="utf-8")) for path in rooms}
    assert {path: types for path, types in found.items() if types} == {}


def test_every_column_type_has_a_kind() -> None:
    """With the class that the configuration has for it, in the same order."""
    assert list(KINDS) == list(COLUMN_CLASSES)
    assert set(KINDS) == TYPES
    assert {name: kind.config for name, kind in KINDS.items()} == COLUMN_CLASSES


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_the_same_in_another_process(name: str) -> None:
    """It is sent by the names of its functions, with nothing else in it."""
    for pickles in (pickle, cloudpickle):
        sent = pickles.dumps(KINDS[name])
        assert len(sent) < 2000
        assert repr(pickles.loads(sent)) == repr(KINDS[name])


@pytest.mark.parametrize("name", KINDS)
def test_what_a_kind_calls_templates_are_fields(name: str) -> None:
    """A field that is not there would fail only once such a column is checked; a property may gather several."""
    config = KINDS[name].config
    gathered = {field for field in KINDS[name].templates if isinstance(getattr(config, field, None), property)}
    assert set(KINDS[name].templates) <= config.model_fields.keys() | gathered


def test_a_step_holds_what_is_declared_and_no_kind() -> None:
    """Plans are sent to every worker."""
    column = dd.ExpressionColumnConfig(name="x", expr="{{ y }}")
    step = Step("x", (column,), ("y",), ("x",), "cell", "local", cheap=True)
    assert (step.kind, step.of(dd.ExpressionColumnConfig), step.of(dd.CustomColumnConfig)) == (
        "expression",
        (column,),
        (),
    )
    assert len(pickle.dumps(step)) < 2000
    assert seed_columns([column, dd.SeedDatasetColumnConfig(name="s")], KINDS) == ["s"]
