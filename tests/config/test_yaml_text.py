"""YAML as configurations are written in: what is written is what is read, or is refused with the place."""

from pathlib import Path
from typing import Any

import pytest

import data_designer.config as dd
from data_designer.config.config_files import read_config
from data_designer.config.models import load_model_configs
from data_designer.config.yaml_text import read_yaml
from data_designer.errors import InvalidConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[true, False, TRUE]", [True, False, True]),
        ("['NO', \"yes\", Norway]", ["NO", "yes", "Norway"]),
        ("{drop: no, keep: yes}", {"drop": False, "keep": True}),
        ("[0, -1, 12, 1.5, .5]", [0, -1, 12, 1.5, 0.5]),
        ("['0123', '12:30']", ["0123", "12:30"]),
        ("{records: 1_000}", {"records": 1000}),
        ("[2024-01-02, 2024-02-30]", ["2024-01-02", "2024-02-30"]),
        ("start: 2024-01-02 10:00:00", {"start": "2024-01-02 10:00:00"}),
        ("a: &a {b: 1}\nc: {<<: *a, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ('{"a": [1, null, true, "NO"]}', {"a": [1, None, True, "NO"]}),
        ("", None),
    ],
)
def test_values_are_read_as_they_are_written(text: str, value: Any) -> None:
    """Texts, numbers and truth values; dates stay texts."""
    assert read_yaml(text, "c.yaml") == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("values: [SE, NO]", 'line 1, column 14: NO is a boolean in YAML; write "NO" in quotes'),
        ("values: [on, off]", "on is a boolean"),
        ("values:\n- Yes", "line 2, column 3: Yes is a boolean"),
        ("values: {NO: [Oslo]}", "NO is a boolean"),
        ("values: [01234]", '01234 is a number of another form in YAML; write "01234"'),
        ("values: [12:30]", "12:30 is a number of another form"),
        ("values: [0x1F]", "0x1F is a number"),
        ("values: [1_000]", "1_000 is a number"),
        ("zip: 01234", "01234 is a number of another base"),
        ("at: 12:30", "12:30 is a number of another base"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice, first in line 1"),
        ("a: &a [*a]", "it contains itself"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ("[" * 5000, "nested too deeply"),
        ("a: " + "9" * 5000, "does not parse"),
        ("a: [", "does not parse at line 1"),
        ("a: !!python/object:os.system x", "does not parse at line 1"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused_with_its_place(text: str, why: str) -> None:
    """The message says what to write."""
    with pytest.raises(InvalidConfigError) as raised:
        read_yaml(text, "c.yaml")
    assert str(raised.value).startswith("c.yaml")
    assert why in str(raised.value)


@pytest.mark.parametrize("merged", [False, True])
def test_aliases_that_grow_are_refused_before_they_do(merged: bool) -> None:
    """Nine times nine times nine ..."""
    lines = ["a: &a {x: 1}" if merged else "a: &a [x, x, x]"]
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True):
        many = ", ".join([f"*{before}"] * 9)
        lines.append(f"{name}: &{name} {{<<: [{many}]}}" if merged else f"{name}: &{name} [{many}]")
    with pytest.raises(InvalidConfigError, match="1,000,000 values"):
        read_yaml("\n".join(lines), "c.yaml")


def test_every_way_to_give_a_configuration_is_read_so(tmp_path: Path) -> None:
    """Text, a file, and the configuration of models."""
    text = "columns:\n- {name: c, column_type: sampler, sampler_type: category, params: {values: [NO, SE]}}\n"
    (tmp_path / "c.yaml").write_text(text)
    for config in (text, tmp_path / "c.yaml"):
        with pytest.raises(InvalidConfigError, match=r"NO is a boolean in YAML"):
            read_config(config)
    with pytest.raises(InvalidConfigError, match="NO is a boolean"):
        load_model_configs("model_configs: [NO]")


@pytest.mark.parametrize(
    "values", [[True, False], [False, "SE"], [9007199254740993, 0.5], [1, 1.0, "1", True], [2**63]]
)
def test_the_values_of_a_category_keep_their_kinds(values: list[Any]) -> None:
    """Declared, written to YAML and read back."""
    builder = dd.DataDesignerConfigBuilder()
    builder.add_column(name="c", column_type="sampler", sampler_type="category", params={"values": values})
    read = dd.DataDesignerConfigBuilder.from_config(str(builder.get_builder_config().to_yaml()))
    for made in (builder, read):
        params: Any = made.get_column_configs()[0]
        kept = params.params.values
        assert [(type(one), one) for one in kept] == [(type(one), one) for one in values]
