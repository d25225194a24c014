"""Snapshots of runs: the same after JSON, for those who watch from elsewhere."""

import json

from data_designer.engine.protocol.snapshot import AliasState, ColumnState, Snapshot


def test_json_keeps_everything() -> None:
    """Reasons, aliases and columns included."""
    snapshot = Snapshot(
        "d",
        "running",
        1.5,
        2.0,
        10,
        3,
        1,
        0.4,
        7.0,
        None,
        5,
        6,
        ("writer: 429",),
        {"m": AliasState("gpt", 4, 3, 2, 1.5, 0.2, 1)},
        {"a": ColumnState("m", 10, 4, 1), "b": ColumnState(None, 10)},
    )
    assert Snapshot.from_dict(json.loads(json.dumps(snapshot.to_dict()))) == snapshot
