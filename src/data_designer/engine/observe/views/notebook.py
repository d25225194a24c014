"""In a notebook: how a run stands, in one piece of HTML that changes in its place."""

from collections.abc import Sequence
from html import escape
from typing import Protocol, cast

from data_designer.engine.observe.views import wording
from data_designer.engine.protocol.snapshot import Snapshot
from data_designer.terminal import visible

_CELL = 'style="text-align:left;padding:1px 12px 1px 0"'


class _Handle(Protocol):
    def update(self, content: object) -> None:
        """Put something else into its place."""


def html(snapshot: Snapshot) -> str:
    """How a run stands."""
    times = [wording.clock(snapshot.elapsed), wording.time_left(snapshot), wording.money(snapshot.usd)]
    head = [wording.percent(snapshot.done), wording.records(snapshot), *times, wording.tokens(snapshot)]
    state = "" if snapshot.state == "running" else f" ({snapshot.state})"
    columns = [
        (name, column.alias or "", f"{column.done}/{column.total}", f"{column.failed} failed" if column.failed else "")
        for name, column in wording.grouped(snapshot.columns)
    ]
    models = [
        (
            alias,
            f"{one.in_flight} in flight of {one.limit}" + (f" ({one.slots} slots)" if one.limit < one.slots else ""),
            f"{wording.rate(one.requests_per_second)}, {wording.seconds(one.latency)}",
            f"{one.failed_requests} failed" if one.failed_requests else "",
        )
        for alias, one in snapshot.aliases.items()
    ]
    reasons = "".join(f"<div>⚠ {escape(visible(reason))}</div>" for reason in snapshot.reasons)
    return (
        f"<div><b>{escape(wording.dataset_name(snapshot))}</b>{state} {escape(', '.join(filter(None, head)))}</div>"
        f'<progress max="1" value="{snapshot.done:.4f}" style="width:100%"></progress>'
        f"{reasons}{_table(columns)}{_table(models)}"
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    cells = ("".join(f"<td {_CELL}>{escape(visible(cell))}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


class NotebookView:
    """Shows it below the cell that is run. Make it in the thread that runs the cell."""

    interval = 1.0

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle = cast(_Handle, display(HTML(""), display_id=True))

    def show(self, snapshot: Snapshot) -> None:
        """Show it in the place of the one before."""
        self._handle.update(self._html(html(snapshot)))

    def close(self, snapshot: Snapshot) -> None:
        """Show how it ended."""
        self.show(snapshot)
