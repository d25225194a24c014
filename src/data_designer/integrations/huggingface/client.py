"""Uploads datasets to the Hugging Face hub, by its own package, which is asked for only here."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_designer.errors import HuggingFaceHubClientUploadError
from data_designer.object_storage import Location

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_FOLDERS = {"parquet-files": "data", "images": "images"}
"""Folder of a dataset to that of the hub."""
_PROCESSED = "processors-files"
_CONFIG, _METADATA = "builder_config.json", "metadata.json"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_ADVICE = {
    401: "the token is not valid: give token=, set HF_TOKEN, or log in by `hf auth login`",
    403: "the token may not write there: take one with write access to this account or organisation",
}


class HuggingFaceHubClient:
    """Uploads datasets.

    Args:
        token: with which they are uploaded; `HF_TOKEN` or the cached login when not given.
    """

    def __init__(self, token: str | None = None) -> None:
        self._token = token

    @property
    def has_token(self) -> bool:
        """Whether a token was given."""
        return bool(self._token)

    @classmethod
    def push_to_hub_from_folder(
        cls,
        dataset_path: "str | Path",
        repo_id: str,
        description: str,
        *,
        token: str | None = None,
        private: bool = False,
        tags: Sequence[str] | None = None,
    ) -> str:
        """Upload a dataset by its folder; see `upload_dataset`."""
        return cls(token).upload_dataset(repo_id, Path(dataset_path), description, private=private, tags=tags)

    def upload_dataset(
        self,
        repo_id: str,
        base_dataset_path: "Location | str",
        description: str,
        *,
        private: bool = False,
        tags: Sequence[str] | None = None,
    ) -> str:
        """Upload a dataset: its card, rows, images, what processors made, its configuration and metadata.

        Args:
            repo_id: `user/name`.
            base_dataset_path: its folder, on a file system.
            description: what is in it, for its card.
            private: whether others may not see it.
            tags: further ones of its card.

        Returns:
            Its address.

        Raises:
            HuggingFaceHubClientUploadError: the name or the folder is none, huggingface_hub is not installed,
                or the hub refuses.
        """
        if not isinstance(repo_id, str) or not _ID.fullmatch(repo_id):
            raise HuggingFaceHubClientUploadError(f"{repo_id!r} is no name of a dataset of the hub: write user/name")
        folder = _dataset(base_dataset_path)
        metadata = _json(folder / _METADATA)
        hub = _Repository(self._token, repo_id)
        hub.act("create_repo", "create the repository", exist_ok=True, private=private)
        card = card_of(repo_id, description, folder, metadata, tags or ()).encode()
        for place, content in (("README.md", card), *_files(folder, metadata)):
            hub.act("upload_file", f"take {place}", path_or_fileobj=content, path_in_repo=place)
        for source, target in _folders(folder):
            hub.act("upload_folder", f"take {source.name}", folder_path=str(source), path_in_repo=target)
        return f"https://huggingface.co/datasets/{repo_id}"


class _Repository:
    """A repository of the hub, by its own package."""

    def __init__(self, token: str | None, repo_id: str) -> None:
        try:
            from huggingface_hub import HfApi
        except ImportError as error:
            raise HuggingFaceHubClientUploadError(
                "uploading needs the package huggingface_hub: pip install huggingface_hub"
            ) from error
        self._api = HfApi(token=token)
        self._repo_id = repo_id

    def act(self, name: str, what: str, **arguments: Any) -> None:
        """Call a method of the package's. Raises HuggingFaceHubClientUploadError, with advice where there is some."""
        call = partial(getattr(self._api, name), repo_id=self._repo_id, repo_type="dataset")
        try:
            call(**arguments)
        except Exception as error:
            # Another package's code may raise anything.
            status = getattr(getattr(error, "response", None), "status_code", None)
            advice = f"; {_ADVICE[status]}" if status in _ADVICE else ""
            raise HuggingFaceHubClientUploadError(
                f"the hub did not {what} for {self._repo_id}: {type(error).__name__}: {error}{advice}"
            ) from error


def _dataset(path: "Location | str") -> Path:
    folder = Path(path) if isinstance(path, str) else path
    if not isinstance(folder, Path):
        raise HuggingFaceHubClientUploadError(f"{path} is in object storage: copy it to a folder, and upload that")
    if not any(folder.glob("parquet-files/*.parquet")):
        raise HuggingFaceHubClientUploadError(f"there is no dataset with rows at {folder}")
    return folder


def _folders(folder: Path) -> Iterator[tuple[Path, str]]:
    """Folders of a dataset with where they go."""
    for name, target in _FOLDERS.items():
        if (folder / name).is_dir():
            yield folder / name, target
    for name in _processed(folder):
        yield folder / _PROCESSED / name, name


def _processed(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / _PROCESSED).glob("*") if path.is_dir())


def _files(folder: Path, metadata: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    if (folder / _CONFIG).is_file():
        yield _CONFIG, (folder / _CONFIG).read_bytes()
    paths = dict(metadata.get("file_paths") or {})
    rows = [path.replace("parquet-files/", "data/", 1) for path in paths.get("parquet-files") or ()]
    made = {
        name: [path.replace(f"{_PROCESSED}/", "", 1) for path in of]
        for name, of in (paths.get("processor-files") or {}).items()
    }
    rewritten = {**metadata, "file_paths": {**paths, "parquet-files": rows, "processor-files": made}}
    yield _METADATA, json.dumps(rewritten, indent=2, sort_keys=True).encode()


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise HuggingFaceHubClientUploadError(f"{path} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def card_of(repo_id: str, description: str, folder: Path, metadata: Mapping[str, Any], tags: Sequence[str]) -> str:
    """The card of a dataset: what the hub reads of it, and what people do."""
    import yaml

    number = int(metadata.get("actual_num_records") or 0)
    size = next((name for most, name in _SIZES if number < most), "n>1M")
    configs: list[dict[str, object]] = [{"config_name": "data", "data_files": "data/*.parquet", "default": True}]
    configs += [{"config_name": name, "data_files": f"{name}/*.parquet"} for name in _processed(folder)]
    all_tags = list(dict.fromkeys(["synthetic", "datadesigner", *tags]))
    head = yaml.safe_dump({"size_categories": [size], "tags": all_tags, "configs": configs}, sort_keys=False)
    title = repo_id.partition("/")[2].replace("-", " ").replace("_", " ").title()
    wanted = ("column_name", "column_type", "simple_dtype", "num_unique", "num_null")
    statistics = metadata.get("column_statistics") or ()
    columns = "\n".join(f"| {' | '.join(str(one.get(name, '')) for name in wanted)} |" for one in statistics)
    return f"""---
{head}---

# {title}

{description}

## Quick start

```python
from datasets import load_dataset

dataset = load_dataset("{repo_id}", "data", split="train")
```

## Columns

{number:,} records.

| column | kind | type | distinct values | nulls |
|---|---|---|---|---|
{columns}
"""


__all__ = ["HuggingFaceHubClient", "HuggingFaceHubClientUploadError"]
