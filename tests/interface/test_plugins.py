"""Columns of installed plugins. They are looked for when the library is imported, so each set of them has a process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.plugin_package import install, run

pytestmark = pytest.mark.usefixtures("processes")

HEAD = """
import json
import data_designer.config as dd
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.interface import DataDesigner

def declared():
    built = dd.DataDesignerConfigBuilder(model_configs=[])
    # Declared before what it needs: the order of columns comes from what they require.
    built.add_column(name="back", column_type="mirrored-text", of="word", times=2)
    built.add_column(name="word", column_type="sampler", sampler_type="category", params={"values": ["abc", "xy"]})
    built.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    built.add_column(name="place", column_type="ranked", of="n")
    built.add_column(name="later", column_type="awaited", of="back")
    built.add_column(name="said", column_type="expression", expr="{{ back }} of {{ back_length }}")
    return built

def made(path, records=6, **options):
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(seed=1, buffer_size=3, executor="inline"))
    return designer.create(declared(), num_records=records, **options)

def refusal_of(act):
    try:
        act()
    except Exception as error:
        return str(error)
"""
WRONG = {
    "homeless": "plugged.work.Nowhere' cannot be loaded: AttributeError",
    "broken": "plugged.broken.Broken' cannot be loaded: RuntimeError: no such device",
    "idle": "plugged.work.Idle has neither generate nor agenerate [invalid_plugin]",
    "unready": "plugged.work.Unready cannot be made: FileNotFoundError: weights.bin",
    "early": "plugged.work.AskEarly cannot be made: RuntimeError: models are there while a cell is made",
}
"""Kind of column to what is said of it."""
TOLD = """
def odd(path, kind):
    model = dd.ModelConfig(alias="m", model="m", provider="simulated")
    built = dd.DataDesignerConfigBuilder(model_configs=[model])
    built.add_column(name="n", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    built.add_column(name="odd", column_type=kind, of="n")
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(executor="inline"))
    return designer.create(built, num_records=2).load_dataset()["odd"].map(list).tolist()

def told(path, wrong):
    from data_designer.config.column_types import _column_plugins
    from data_designer.engine.testing.utils import assert_valid_plugin
    from plugged.plugins import idle, mirror, plugin, rank, twin

    results = made(path)
    text = declared().get_builder_config().to_json()
    back = DataDesignerConfigBuilder.from_config(json.loads(text))
    assert_valid_plugin(mirror)
    bad = (plugin("Mirrored", "asyncio"), idle)
    return {
        "asked": odd(path, "asking"),
        "rows": json.loads(results.load_dataset().to_json(orient="records")),
        "ranked": [one.column_name for one in results.load_analysis().get_column_statistics_by_type("ranked")],
        "same": back.get_builder_config().to_json() == text,
        "class": type(back.get_column_config("back")).__qualname__,
        "kind": dd.DataDesignerColumnType.MIRRORED_TEXT.value,
        "first of twins": [list(found := _column_plugins([rank, twin])), found["ranked"] is rank],
        "checked": [refusal_of(lambda: assert_valid_plugin(one)) for one in bad],
        "wrong": {kind: refusal_of(lambda: odd(path, kind)) for kind in wrong},
    }
"""


@dataclass(frozen=True)
class Told:
    """What a program says of the plugins that it finds."""

    of: dict[str, Any]
    beside: str
    """What it has logged."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Everything that one process can tell of plugins that it could load."""
    folder = tmp_path_factory.mktemp("plugins")
    code = f"{HEAD}{TOLD}\nprint(json.dumps(told({str(folder / 'sets')!r}, {list(WRONG)!r})))"
    out, beside = run(install(folder, plugins=("mirror", "rank", "wait", "asking", *WRONG)), code)
    return Told(json.loads(out), beside)


def test_columns_of_plugins_are_made_as_any_other(told: Told) -> None:
    """By cell, awaited, and for a whole batch; with side effects, in the order of what they need."""
    rows = told.of["rows"]
    assert len(rows) == 6
    for row in rows:
        mirrored = row["word"][::-1] * 2
        assert (row["back"], row["back_length"]) == (mirrored, len(mirrored))
        assert (row["later"], row["said"]) == (f"awaited {mirrored}", f"{mirrored} of {len(mirrored)}")
    for batch in (rows[:3], rows[3:]):
        ordered = sorted(batch, key=lambda row: float(row["n"]))
        assert [row["place"] for row in ordered] == [1, 2, 3]


def test_a_plugin_asks_the_models_that_its_configuration_names(told: Told) -> None:
    """By their alias, while a cell is made."""
    assert len(told.of["asked"]) == 2
    for one, same in told.of["asked"]:
        assert one
        assert one == same


def test_statistics_of_a_plugin_s_column_are_found_by_its_type(told: Told) -> None:
    """As those of other kinds are."""
    assert told.of["ranked"] == ["place"]


def test_a_declaration_with_plugins_goes_to_a_file_and_back(told: Told) -> None:
    """The classes are those of the plugin; their kinds are among the column types."""
    assert told.of["same"]
    assert (told.of["class"], told.of["kind"]) == ("Mirrored", "mirrored-text")


@pytest.mark.parametrize("kind", WRONG)
def test_a_column_that_cannot_be_made_is_refused_by_name(told: Told, kind: str) -> None:
    """And with what is wrong with its class."""
    assert "odd" in told.of["wrong"][kind]
    assert WRONG[kind] in told.of["wrong"][kind]


def test_the_second_of_two_kinds_of_one_name_is_left_out(told: Told) -> None:
    """Which one was meant could not be known."""
    assert told.of["first of twins"] == [["ranked"], True]
    assert "plugin=ranked is left out: another kind of column is called RANKED" in told.beside


