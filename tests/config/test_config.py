"""The declaration API: names, defaults, refusals, files, fingerprints."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import data_designer.config as dd
import data_designer.interface
from data_designer import errors
from data_designer.config.yaml_text import read_yaml

NAMES = 98


def test_the_door_has_exactly_the_public_names() -> None:
    """93 names of theirs and five of ours, each importable, and an unknown one says which module lacks it."""
    assert len(dir(dd)) == NAMES
    assert sorted(dd.__all__) == dir(dd)
    for name in dir(dd):
        assert getattr(dd, name) is not None
    with pytest.raises(AttributeError, match=r"data_designer\.config.*nope"):
        _ = dd.nope  # type: ignore[attr-defined]
    assert len(dir(data_designer.interface)) == 19
    for name in dir(data_designer.interface):
        assert getattr(data_designer.interface, name) is not None


@pytest.mark.usefixtures("processes")
def test_declaring_imports_nothing_heavy() -> None:
    """Importing it loads not even pydantic; touching every public class loads nothing that only some of them use."""
    code = (
        "import sys, data_designer.config as dd\n"
        "assert 'pydantic' not in sys.modules\n"
        "for name in dir(dd): getattr(dd, name)\n"
        "assert not {'jinja2', 'yaml', 'urllib.request', 'rich'} & set(sys.modules), sys.modules.keys()\n"
        "b = dd.DataDesignerConfigBuilder().add_column(name='d', column_type='sampler', sampler_type='datetime',"
        " params={'start': '2024-01-01', 'end': '2024-02-01'})\n"
        "b.build()\n"
        "assert not {'ray', 'pandas', 'numpy', 'pyarrow'} & set(sys.modules), sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SMALL: dict[str, dict[str, Any]] = {
    "SamplerColumnConfig": {"name": "c", "sampler_type": "uuid", "params": {}},
    "LLMTextColumnConfig": {"name": "c", "prompt": "p", "model_alias": "m"},
    "LLMCodeColumnConfig": {"name": "c", "prompt": "p", "model_alias": "m", "code_lang": "python"},
    "LLMStructuredColumnConfig": {"name": "c", "prompt": "p", "model_alias": "m", "output_format": {}},
    "LLMJudgeColumnConfig": {
        "name": "c",
        "prompt": "p",
        "model_alias": "m",
        "scores": [{"name": "s", "description": "d", "options": {1: "low", 2: "high"}}],
    },
    "ExpressionColumnConfig": {"name": "c", "expr": "{{ a }}"},
    "ValidationColumnConfig": {
        "name": "c",
        "target_columns": ["a"],
        "validator_type": "code",
        "validator_params": {"code_lang": "python"},
    },
    "SeedDatasetColumnConfig": {"name": "c"},
    "EmbeddingColumnConfig": {"name": "c", "target_column": "a", "model_alias": "m"},
    "ImageColumnConfig": {"name": "c", "prompt": "p", "model_alias": "m"},
    "ModelConfig": {"alias": "m", "model": "x", "provider": "p"},
    "ModelProvider": {"name": "p", "endpoint": "http://h/v1"},
    "RunConfig": {},
    "ToolConfig": {"tool_alias": "t", "providers": ["p"]},
    "MCPProvider": {"name": "p", "endpoint": "http://h"},
    "SkipConfig": {"when": "{{ a }}"},
    "ChatCompletionInferenceParams": {},
    "DropColumnsProcessorConfig": {"name": "d", "column_names": ["a"]},
    "SchemaTransformProcessorConfig": {"name": "s", "template": {"a": "{{ b }}"}},
    "ScalarInequalityConstraint": {"target_column": "a", "rhs": 1, "operator": "lt"},
    "IndexRange": {"start": 0, "end": 1},
    "PartitionBlock": {},
    "CategorySamplerParams": {"values": ["a"]},
    "PersonFromFakerSamplerParams": {},
}


@pytest.mark.parametrize("name", SMALL)
def test_unknown_fields_are_refused(name: str) -> None:
    """Every configuration class refuses a field it does not know."""
    made = getattr(dd, name)(**SMALL[name])
    assert made is not None
    with pytest.raises(ValidationError, match="extra_forbidden|Extra inputs"):
        getattr(dd, name)(**SMALL[name], nonsense=1)


def test_contexts_and_sources_ignore_unknown_fields(tmp_path: Path) -> None:
    """Media contexts and seed sources are lenient, as in the reference."""
    assert dd.ImageContext(column_name="c", foo=1).modality == "image"  # type: ignore[call-arg]
    assert dd.DirectorySeedSource(path=str(tmp_path), foo=1).file_pattern == "*"  # type: ignore[call-arg]


def test_defaults_of_the_reference_hold() -> None:
    """The defaults that scripts rely on."""
    assert dd.ToolConfig(tool_alias="t", providers=[]).max_tool_call_turns == 5
    assert dd.ValidationColumnConfig(**SMALL["ValidationColumnConfig"]).batch_size == 10
    assert dd.PersonSamplerParams().age_range == [18, 114]
    assert dd.RunConfig().max_conversation_restarts == 5
    assert dd.ModelConfig(alias="m", model="x").provider is None
    assert dd.RequestAdmissionTuningConfig().multiplicative_decrease_factor == 0.75


def test_errors_of_the_library_surface_unwrapped(tmp_path: Path) -> None:
    """Template, expression and file errors keep their own classes."""
    with pytest.raises(errors.UserJinjaTemplateSyntaxError):
        dd.LLMTextColumnConfig(name="c", prompt="{{ x", model_alias="m")
    with pytest.raises(errors.InvalidConfigError):
        dd.ExpressionColumnConfig(name="c", expr="  ")
    with pytest.raises(errors.InvalidFilePathError):
        dd.LocalFileSeedSource(path="missing.csv")
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(errors.InvalidFileFormatError):
        dd.LocalFileSeedSource(path=str(tmp_path / "x.txt"))


def test_forms_of_add_column() -> None:
    """Shorthand equals the class; every wrong form has its own error."""
    builder = dd.DataDesignerConfigBuilder()
    builder.add_column(name="a", column_type="sampler", sampler_type="category", params={"values": ["x"]})
    params = dd.CategorySamplerParams(values=["x"])
    same = dd.SamplerColumnConfig(name="a", sampler_type=dd.SamplerType.CATEGORY, params=params)
    assert builder.get_column_config("a") == same
    with pytest.raises(errors.InvalidConfigError):
        builder.add_column(name="b", column_type="sampler", params={})
    with pytest.raises(errors.BuilderConfigurationError):
        builder.add_column(column_type="sampler", sampler_type="uuid")
    with pytest.raises(errors.InvalidColumnTypeError):
        builder.add_column("text")
    with pytest.raises(errors.InvalidEnumValueError):
        builder.add_column(name="c", column_type="llm_text", prompt="p", model_alias="m")


def test_replacing_a_column_keeps_its_place() -> None:
    """A name added again stands where it stood."""
    builder = dd.DataDesignerConfigBuilder()
    for name in ("a", "b", "a"):
        builder.add_column(name=name, column_type="expression", expr=f"{{{{ x }}}} {name}")
    assert [column.name for column in builder.get_column_configs()] == ["a", "b"]


def test_a_subcategory_needs_a_category() -> None:
    """A subcategory whose parent is another kind of sampler fails when it is built."""
    builder = dd.DataDesignerConfigBuilder()
    builder.add_column(name="u", column_type="sampler", sampler_type="uniform", params={"low": 0, "high": 1})
    params = {"category": "u", "values": {"a": ["b"]}}
    builder.add_column(name="s", column_type="sampler", sampler_type="subcategory", params=params)
    with pytest.raises(ValidationError, match="'u' is no category"):
        builder.build()


def full() -> dd.DataDesignerConfigBuilder:
    """A builder with one of everything that a file can carry."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(**SMALL["ModelConfig"])])
    for kind in list(SMALL)[:10]:
        builder.add_column(getattr(dd, kind)(**{**SMALL[kind], "name": kind.lower()}))
    builder.add_constraint(constraint_type="scalar_inequality", target_column="a", rhs=1, operator="lt")
    builder.add_processor(processor_type="schema_transform", name="s", template={"a": ["{{ b }}", 1]})
    builder.add_processor(processor_type="drop_columns", name="d", column_names=["llm*"])
    builder.add_profiler(dd.JudgeScoreProfilerConfig(model_alias="m"))
    return builder.with_seed_dataset(dd.DirectorySeedSource(path="folder"))


