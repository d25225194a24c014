"""Numbers of a run as a person reads them."""

from collections.abc import Iterator, Mapping

from data_designer.engine.observe.reasons import duration
from data_designer.engine.protocol.snapshot import ColumnState, Snapshot
from data_designer.terminal import visible

_THOUSAND, _MANY = 10_000, 1_000_000
"""From here on an amount, or a count, is said in thousands or millions."""


def percent(share: float) -> str:
    """A share of what there is to do; all of it only where all is done."""
    return f"{int(share * 100 + 1e-9)} %"


def clock(seconds: float) -> str:
    """Time that has passed: `0:07`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_left(snapshot: Snapshot) -> str:
    """How long it still takes, as far as that is known; nothing where it is over."""
    if snapshot.state in ("ended", "stopped", "stopping"):
        return ""
    if snapshot.seconds_left is None:
        return "time left not known yet" if not snapshot.aliases or snapshot.done == 0 else "time left not known"
    seconds = snapshot.seconds_left
    return f"about {duration(_rough(seconds))} left" if seconds >= 1 else "nearly done"


def _rough(seconds: float) -> float:
    """To what can be known of it: seconds to five from half a minute on."""
    return seconds if seconds < 30 else 5 * round(seconds / 5)


def money(usd: float | None) -> str:
    """What was spent; nothing where that is not known."""
    if usd is None:
        return ""
    return f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"


def amount(number: float) -> str:
    """A large number, shortened."""
    if number < _THOUSAND:
        return f"{number:.0f}"
    for unit, word in ((1e9, "G"), (1e6, "M")):
        if number >= unit:
            return f"{number / unit:.1f}{word}"
    return f"{number / 1e3:.1f}k"


def count(number: int) -> str:
    """How many there are, to the last one as long as that can be read."""
    return str(number) if number < _MANY else amount(number)


def shortened(name: str, width: int) -> str:
    """A name, without its middle where it is too long: names often differ at their ends."""
    if _cells(name) <= width:
        return name
    head, tail = name[: (width - 1) // 2], name
    while _cells(head) > (width - 1) // 2:
        head = head[:-1]
    while _cells(tail) > width - 1 - _cells(head):
        tail = tail[1:]
    return f"{head}…{tail}"


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # Lines do without it, as long as they may.

    return cell_len(text)


def records(snapshot: Snapshot) -> str:
    """What there is of the records."""
    rejected = f", {count(snapshot.rejected)} rejected" if snapshot.rejected else ""
    return f"{count(snapshot.generated)} of {count(snapshot.target)} records written{rejected}"


def tokens(snapshot: Snapshot) -> str:
    """What was sent and received."""
    if not snapshot.input_tokens and not snapshot.output_tokens:
        return ""
    return f"{amount(snapshot.input_tokens)} tokens in, {amount(snapshot.output_tokens)} out"


def rate(a_second: float) -> str:
    """So many a second."""
    return f"{a_second:.1f}/s" if a_second < 100 else f"{a_second:.0f}/s"


def seconds(latency: float | None) -> str:
    """How long a reply takes."""
    if latency is None:
        return "-"
    return f"{latency:.2f} s" if latency < 1 else f"{latency:.1f} s"


def grouped(columns: Mapping[str, ColumnState]) -> Iterator[tuple[str, ColumnState]]:
    """Columns with their names, those in one that no model makes and that stand alike."""
    groups: dict[object, list[str]] = {}
    for name, column in columns.items():
        key: object = name if column.alias is not None else (column.total, column.done, column.failed)
        groups.setdefault(key, []).append(name)
    for names in groups.values():
        more = f" +{len(names) - 2}" if len(names) > 2 else ""
        yield visible(", ".join(names[:2])) + more, columns[names[0]]


def dataset_name(snapshot: Snapshot) -> str:
    """What the dataset is called, without where it is."""
    return visible(snapshot.dataset.rstrip("/").rpartition("/")[2]) or "preview"
