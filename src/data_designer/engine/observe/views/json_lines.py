"""JSON lines: how a run stands, an object a line, for programs."""

import json
from typing import TextIO

from data_designer.engine.protocol.snapshot import Snapshot


class JsonLinesView:
    """Writes a line an interval, and one at the end, whose `state` is `ended` or `stopped`."""

    def __init__(self, stream: TextIO, interval: float) -> None:
        self.interval = interval
        self._stream = stream

    def show(self, snapshot: Snapshot) -> None:
        """Write how it stands."""
        self._stream.write(f"{json.dumps(snapshot.to_dict())}\n")
        self._stream.flush()

    def close(self, snapshot: Snapshot) -> None:
        """Write how it ended."""
        self.show(snapshot)