def test_every_form_of_a_file_gives_the_same_configuration(tmp_path: Path) -> None:
    """YAML, JSON, dict, bare dict and text read back equal."""
    builder = full()
    wanted = builder.build().to_dict()
    builder.write_config(tmp_path / "c.yaml")
    builder.write_config(tmp_path / "c.json")
    wrapped = builder.get_builder_config().to_dict()
    text = (tmp_path / "c.yaml").read_text()
    for form in (tmp_path / "c.yaml", str(tmp_path / "c.json"), wrapped, wrapped["data_designer"], text):
        read = dd.DataDesignerConfigBuilder.from_config(form)
        assert read.build().to_dict() == wanted
    with pytest.raises(errors.BuilderConfigurationError):
        builder.write_config(tmp_path / "c.txt")
    with pytest.raises(FileNotFoundError):
        dd.DataDesignerConfigBuilder.from_config("gone.yaml")
    with pytest.raises(ValueError, match="gone.json"):
        dd.DataDesignerConfigBuilder.from_config("gone.json")


TWICE: dict[str, tuple[str, str]] = {
    "columns": ("columns: [{C}, {C}]", "two columns named 'c'"),
    "columns of other types": (
        "columns: [{C}, {name: c, column_type: expression, expr: '{{ a }}'}]",
        "two columns named 'c'",
    ),
    "models": ("columns: [{C}]\nmodel_configs: [{M}, {M}]", "two models with the alias 'm'"),
    "processors": ("columns: [{C}]\nprocessors: [{P}, {P}]", "two processors named 'p'"),
    "processors of other types": (
        "columns: [{C}]\nprocessors: [{P}, {processor_type: drop_columns, name: p, column_names: [c]}]",
        "two processors named 'p'",
    ),
    "tools": ("columns: [{C}]\ntool_configs: [{T}, {T}]", "two tool configs with the alias 't'"),
    "a list": ("columns: [{C}]\ncolumns: [{C}]", "the key 'columns' is given twice, first in line 1"),
    "a field": (
        "columns:\n- name: c\n  column_type: expression\n  name: d",
        "the key 'name' is given twice",
    ),
    "a field of JSON": ('{"columns": [], "columns": [1]}', "the key 'columns' is given twice"),
    "a member of a template": (
        "columns: [{C}]\nprocessors: [{processor_type: schema_transform, name: p, template: {k: 1, k: 2}}]",
        "the key 'k' is given twice",
    ),
}
SHORT = {
    "{C}": "{name: c, column_type: expression, expr: x}",
    "{M}": "{alias: m, model: x}",
    "{P}": "{processor_type: schema_transform, name: p, template: {k: x}}",
    "{T}": "{tool_alias: t, providers: [q]}",
}


