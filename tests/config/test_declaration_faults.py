"""What is wrong with a declaration in a file: every fault at once, each with its line, its column and its field."""

from pathlib import Path

import pytest
from pydantic import ValidationError

import data_designer.config as dd
from data_designer.config.defaults import default_providers, home
from data_designer.config.places import named, path_in
from data_designer.config.yaml_text import read_document
from data_designer.errors import InvalidConfigError, InvalidFilePathError, UserJinjaTemplateSyntaxError

BAD = """\
columns:
- name: topic
  column_type: sampler
  sampler_type: categry
  params: {values: [tea, rain]}
- name: text
  column_type: llm-text
  promt: "Write about {{ topic }}"
  model_alias: m
- name: open
  column_type: llm-text
  prompt: "Write about {{ topic "
  model_alias: m
- name: x
  columntype: llm-text
- tea
colour: red
model_configs:
- alias: m
  model: sim
  inference_parameters:
    max_tokens: lots
"""

FAULTS = [
    "c.yaml:4: column 'topic', field 'sampler_type': cannot be 'categry'; did you mean 'category'?",
    "c.yaml:6: column 'text', field 'prompt': is missing",
    "c.yaml:8: column 'text', field 'promt': there is no such field; did you mean 'prompt'?",
    "c.yaml:10: column 'open': the template does not parse",
    "c.yaml:14: column 'x': column_type is missing; it is one of seed-dataset, sampler, llm-text",
    "c.yaml:16: column 5: must be a mapping of fields, not 'tea'",
    "c.yaml:22: model 'm', field 'inference_parameters.max_tokens': must be a valid integer, not 'lots'",
    "c.yaml:17: colour: there is no such field",
]


def refused(config: object) -> list[str]:
    """What is said of a configuration, a fault each."""
    with pytest.raises(ValidationError) as caught:
        dd.DataDesignerConfigBuilder.from_config(config)
    return [one["msg"] for one in caught.value.errors()]


@pytest.mark.parametrize("wrapped", [False, True])
def test_every_fault_of_a_file_has_its_line_and_its_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    """Also where a template of another column does not parse, and below the key `data_designer`."""
    monkeypatch.chdir(tmp_path)
    text = "data_designer:\n  " + BAD.replace("\n", "\n  ") if wrapped else BAD
    (tmp_path / "c.yaml").write_text(text)
    for said, expected in zip(refused("c.yaml"), FAULTS, strict=True):
        line = expected.split(":")[1]
        assert said.startswith(expected.replace(f":{line}:", f":{int(line) + wrapped}:", 1))


