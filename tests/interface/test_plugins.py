"""Columns of installed plugins. Plugins are looked for when the library is imported, so each test has its process."""

import json
from pathlib import Path

import pytest
from tests.plugin_package import install, run

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
"""


def test_columns_of_plugins_are_made_as_any_other(tmp_path: Path) -> None:
    """By cell, awaited, and for a whole batch; with side effects, in the order of what they need."""
    code = f"{HEAD}\nprint(made({str(tmp_path / 'sets')!r}, 6).load_dataset().to_json(orient='records'))"
    rows = json.loads(run(install(tmp_path), code)[0])
    assert len(rows) == 6
    for row in rows:
        mirrored = row["word"][::-1] * 2
        assert (row["back"], row["back_length"]) == (mirrored, len(mirrored))
        assert (row["later"], row["said"]) == (f"awaited {mirrored}", f"{mirrored} of {len(mirrored)}")
    for batch in (rows[:3], rows[3:]):
        ordered = sorted(batch, key=lambda row: float(row["n"]))
        assert [row["place"] for row in ordered] == [1, 2, 3]


def test_statistics_of_a_plugin_s_column_are_found_by_its_type(tmp_path: Path) -> None:
    """As those of other kinds are."""
    code = f"""{HEAD}
found = made({str(tmp_path / "sets")!r}).load_analysis()
print([one.column_name for one in found.get_column_statistics_by_type("ranked")])
"""
    assert run(install(tmp_path), code)[0].strip() == "['place']"


def test_a_declaration_with_plugins_goes_to_a_file_and_back(tmp_path: Path) -> None:
    """The classes are those of the plugin; their kinds are among the column types."""
    code = f"""{HEAD}
text = declared().get_builder_config().to_json()
back = DataDesignerConfigBuilder.from_config(json.loads(text))
assert back.get_builder_config().to_json() == text
print(type(back.get_column_config("back")).__qualname__, dd.DataDesignerColumnType.MIRRORED_TEXT.value)
"""
    assert run(install(tmp_path), code)[0].split() == ["Mirrored", "mirrored-text"]


def test_a_change_of_the_plugin_or_of_its_settings_is_another_column(tmp_path: Path) -> None:
    """A resume is refused where the code of the plugin, or what it is told, has changed since."""
    environment = install(tmp_path)
    sets = str(tmp_path / "sets")
    run(environment, f"{HEAD}\nmade({sets!r})")
    run(environment, f"{HEAD}\nmade({sets!r}, 9, resume='always')")
    work = tmp_path / "plugged" / "work.py"
    work.write_text(work.read_text().replace("[::-1]", "[::1]"))
    refused = f"{HEAD}\ntry:\n    made({sets!r}, 12, resume='always')\nexcept Exception as error:\n    print(error)"
    assert "the code of the function of column 'back'" in run(environment, refused)[0]
    work.write_text(work.read_text().replace("[::1]", "[::-1]"))
    assert "times: 2 -> 3" in run(environment, refused.replace("times=2", "times=3"))[0]


@pytest.mark.parametrize(
    ("plugins", "variables", "warned"),
    [
        (("mirror",), {"DISABLE_DATA_DESIGNER_PLUGINS": "true"}, None),
        (("missing",), {}, "plugin=missing failed to load"),
        (("nonsense",), {}, "plugin=nonsense is no Plugin but str"),
        (("seeds",), {}, "plugin=mine is left out: plugins of kind seed-reader are not supported by this version"),
        (("loose",), {}, "needs a literal 'column_type' with a default"),
        (("posing",), {}, "plugin=llm_text is left out: another kind of column is called LLM_TEXT"),
    ],
)
def test_what_is_turned_off_or_broken_is_left_out(
    tmp_path: Path, plugins: tuple[str, ...], variables: dict[str, str], warned: str | None
) -> None:
    """The library works without it; what is broken is said."""
    code = """
from data_designer.config.column_types import COLUMN_CLASSES, DataDesignerColumnType
print(sorted(COLUMN_CLASSES) == sorted(DataDesignerColumnType), len(COLUMN_CLASSES))
"""
    out, beside = run(install(tmp_path, plugins=plugins), code, **variables)
    assert out.split() == ["True", "11"]
    assert warned is None or warned in beside


@pytest.mark.parametrize(
    ("plugins", "kind", "said"),
    [
        (("homeless",), "ranked", "plugged.work.Nowhere' cannot be loaded: AttributeError"),
        (("broken",), "ranked", "plugged.broken.Broken' cannot be loaded: RuntimeError: no such device"),
        (("idle",), "ranked", "plugged.work.Idle has neither generate nor agenerate [invalid_plugin]"),
        (("unready",), "ranked", "plugged.work.Unready cannot be made: FileNotFoundError: weights.bin"),
        (("asking",), "asking", "columns of plugins that ask models are not supported by this version"),
    ],
)
def test_a_column_that_cannot_be_made_is_refused_by_name(
    tmp_path: Path, plugins: tuple[str, ...], kind: str, said: str
) -> None:
    """And with what is wrong with its class."""
    code = f"""{HEAD}
built = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model="m", provider="simulated")])
built.add_column(name="n", column_type="sampler", sampler_type="uniform", params={{"low": 0, "high": 1}})
built.add_column(name="odd", column_type={kind!r}, of="n")
designer = DataDesigner({str(tmp_path)!r})
designer.set_run_config(dd.RunConfig(executor="inline"))
try:
    designer.create(built, num_records=2)
except Exception as error:
    print(error)
"""
    out = run(install(tmp_path, plugins=plugins), code)[0]
    assert "odd" in out
    assert said in out


def test_the_second_of_two_kinds_of_one_name_is_left_out(tmp_path: Path) -> None:
    """Which one was meant could not be known."""
    code = """
from data_designer.config.column_types import _column_plugins
from data_designer.plugins import PluginType
from plugged.plugins import plugin, rank, homeless
print(*_column_plugins([rank, homeless, ]))
print(_column_plugins([rank, homeless])["ranked"] is rank)
"""
    out, beside = run(install(tmp_path), code)
    assert out.split() == ["ranked", "True"]
    assert "plugin=ranked is left out: another kind of column is called RANKED" in beside


def test_authors_can_check_their_plugin(tmp_path: Path) -> None:
    """Both classes are there and of the right kind; else it is said which is not."""
    code = """
from data_designer.engine.testing.utils import assert_valid_plugin
from plugged.plugins import idle, mirror, plugin
assert_valid_plugin(mirror)
for wrong in (plugin("Mirrored", "asyncio"), idle):
    try:
        assert_valid_plugin(wrong)
    except AssertionError as error:
        print(error)
"""
    assert run(install(tmp_path), code)[0].splitlines() == [
        "plugged.work.asyncio is no class",
        "plugged.work.Idle has neither generate nor agenerate",
    ]