@pytest.mark.parametrize("what", TWICE)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_named_twice_in_a_file_is_refused_by_name(tmp_path: Path, what: str, wrapped: bool) -> None:
    """The second of two would replace the first without a word."""
    text, expected = TWICE[what]
    for short, long in SHORT.items():
        text = text.replace(short, long)
    if wrapped and not text.startswith("{"):
        indented = text.replace("\n", "\n  ")
        text, expected = f"data_designer:\n  {indented}", expected.partition(": ")[2] or expected
        expected = expected.replace("line 1", "line 2")
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises((ValidationError, errors.InvalidConfigError)) as caught:
        dd.DataDesignerConfigBuilder.from_config(path)
    assert expected in str(caught.value)


def test_a_mapping_may_change_what_it_merges() -> None:
    """Keys that come by `<<` are given once in each mapping; both mappings are read as YAML has it."""
    text = "base: &b {a: 1, c: 3}\nmore: &m {<<: *b, a: 2}\nmost: {<<: *m, c: 4}\n"
    assert read_yaml(text, "a text") == {"base": {"a": 1, "c": 3}, "more": {"a": 2, "c": 3}, "most": {"a": 2, "c": 4}}


@pytest.mark.parametrize("text", ["a: 2024-13-45", "[" * 5000, "a: [", "a: !!int x"])
def test_text_that_is_no_yaml_is_refused_as_that(text: str) -> None:
    """Dates that are none and bottomless brackets too."""
    with pytest.raises(errors.InvalidConfigError, match="the configuration text (does not parse|is nested too deeply)"):
        dd.DataDesignerConfigBuilder.from_config(f"columns: []\nx: {text}\n")


def test_models_of_one_alias_are_refused_however_they_are_given(tmp_path: Path) -> None:
    """As a list, as a file, and in the user's home file."""
    model = dd.ModelConfig(alias="m", model="x")
    path = tmp_path / "models.yaml"
    path.write_text("model_configs: [{alias: m, model: x}, {alias: m, model: y}]")
    for given_models in ([model, model], path):
        with pytest.raises(errors.BuilderConfigurationError, match="two models with the alias 'm'"):
            dd.DataDesignerConfigBuilder(given_models)
    path.rename(Path(os.environ["DATA_DESIGNER_HOME"]) / "model_configs.yaml")
    with pytest.raises(errors.BuilderConfigurationError, match="two models with the alias 'm'"):
        dd.DataDesignerConfigBuilder()


