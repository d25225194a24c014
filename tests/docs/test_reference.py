"""The reference is whole: every name, field, kind, command, error and file has its entry."""

import dataclasses
import os
import re
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from docs.generate import names
from docs.generate.docstrings import below, docstring
from docs.generate.entries import fields, own
from docs.generate.markdown import blocks, slug
from pydantic import BaseModel
from tests.docs.yaml_blocks import is_configuration, keys_of

import data_designer.config as dd
from data_designer.cli.loading import load_run_config
from data_designer.config.column_configs import BUILT_IN_COLUMNS
from data_designer.config.defaults import default_models, default_providers, tool_providers
from data_designer.config.sampler_params import SAMPLER_PARAMS
from data_designer.interface import DataDesigner
from data_designer.simulated_model.settings import READERS, SimulatedModel

REFERENCE = names.REFERENCE
PAGES = sorted(REFERENCE.glob("*.md"))
ENTRIES = sorted(set(names.homes()) - set(names.errors()))
NOT_IN_FILES = {"custom"}
"""Kinds of columns that only Python can declare."""
PASSING = {"journal/batch_00000/<name>.media"}
"""Files that are there for moments only."""
NOT_MADE = {"person"}
"""Samplers that this version refuses."""


def text_of(page: str) -> str:
    """A page of the reference."""
    return (REFERENCE / page).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """Heading of the second level to what stands below it."""
    parts = re.split(r"(?m)^## (.+)$", text_of(page))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def yaml_blocks(text: str) -> list[str]:
    """The blocks of YAML in a text."""
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


# --- names and fields ------------------------------------------------------------------------------------


def test_every_public_name_has_an_entry() -> None:
    """Whatever users import: the declaration API, the door, plugins and errors."""
    assert sorted(set(names.public()) - set(names.homes())) == []


def test_every_entry_is_on_one_page() -> None:
    """A name is told of once, so that links know where to lead."""
    marked = [name for page in PAGES for name in names.ENTRY.findall(page.read_text(encoding="utf-8"))]
    assert sorted(marked) == sorted(set(marked))


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_says_something(name: str) -> None:
    """A name has a text of its own, and each of its fields a meaning."""
    of, _ = names.found(name)
    assert docstring(of).text
    told = below(of) if isinstance(of, type) else {}
    assert [one for one in _fields_of(of) if not told.get(one)] == []
    if isinstance(of, type):
        getters = {one: getattr(member, "fget", getattr(member, "func", member)) for one, member in own(of)}
        assert [one for one, member in getters.items() if callable(member) and not docstring(member).text] == []


def _fields_of(of: object) -> list[str]:
    match of:
        case type() if issubclass(of, Enum):
            # Of some the values say all that there is to say.
            return [*of.__members__] if below(of) else []
        case type() if issubclass(of, BaseModel):
            return [*fields(of)]
        case type() if dataclasses.is_dataclass(of):
            listed = {name for name, _ in docstring(of).sections.get("Attributes", [])}
            return [
                one.name for one in dataclasses.fields(of) if not one.name.startswith("_") and one.name not in listed
            ]
        case _:
            return []


def test_every_setting_of_the_simulated_model_has_a_meaning() -> None:
    """Whatever may stand in its name."""
    assert sorted(READERS.keys() - below(SimulatedModel).keys()) == []
    assert sorted(READERS.keys() - set(re.findall(r"(?m)^- \*\*`(\w+)`", text_of("simulated-model.md")))) == []


@pytest.mark.parametrize("name", sorted(names.errors()))
def test_every_error_says_when_and_what_to_do(name: str) -> None:
    """The first paragraph of its docstring says when it is raised, the second what the user can do."""
    when, *what_to_do = blocks(docstring(names.errors()[name]).text)
    assert when
    assert what_to_do


def test_links_lead_to_headings() -> None:
    """What stands behind `#` in a link is a heading of the page that it leads to."""
    anchors = {
        page: {slug(heading) for heading in re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))}
        for page in REFERENCE.parent.rglob("*.md")
    }
    for page in PAGES:
        for link, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve() if link else page
            assert anchor in anchors[target], f"{page.name}: {link}#{anchor}"


def test_the_index_lists_every_page() -> None:
    """A page that is not listed is not found."""
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", text_of("index.md")))
    assert {page.name for page in PAGES} - {"index.md"} == listed


# --- kinds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", BUILT_IN_COLUMNS, ids=lambda cls: cls.__name__)
def test_every_kind_of_column_is_shown_in_python_and_in_yaml(cls: type[BaseModel]) -> None:
    """Each has a section with its class, and an example that declares one, in both languages."""
    kind = cls.model_fields["column_type"].default
    section = sections("columns.md")[kind]
    assert f"<!-- entry {cls.__name__} -->" in section
    assert re.search(rf'```python\n[^`]*(column_type="{kind}"|{cls.__name__}\()', section)
    shown = [column for block in yaml_blocks(section) for column in yaml.safe_load(block)["columns"]]
    assert kind in NOT_IN_FILES or kind in [column["column_type"] for column in shown]
    assert re.search(r"A cell (is|of)", docstring(cls).text), "say what values it makes"


@pytest.mark.parametrize("kind", SAMPLER_PARAMS)
def test_every_sampler_is_shown(kind: str) -> None:
    """Each has a section with the class of its parameters and an example; all are in one configuration."""
    section = sections("samplers.md")[kind]
    assert f"<!-- entry {SAMPLER_PARAMS[kind].__name__} -->" in section
    if kind not in NOT_MADE:
        assert "A cell is" in docstring(SAMPLER_PARAMS[kind]).text, "say what values it draws"
        assert f'sampler_type="{kind}"' in section
        [block] = yaml_blocks(text_of("samplers.md"))
        assert kind in [column["sampler_type"] for column in yaml.safe_load(block)["columns"]]


