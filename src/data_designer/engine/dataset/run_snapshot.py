"""How the run that writes a dataset stands, for other processes: one small file that is written again and again."""

import json

from data_designer.engine.dataset.files import Files
from data_designer.engine.dataset.layout import ACCOUNTS
from data_designer.engine.protocol.snapshot import Snapshot

NOW = f"{ACCOUNTS}/now.json"


def write_snapshot(files: Files, snapshot: Snapshot) -> None:
    """Write how the run stands, over what was written before; a reader may find any part of it. Raises OSError."""
    files.write(NOW, json.dumps(snapshot.to_dict()).encode())


def read_snapshot(files: Files) -> Snapshot | None:
    """What was written last; None where nothing was, or where it is just being written. Raises OSError.

    A run that was killed has left what it wrote last: whether one is under way its dataset's lock tells.
    """
    try:
        return Snapshot.from_dict(json.loads(files.read(NOW)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