def test_authors_can_check_their_plugin(told: Told) -> None:
    """Both classes are there and of the right kind; else it is said which is not."""
    assert told.of["checked"] == [
        "plugged.work.asyncio is no class",
        "plugged.work.Idle has neither generate nor agenerate",
    ]


def test_a_change_of_the_plugin_or_of_its_settings_is_another_column(tmp_path: Path) -> None:
    """A resume is refused where the code of the plugin, or what it is told, has changed since."""
    environment = install(tmp_path)
    sets = str(tmp_path / "sets")
    begun = f"made({sets!r}, 6)\nmade({sets!r}, 9, resume='always')\n"
    refused = f"print(refusal_of(lambda: made({sets!r}, 12, resume='always')))"
    other_settings = "\n".join((HEAD, begun, HEAD.replace("times=2", "times=3"), refused))
    assert "times: 2 -> 3" in run(environment, other_settings)[0]
    work = tmp_path / "plugged" / "work.py"
    work.write_text(work.read_text().replace("[::-1]", "[::1]"))
    assert "the code of the function of column 'back'" in run(environment, f"{HEAD}\n{refused}")[0]


NO_PLUGIN = """
import data_designer.config.seed
from data_designer.config.column_types import COLUMN_CLASSES, DataDesignerColumnType
print(sorted(COLUMN_CLASSES) == sorted(DataDesignerColumnType), len(COLUMN_CLASSES))
"""


def test_plugins_can_be_turned_off(tmp_path: Path) -> None:
    """There are the kinds of the library then, and no others."""
    out, _ = run(install(tmp_path, plugins=("mirror",)), NO_PLUGIN, DISABLE_DATA_DESIGNER_PLUGINS="true")
    assert out.split() == ["True", "12"]


def test_what_is_broken_is_left_out(tmp_path: Path) -> None:
    """The library works without it; what is broken is said, of each."""
    out, beside = run(install(tmp_path, plugins=("missing", "nonsense", "seeds", "loose", "posing")), NO_PLUGIN)
    assert out.split() == ["True", "12"]
    for said in (
        "plugin=missing failed to load",
        "plugin=nonsense is no Plugin but str",
        "plugin=mine is left out: plugged.configs.Seeds is no SeedSource",
        "needs a literal 'column_type' with a default",
        "plugin=llm_text is left out: another kind of column is called LLM_TEXT",
    ):
        assert said in beside


OTHERS = """
import json
from pathlib import Path
import data_designer.config as dd
from data_designer.config.config_builder import DataDesignerConfigBuilder
from data_designer.interface import DataDesigner
from data_designer.engine.testing.utils import assert_valid_plugin

def declared(folder, **shouted):
    from plugged.configs import Lines
    built = dd.DataDesignerConfigBuilder(model_configs=[])
    built.with_seed_dataset(Lines(path=str(folder)))
    built.add_column(name="said", column_type="expression", expr="{{ line }}!")
    built.add_column(name="hidden", column_type="expression", expr="of {{ line }}", drop=True)
    return built.add_processor(name="loud", processor_type="shouted", of="said", **shouted)

def told(path):
    from plugged.plugins import lines, shout
    seeds = Path(path, "seeds")
    seeds.mkdir()
    (seeds / "a.txt").write_text("one\\ntwo\\nthree\\n")
    designer = DataDesigner(path)
    designer.set_run_config(dd.RunConfig(seed=1, buffer_size=2, executor="inline"))
    built = declared(seeds)
    assert_valid_plugin(lines)
    assert_valid_plugin(shout)
    back = DataDesignerConfigBuilder.from_config(json.loads(built.get_builder_config().to_json()))
    results = designer.create(back, num_records=3)
    return {
        "rows": json.loads(results.load_dataset().to_json(orient="records")),
        "preview": json.loads(designer.preview(built, num_records=1).dataset.to_json(orient="records")),
        "hidden": results.artifact_storage.load_dataset_with_dropped_columns()["hidden"].tolist(),
        "fewer": refusal_of(lambda: designer.create(declared(seeds, rows=1), num_records=2, dataset_name="f")),
        "after": refusal_of(lambda: designer.validate(built.copy().add_processor(name="w", processor_type="whole"))),
        "unknown": refusal_of(lambda: built.add_processor(name="w", processor_type="nothing")),
    }

def refusal_of(act):
    try:
        act()
    except Exception as error:
        return str(error)
"""


def test_seed_readers_and_processors_of_plugins(tmp_path: Path) -> None:
    """Sources are read by them, and rows of batches are as they leave them; what is not called is refused."""
    environment = install(tmp_path, plugins=("lines", "shout", "whole"))
    home = tmp_path / "made"
    home.mkdir()
    out, _ = run(environment, f"{OTHERS}\nprint(json.dumps(told({str(home)!r})))")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert found["rows"] == [
        {"file": "a.txt", "line": "one", "said": "ONE!", "batch": 0},
        {"file": "a.txt", "line": "two", "said": "TWO!", "batch": 0},
        {"file": "a.txt", "line": "three", "said": "THREE!", "batch": 1},
    ]
    assert found["preview"] == [{"file": "a.txt", "line": "one", "said": "ONE!", "batch": -1}]
    assert found["hidden"] == ["of one", "of two", "of three"]
    assert "processor 'loud' gave 1 rows for 2" in found["fewer"]
    assert "plugged.work.CountAll has process_after_generation, which this version does not call" in found["after"]
    assert "a processor_type of drop_columns, schema_transform, shouted, whole" in found["unknown"]