# --- what stands in files --------------------------------------------------------------------------------


def test_files_of_the_home_folder_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, as the page has it, under the name that stands before it."""
    monkeypatch.setenv("DATA_DESIGNER_HOME", str(tmp_path))
    home = sections("models.md")["The home folder"]
    for name, block in re.findall(r"(?ms)^`(\w+\.yaml)`.*?```yaml\n(.*?)```", home):
        (tmp_path / name).write_text(block, encoding="utf-8")
    assert [one.name for one in default_providers()] == ["mine", "local"]
    assert [one.alias for one in default_models()] == ["writer", "embedder"]
    assert [one.name for one in tool_providers()] == ["shop", "search"]


def test_run_settings_are_read(tmp_path: Path) -> None:
    """The file of run settings, as the page has it."""
    [block] = yaml_blocks(text_of("run-config.md"))
    file = tmp_path / "run.yaml"
    file.write_text(block, encoding="utf-8")
    run = load_run_config(file, [])
    assert (run.seed, run.buffer_size, run.budget) == (7, 500, dd.Budget(usd=5))


def test_every_block_of_yaml_is_tried() -> None:
    """It is a configuration, which test_docs previews, or one of the files that the tests above read."""
    others = {
        (page.name, *sorted(keys_of(block)))
        for page in PAGES
        for block in yaml_blocks(page.read_text(encoding="utf-8"))
        if not is_configuration(block)
    }
    assert others == {
        ("models.md", "providers"),
        ("models.md", "model_configs"),
        ("run-config.md", "budget", "buffer_size", "seed"),
    }


# --- files of a dataset ----------------------------------------------------------------------------------


def _documented() -> dict[str, re.Pattern[str]]:
    """Each file that the page names, and what its path looks like."""
    listed = re.findall(r"(?m)^- \*\*`([^`]+)`\*\*:", text_of("files.md"))
    paths = [path for path in listed if "/" in path or "." in path]
    return {path: re.compile(re.sub(r"<\w+>", r"[^/]+", re.sub(r"0000\d", r"\\d{5}", path))) for path in paths}


def _builder() -> dd.DataDesignerConfigBuilder:
    image = dd.ImageInferenceParams(extra_body={"size": "16x16"})
    models = [
        dd.ModelConfig(alias="writer", model="sim", provider="simulated"),
        dd.ModelConfig(alias="painter", model="sim", provider="simulated", inference_parameters=image),
    ]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.add_column(name="n", column_type="sampler", sampler_type="category", params={"values": [1, 2]})
    builder.add_column(name="even", column_type="expression", expr="{{ n if n == 2 else '' }}", drop=True)
    builder.add_column(
        name="quality",
        column_type="llm-judge",
        model_alias="writer",
        prompt="Judge {{ n }}",
        scores=[dd.Score(name="clarity", description="Is it clear?", options={1: "no", 2: "yes"})],
    )
    builder.add_column(name="photo", column_type="image", model_alias="painter", prompt="The number {{ n }}")
    builder.add_processor(dd.SchemaTransformProcessorConfig(name="lines", template={"line": "{{ n }}"}))
    builder.add_profiler(dd.JudgeScoreProfilerConfig(model_alias="writer"))
    return builder


@pytest.mark.usefixtures("processes")
def test_the_files_of_a_dataset_are_those_of_the_page(tmp_path: Path) -> None:
    """Datasets of all kinds hold no file that the page does not name, and all of those that it names."""
    root = tmp_path / "artifacts"
    seen: set[str] = set()

    def look(*_: Any) -> None:
        # Folders may go while they are looked through, which is nothing to os.walk.
        there = (Path(folder, name) for folder, _, files in os.walk(root) for name in files)
        seen.update(str(Path(*path.relative_to(root).parts[1:])) for path in there if path.suffix != ".tmp")

    def make(name: str, **settings: Any) -> Any:
        designer = DataDesigner(root)
        designer.set_run_config(
            dd.RunConfig(seed=1, buffer_size=4, executor="inline", disable_early_shutdown=True, **settings)
        )
        return designer.create(_builder(), num_records=8, dataset_name=name, on_batch_complete=look)

    whole = make("whole", keep_conversations="all", write_scheduler_events=True)
    whole.report()
    whole.export(whole.artifact_storage.base_dataset_path / "whole.jsonl")
    make("with_nulls", on_row_failure="null")
    make("stopped", budget=dd.Budget(requests=9))
    look()
    documented = _documented()
    assert sorted(path for path in seen if not any(one.fullmatch(path) for one in documented.values())) == []
    unseen = {path for path, one in documented.items() if not any(map(one.fullmatch, seen))}
    assert unseen <= PASSING
    _check_columns(whole)


def _check_columns(whole: Any) -> None:
    """What the page says of the columns of rejected records and conversations."""
    page = text_of("files.md")
    told = {
        path: set(re.findall(r"`(\w+)`", text))
        for path, text in re.findall(r"- \*\*`([^`]+)`\*\*:(.*?)(?=\n- )", page, re.DOTALL)
    }
    assert set(whole.load_rejected().columns) <= told["rejected/batch_00000.parquet"]
    usage = {"requests", "failed_requests", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"}
    usage |= {"images", "tool_calls", "tool_turns"}
    assert set(whole.load_conversations().columns) - usage <= told["conversations/batch_00000.parquet"]
    metadata = set(re.findall(r"(?m)^- \*\*`(\w+)`\*\*:", sections("files.md")["metadata.json"]))
    assert set(whole.artifact_storage.read_metadata()) <= metadata
