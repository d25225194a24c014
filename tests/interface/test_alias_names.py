"""What users may call their models: whatever they like."""

from pathlib import Path

import pytest
from tests.counting import Endpoint
from tests.fakes import designer, model, rows, story
from tests.replies import answer


@pytest.mark.parametrize("alias", ["local", "seed", "samplers"])
def test_an_alias_is_no_other_pool(endpoint: Endpoint, tmp_path: Path, alias: str) -> None:
    """Nothing of the engine is called as an alias is: work of this machine goes on beside the model's."""
    made = story(model(alias, max_parallel_requests=3))
    made.add_column(name="upper", column_type="expression", expr=f"{{{{ {alias}.upper() }}}}")
    with endpoint(answer) as server:
        results = designer(server.url, tmp_path).create(made, num_records=20, dataset_name="d")
    assert len(server.prompts) == 20
    assert server.peak <= 3
    dataset = rows(Path(results.artifact_storage.base_dataset_path))
    assert list(dataset[alias]) == [f"<row {n}>" for n in range(20)]
    assert list(dataset["upper"]) == [f"<ROW {n}>" for n in range(20)]
