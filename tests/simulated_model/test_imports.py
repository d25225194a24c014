"""The simulated model is imported only by those who ask for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.counting import Endpoint, Reply

RUN = """
import sys
import data_designer.config as dd
from data_designer.interface import DataDesigner

folder, url = sys.argv[1:]
made = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model="m", provider="mine")])
made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="Anything")
designer = DataDesigner(folder, model_providers=[dd.ModelProvider(name="mine", endpoint=url)])
assert designer.create(made, num_records=3).count_records() == 3
print([name for name in sys.modules if name.startswith("data_designer.simulated_model")])
"""


@pytest.mark.usefixtures("processes")
def test_a_dataset_of_another_provider_is_made_without_it(endpoint: Endpoint, tmp_path: Path) -> None:
    """Not one of its modules is loaded."""
    with endpoint(lambda _: Reply()) as counting:
        command = [sys.executable, "-c", RUN, str(tmp_path), counting.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(counting.prompts) >= 3
    assert done.stdout.strip() == "[]"
