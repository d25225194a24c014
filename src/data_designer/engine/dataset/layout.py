"""Where things are in a dataset directory."""

import re

PARQUET = "parquet-files"
DROPPED = "dropped-columns-parquet-files"
PROCESSED = "processors-files"
REJECTS = "rejected"
NULLED = "null-filled"
IMAGES = "images"
MANIFESTS = "image-manifests"
CONVERSATIONS = "conversations"
AGREEMENTS = "agreements"
"""What all cells of a column share, such as the length of vectors: a file a column."""
SEED = "seed-cells"
"""Large cells of the seed dataset, while a cluster runs."""
RECEIPTS = "receipts"
JOURNAL = "journal"
LOCK = "lock"
METADATA = "metadata.json"
ACCOUNTS = "accounts"
JUDGE_SUMMARIES = "judge_summaries.json"
BUILDER_CONFIG = "builder_config.json"

DATA = (PARQUET, DROPPED, PROCESSED, REJECTS, NULLED, CONVERSATIONS, MANIFESTS)
"""Folders of the files of committed batches."""

_OURS = re.compile(r"batch_(\d{5,})(?:\.parquet|\.json)?")

FOLDERS = frozenset({*DATA, RECEIPTS, JOURNAL, LOCK, ACCOUNTS, CONVERSATIONS, IMAGES, AGREEMENTS, SEED})
"""Names that no dataset may have, since its folder may stand among them."""


def batch_name(batch: int) -> str:
    """File name of a batch in each of the folders of Parquet files."""
    return f"batch_{batch:05d}.parquet"


def receipt_name(batch: int) -> str:
    """The receipt of a batch."""
    return f"{RECEIPTS}/batch_{batch:05d}.json"


def journal_folder(batch: int) -> str:
    """The folder of a batch's journal."""
    return f"{JOURNAL}/batch_{batch:05d}"


def batch_number(name: str) -> int | None:
    """The batch that a file or folder name of ours speaks of; None where it is no such name."""
    found = _OURS.fullmatch(name)
    return None if found is None else int(found.group(1))
