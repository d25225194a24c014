"""Uploads to the Hugging Face hub: what is sent where, and what is said when it cannot be."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

import data_designer.config as dd
from data_designer.integrations.huggingface import HuggingFaceHubClient, HuggingFaceHubClientUploadError
from data_designer.interface import DataDesigner, DatasetCreationResults


class Hub:
    """Stands for the hub's package: it notes what it is asked."""

    def __init__(self) -> None:
        """Nothing so far."""
        self.token: str | None = None
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuses: int | None = None

    def HfApi(self, token: str | None) -> "Hub":  # noqa: N802 - the package's own name
        """Itself."""
        self.token = token
        return self

    def __getattr__(self, name: str) -> Any:
        """Every method."""

        def act(**arguments: Any) -> None:
            self.asked.append((name, arguments))
            if self.refuses is not None:
                error = OSError("refused")
                error.response = SimpleNamespace(status_code=self.refuses)  # type: ignore[attr-defined]
                raise error

        return act


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The package, as it is imported."""
    found = Hub()
    module = ModuleType("huggingface_hub")
    module.HfApi = found.HfApi  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return found


@pytest.fixture
def results(sockets: None, tmp_path: Path) -> DatasetCreationResults:
    """A dataset with what a processor makes."""
    designer = DataDesigner(tmp_path, auto_configure_logging=False)
    designer.set_run_config(dd.RunConfig(executor="inline", seed=1, otel_metrics_port=None))
    builder = dd.DataDesignerConfigBuilder()
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_processor(dd.SchemaTransformProcessorConfig(name="form", template={"line": "{{ id }}"}))
    return designer.create(builder, num_records=3)


def test_a_dataset_is_uploaded_with_its_card(hub: Hub, results: DatasetCreationResults) -> None:
    """Rows, what processors made, configuration, and metadata with the paths of the hub."""
    address = results.push_to_hub("someone/a-dataset", "About ids.", token="t", private=True, tags=["ids"])  # noqa: S106
    assert address == "https://huggingface.co/datasets/someone/a-dataset"
    assert hub.token == "t"  # noqa: S105
    assert [name for name, _ in hub.asked] == ["create_repo", *["upload_file"] * 3, *["upload_folder"] * 2]
    assert hub.asked[0][1] == {
        "repo_id": "someone/a-dataset", "repo_type": "dataset", "exist_ok": True, "private": True,
    }  # fmt: skip
    files = {one["path_in_repo"]: one["path_or_fileobj"] for name, one in hub.asked if name == "upload_file"}
    head, _, body = files["README.md"].decode().removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(head)["tags"] == ["synthetic", "datadesigner", "ids"]
    assert [one["config_name"] for one in yaml.safe_load(head)["configs"]] == ["data", "form"]
    assert "# A Dataset\n\nAbout ids." in body
    assert "| id | sampler | string | 3 | 0 |" in body
    paths = json.loads(files["metadata.json"])["file_paths"]
    assert paths["parquet-files"] == ["data/batch_00000.parquet"]
    assert paths["processor-files"] == {"form": ["form/batch_00000.parquet"]}
    folders = {one["path_in_repo"]: Path(one["folder_path"]) for name, one in hub.asked if name == "upload_folder"}
    assert set(folders) == {"data", "form"}
    assert folders["data"] == results.artifact_storage.final_dataset_path


def test_a_folder_is_uploaded_without_its_script(hub: Hub, results: DatasetCreationResults) -> None:
    """By a path, too."""
    folder = str(results.artifact_storage.base_dataset_path)
    assert HuggingFaceHubClient.push_to_hub_from_folder(folder, "a/b", "x").endswith("/a/b")
    assert HuggingFaceHubClient("t").has_token
    assert not HuggingFaceHubClient().has_token


@pytest.mark.parametrize(
    ("status", "words"), [(401, "the token is not valid"), (403, "write access"), (500, "refused")]
)
def test_a_refusal_is_said_with_advice(hub: Hub, results: DatasetCreationResults, status: int, words: str) -> None:
    """Where there is some."""
    hub.refuses = status
    with pytest.raises(HuggingFaceHubClientUploadError, match=f"create the repository for a/b.*{words}"):
        results.push_to_hub("a/b", "x")


def test_what_cannot_be_uploaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a folder, a package."""
    client = HuggingFaceHubClient()
    with pytest.raises(HuggingFaceHubClientUploadError, match="write user/name"):
        client.upload_dataset("name", tmp_path, "x")
    with pytest.raises(HuggingFaceHubClientUploadError, match="no dataset with rows"):
        client.upload_dataset("a/b", tmp_path, "x")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    (tmp_path / "parquet-files").mkdir()
    (tmp_path / "parquet-files" / "batch_00000.parquet").touch()
    (tmp_path / "metadata.json").write_text("{}")
    with pytest.raises(HuggingFaceHubClientUploadError, match="pip install huggingface_hub"):
        client.upload_dataset("a/b", tmp_path, "x")