def test_a_text_has_lines_and_a_dict_has_names() -> None:
    """There is no file to name."""
    assert refused(BAD)[2].startswith("line 8: column 'text', field 'promt': ")
    column = {"name": "text", "column_type": "llm-text", "promt": "x", "prompt": "y", "model_alias": "m"}
    assert refused({"columns": [column]}) == [
        "column 'text', field 'promt': there is no such field; did you mean 'prompt'?"
    ]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            "columns:\n- {name: a, column_type: expression, expr: '{{ x'}\n",
            UserJinjaTemplateSyntaxError,
            "c.yaml:2: column 'a': the template does not parse",
        ),
        (
            "columns:\n- {name: a, column_type: expression, expr: ' '}\n",
            InvalidConfigError,
            "c.yaml:2: column 'a': the expression is blank",
        ),
        (
            "columns: []\nseed_config:\n  source: {seed_type: local, path: gone.csv}\n",
            InvalidFilePathError,
            "c.yaml:2: seed_config: the seed file 'gone.csv' does not exist",
        ),
    ],
)
def test_one_fault_of_the_librarys_own_keeps_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kind: type[Exception], said: str
) -> None:
    """Whoever catches it still does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(kind) as caught:
        dd.DataDesignerConfigBuilder.from_config("c.yaml")
    assert str(caught.value).startswith(said)


def test_a_builder_knows_where_its_columns_and_models_are_declared(tmp_path: Path) -> None:
    """Until one is replaced; without a file there is no such place."""
    text = "model_configs:\n- {alias: m, model: x}\ncolumns:\n- {name: a, column_type: expression, expr: '1'}\n"
    path = tmp_path / "c.yaml"
    path.write_text(text)
    builder = dd.DataDesignerConfigBuilder.from_config(path)
    assert builder.places == {"m": f"{path}:2", "a": f"{path}:4"}
    builder.add_column(name="a", column_type="expression", expr="2")
    assert builder.places == {"m": f"{path}:2"}
    assert dd.DataDesignerConfigBuilder.from_config(text).places == {}


def test_the_users_own_files_are_named(tmp_path: Path) -> None:
    """Those of providers and models in the home folder."""
    path = home() / "model_providers.yaml"
    path.write_text("providers:\n- name: p\n  endpoint: http://h\n  api_kye: K\n- name: q\n  backend: 3\n")
    with pytest.raises(ValidationError) as caught:
        default_providers()
    assert [one["msg"] for one in caught.value.errors()] == [
        f"{path}:4: provider 'p', field 'api_kye': there is no such field; did you mean 'api_key'?",
        f"{path}:6: provider 'q', field 'backend': must be a valid string",
    ]


def test_a_value_of_several_kinds_that_is_none_of_them_is_one_fault() -> None:
    """A city is a text or a list of them."""
    params = {"city": 5}
    column = {"name": "p", "column_type": "sampler", "sampler_type": "person_from_faker", "params": params}
    assert refused({"columns": [column]}) == [
        "column 'p', field 'params.city': must be a valid string or a valid list, not 5"
    ]


def test_lines_and_names_of_paths() -> None:
    """As far as a path leads; kinds that pydantic puts between are no part of it."""
    document = read_document("a:\n- b: 1\n  c: 2\n-\n  b: 3\n", "t")
    assert [document.line(path) for path in ((), ("a",), ("a", 0, "c"), ("a", 1, "b"), ("a", 1, "z"), ("z",))] == [
        1,
        1,
        3,
        5,
        5,
        1,
    ]
    content = {"columns": [{"name": "x", "scores": [{"name": "s", "options": {}}]}]}
    path = path_in(content, ("columns", 0, "llm-judge", "scores", 0, "options"))
    assert named(content, path) == "column 'x', score 's', field 'options'"
    assert named({"columns": [{}]}, ("columns", 0)) == "column 1"


def test_all_names_that_are_given_twice_are_told_at_once() -> None:
    """Of columns and of models."""
    column = {"column_type": "expression", "expr": "1"}
    model = {"alias": "m", "model": "x"}
    columns = [{"name": name, **column} for name in ("a", "b", "a", "b")]
    assert refused({"columns": columns, "model_configs": [model, model]}) == [
        "there are two columns named 'a', two columns named 'b', two models with the alias 'm'; rename one of them"
    ]


def test_a_column_that_a_builder_lacks_is_answered_by_the_one_that_was_meant() -> None:
    """It is a KeyError, as of any mapping."""
    builder = dd.DataDesignerConfigBuilder().add_column(name="review", column_type="expression", expr="1")
    with pytest.raises(KeyError, match="there is no column 'revew'; did you mean 'review'"):
        builder.get_column_config("revew")


def test_references_that_lead_nowhere_are_told_with_the_rest() -> None:
    """Of sound columns, to columns and models; what a column that is refused would make is not known."""
    columns = [
        {"name": "topic", "column_type": "expression", "expr": "1", "drp": True},
        {"name": "text", "column_type": "llm-text", "prompt": "{{ topci }} {{ topic }}", "model_alias": "writr"},
        {"name": "e", "column_type": "expression", "expr": "{{ topic__trace }}", "skip": {"when": "{{ txt }}"}},
    ]
    config = {"columns": columns, "model_configs": [{"alias": "writer", "model": "x"}]}
    assert refused(config) == [
        "column 'topic', field 'drp': there is no such field; did you mean 'drop'?",
        "column 'text': refers to 'topci', which no column makes; did you mean 'topic'?",
        "column 'text': model alias 'writr' is not declared; did you mean 'writer'?",
        "column 'e': refers to 'txt', which no column makes; did you mean 'text'?",
    ]
    seeded = {**config, "seed_config": {"source": {"seed_type": "hf", "path": "x"}}}
    assert len(refused(seeded)) == 2


def test_models_of_the_users_own_files_are_not_taken_for_missing() -> None:
    """They are not in the configuration."""
    column = {"name": "text", "column_type": "llm-text", "prompt": "x", "model_alias": "nvidia-text"}
    assert refused({"columns": [column], "colour": "red"}) == [
        "colour: there is no such field; did you mean 'columns'?"
    ]


def test_a_misspelt_key_of_columns_is_told_as_others_are() -> None:
    """It is not taken for another form of file."""
    assert refused({"colums": [], "model_configs": []}) == [
        "columns: is missing",
        "colums: there is no such field; did you mean 'columns'?",
    ]


@pytest.mark.parametrize(("text", "held"), [("", "nothing"), ("- a\n", "a list"), ("hello\n", "a single value")])
def test_a_file_that_is_no_mapping_says_what_it_holds(tmp_path: Path, text: str, held: str) -> None:
    """And which file it is."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfigError, match=f"c.yaml is no configuration: it holds {held}, not a mapping"):
        dd.DataDesignerConfigBuilder.from_config(path)
