"""Conversation columns in whole runs: several aliases, the same data again, budgets, kills, and what is on the disk."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint
from tests.fakes import designer, model, numbered
from tests.replies import answer

import data_designer.config as dd
from data_designer.interface import DatasetCreationResults

SLOTS, RECORDS, TURNS = 4, 16, 4


def declared(*aliases: str) -> dd.DataDesignerConfigBuilder:
    """Conversations of four turns about seed rows, of two roles with these aliases, and a text about each."""
    models = [model(alias, max_parallel_requests=SLOTS) for alias in dict.fromkeys(aliases)]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.with_seed_dataset(numbered())
    prompt = "{% if turn < 3 %}row {{ n }}{% else %}{{ last }}{% endif %}"
    builder.add_column(
        name="talk",
        column_type="llm-conversation",
        roles=[
            {"name": "asker", "model_alias": aliases[0], "prompt": prompt},
            {"name": "teller", "model_alias": aliases[1], "prompt": prompt, "system_prompt": "teller"},
        ],
        max_turns=TURNS,
    )
    return builder.add_column(
        name="after", column_type="llm-text", prompt="after {{ talk[0].content }} {{ n }}", model_alias=aliases[0]
    )


def make(url: str, path: Path, aliases: tuple[str, str] = ("a", "b"), **more: Any) -> DatasetCreationResults:
    """Make them."""
    resume = more.pop("resume", "never")
    return designer(url, path, **more).create(declared(*aliases), num_records=RECORDS, dataset_name="d", resume=resume)


@pytest.mark.parametrize("aliases", [("a", "a"), ("a", "b")])
def test_a_row_is_a_dialogue_of_its_roles_aliases(endpoint: Endpoint, tmp_path: Path, aliases: tuple[str, str]) -> None:
    """As many requests as turns, each for the model of its role; exported as messages, and accounted for by alias."""
    with endpoint(answer) as counted:
        results = make(counted.url, tmp_path, aliases)
    asked = [one["model"] for one in counted.bodies]
    assert len(asked) == (TURNS + 1) * RECORDS
    assert asked.count(aliases[1]) == (len(asked) if aliases[0] == aliases[1] else TURNS // 2 * RECORDS)
    path = results.export(tmp_path / "out.jsonl")
    first = json.loads(Path(str(path)).read_text().splitlines()[0])["talk"]
    assert [(one["role"], one["name"]) for one in first] == [("user", "asker"), ("assistant", "teller")] * 2
    assert first[0]["content"] == "<row 0>"
    spent = {alias: usage.requests for alias, usage in results.outcomes.usage.items()}
    assert spent == {alias: asked.count(alias) for alias in aliases}
    accounts = results.accounts
    assert accounts is not None
    assert {alias: one.requests for alias, one in accounts.aliases.items()} == spent


def test_yaml_declares_conversations(tmp_path: Path) -> None:
    """A declaration that was written is read back as it was."""
    columns = declared("a", "b").build().columns
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("a"), model("b")])
    for column in columns:
        builder.add_column(column)
    path = tmp_path / "config.yaml"
    builder.get_builder_config().to_yaml(path)
    assert dd.DataDesignerConfigBuilder.from_config(path).build().columns == columns
