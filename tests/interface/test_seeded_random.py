"""What `random` gives in a template depends on the seed, the column and the record, and on nothing else."""

from pathlib import Path
from typing import Any

from tests.counting import Endpoint
from tests.fakes import designer, model, numbered
from tests.replies import answer

import data_designer.config as dd

TWICE = "{{ ['a', 'b', 'c', 'd'] | random }}{{ ['a', 'b', 'c', 'd'] | random }}"


def rows(endpoint: Endpoint, path: Path, **run: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The dataset and the prompts that were asked, in order of record."""
    made = dd.DataDesignerConfigBuilder(model_configs=[model("m")]).with_seed_dataset(numbered(40))
    made.add_column(name="e", column_type="expression", expr=TWICE)
    skip = dd.SkipConfig(when="{{ n >= 0 and [true, false] | random }}", value="-")
    made.add_column(name="s", column_type="expression", expr="x", skip=skip)
    made.add_column(name="t", column_type="llm-text", model_alias="m", prompt=f"row {{{{ n }}}} {TWICE}")
    made.add_processor(processor_type="schema_transform", name="p", template={"x": TWICE})
    with endpoint(answer) as counted:
        results = designer(counted.url, path, **run).create(made, num_records=40, dataset_name="d")
        there = results.load_dataset().to_dict("records")
        processed = results.load_processor_dataset("p")["x"].tolist()
    return [{**row, "p": one} for row, one in zip(there, processed, strict=True)], sorted(counted.prompts)


def test_the_same_seed_chooses_the_same(endpoint: Endpoint, tmp_path: Path) -> None:
    """However records are cut into batches; another seed chooses otherwise, and records and columns differ."""
    first, asked = rows(endpoint, tmp_path / "a")
    again, asked_again = rows(endpoint, tmp_path / "b", buffer_size=7)
    other, _ = rows(endpoint, tmp_path / "c", seed=2)
    assert (first, asked) == (again, asked_again)
    for column in ("e", "s", "t", "p"):
        assert [row[column] for row in first] != [row[column] for row in other]
        assert len({row[column] for row in first}) > 1
    assert [row["e"] for row in first] != [row["p"] for row in first]