@given(st.lists(st.one_of(st.text(max_size=8), st.integers(-9, 9)), min_size=1, max_size=5), st.booleans())
def test_category_samplers_survive_a_round_trip(values: list[Any], drop: bool) -> None:
    """Whatever the values, a column read back from JSON equals the one written."""
    column = dd.SamplerColumnConfig(name="c", sampler_type="category", params={"values": values}, drop=drop)
    assert dd.SamplerColumnConfig.model_validate_json(column.model_dump_json()) == column


def test_the_fingerprint_sees_meaning_and_nothing_else() -> None:
    """How a dataset is made does not change its fingerprint; what it is does."""

    def fingerprint(prompt: str = "p", temperature: float | None = None, swap: bool = False, **model: Any) -> str:
        params = {"temperature": temperature, **model.pop("params", {})}
        builder = dd.DataDesignerConfigBuilder(
            model_configs=[dd.ModelConfig(**SMALL["ModelConfig"], inference_parameters=params, **model)]
        )
        names = ["a", "b"][:: -1 if swap else 1]
        for name in names:
            builder.add_column(name=name, column_type="llm-text", prompt=prompt, model_alias="m")
        return str(builder.build().fingerprint()["config_hash"])

    base = fingerprint()
    assert base.startswith("sha256:")
    assert fingerprint(params={"max_parallel_requests": 64, "timeout": 9}) == base
    assert fingerprint(skip_health_check=True) == base
    assert fingerprint(prompt="q") != base
    assert fingerprint(temperature=0.5) != base
    assert fingerprint(swap=True) != base


def test_a_fresh_machine_has_the_default_models() -> None:
    """Twelve aliases without any home file; the caller's own list replaces them and is not written to."""
    builder = dd.DataDesignerConfigBuilder()
    assert [model.alias for model in builder.model_configs][:2] == ["nvidia-text", "nvidia-reasoning"]
    assert len(builder.model_configs) == 12
    mine = [dd.ModelConfig(**SMALL["ModelConfig"])]
    dd.DataDesignerConfigBuilder(model_configs=mine).add_model_config(
        dd.ModelConfig(alias="n", model="x", provider="p")
    )
    assert len(mine) == 1


def test_a_key_is_never_shown() -> None:
    """The key of a provider is in no text form of it."""
    assert "hush" not in repr(dd.ModelProvider(name="p", endpoint="http://h", api_key="hush"))


def test_old_names_of_settings_are_accepted_with_a_warning() -> None:
    """`progress_bar` and `throttle` still work, and say what to use."""
    with pytest.warns(DeprecationWarning, match="display_tui"):
        assert dd.RunConfig(progress_bar=True).display_tui  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match="request_admission"):
        run = dd.RunConfig(throttle={"reduce_factor": 0.5})  # type: ignore[call-arg]
    assert run.request_admission is not None
    assert run.request_admission.multiplicative_decrease_factor == 0.5


def test_a_pydantic_class_becomes_its_schema() -> None:
    """`output_format` always ends up a dict."""

    class Answer(BaseModel):
        """An answer."""

        a: int

    column = dd.LLMStructuredColumnConfig(name="c", prompt="p", model_alias="m", output_format=Answer)
    assert column.output_format["properties"]["a"]["type"] == "integer"


def test_every_error_survives_pickling() -> None:
    """Errors travel between processes: each comes back with its message."""
    import pickle

    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.DataDesignerError)]
    assert len(kinds) > 40
    for kind in kinds:
        assert str(pickle.loads(pickle.dumps(kind("words")))) == "words"  # noqa: S301 - our own bytes


def test_a_seed_dataset_by_itself_is_told_what_it_needs() -> None:
    """A path or a DataFrame is what one would try first."""
    builder = dd.DataDesignerConfigBuilder()
    with pytest.raises(errors.BuilderConfigurationError, match=r"LocalFileSeedSource\(path='rows.csv'\)"):
        builder.with_seed_dataset("rows.csv")  # type: ignore[arg-type]
    with pytest.raises(errors.BuilderConfigurationError, match=r"DataFrameSeedSource\(df=...\)"):
        builder.with_seed_dataset(pd.DataFrame({"a": [1]}))  # type: ignore[arg-type]
