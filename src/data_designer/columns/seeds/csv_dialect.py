"""How a text of divided fields is written, from its beginning: what divides the fields, and what stands around them."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SPACES = " "
"""As a delimiter: any number of spaces."""
_DELIMITERS = "\t,;|"
_EXCEL_HINT = re.compile(r"sep=(.)\r?\n")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_WORD = re.compile(r"[^\W\d]\w*")
_ALIGNED = re.compile(r"(?m)^ +\S|\S {2,}\S")

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How fields are divided."""

    delimiter: str
    width: int
    """Fields of a row."""
    row_names: tuple[str, ...] | None = None
    """The header, where rows have one field more: their names, as R writes them."""
    spaced: bool = False
    """Whether spaces follow the delimiters."""
    preamble: int = 0
    """Lines before the header."""


def dialect_of(sample: str, usual: str, *, delimiter: str | None = None, whole: bool = True) -> Dialect:
    """Find out how a text is written.

    A delimiter counts only where it divides the header and every row alike. Where none does, the one that divides the
    header is taken, so that whoever reads on can say which row has too few or too many fields.

    Args:
        sample: the beginning of the text, of at least a line.
        usual: the delimiter of such files, which counts where the text does not tell.
        delimiter: what divides the fields, where that is known.
        whole: whether the sample is the whole text, so that its last row is complete.
    """
    preamble = 0
    if delimiter is None and (hint := _EXCEL_HINT.match(sample)):
        delimiter, preamble, sample = hint[1], 1, sample[hint.end() :]
    candidates = [delimiter] if delimiter else sorted(_DELIMITERS, key=lambda one: one not in ("\t", usual))
    found = [one for each in candidates if (one := _consistent(sample, each, whole=whole)) is not None]
    if not found and delimiter is None and (spaces := _spaces(sample, whole=whole)) is not None:
        found = [spaces]
    best = max(found, key=lambda one: one.width, default=None) or _by_header(sample, candidates, usual)
    return Dialect(best.delimiter, best.width, best.row_names, best.spaced, preamble)


def fields_of(sample: str, delimiter: str, *, spaced: bool = False) -> Rows:
    """The rows of a text; empty lines are none."""
    lines: Iterable[str] = io.StringIO(sample, newline="")
    if delimiter == SPACES:
        lines = [line.rstrip(" \r\n") + "\n" for line in lines]
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced or delimiter == SPACES)
    return [row for row in reader if row]


def _consistent(sample: str, delimiter: str, *, whole: bool) -> Dialect | None:
    for spaced in (False, True):
        try:
            rows = fields_of(sample, delimiter, spaced=spaced)
        except csv.Error:
            continue
        rows = rows if whole else rows[:-1] or rows
        if rows and (width := _width(rows)) is not None:
            names = tuple(rows[0]) if width > len(rows[0]) else None
            if names is not None and not _are_row_names(rows, sample, delimiter):
                return None
            return Dialect(delimiter, width, names, spaced or _are_spaced(rows))
    return None


def _width(rows: Rows) -> int | None:
    """The number of fields, if all rows have as many as the header, or all one more."""
    widths = {len(row) for row in rows[1:]} or {len(rows[0])}
    width = widths.pop()
    return width if not widths and width > 1 and width - len(rows[0]) in (0, 1) else None


def _are_row_names(rows: Rows, sample: str, delimiter: str) -> bool:
    """Whether the first fields are names of their rows; else a delimiter stands within a text of each row."""
    first = [row[0] for row in rows[1:]]
    if len(set(first)) < len(first):
        return False
    many = len(first) > 2 and len(rows[0]) > 1
    numbered = many and any(first == [str(number + start) for number in range(len(first))] for start in (0, 1))
    return numbered or delimiter == "\t" or all(f'"{name}"' in sample for name in first)


def _are_spaced(rows: Rows) -> bool:
    """Whether a space follows every delimiter, but where nothing else does; the header may be written otherwise."""
    fields = [field for row in (rows[1:] or rows) for field in row[1:] if field]
    return bool(fields) and all(field.startswith(" ") for field in fields)


def _spaces(sample: str, *, whole: bool) -> Dialect | None:
    """Whether spaces divide a text. Words alone would tell nothing: a column of two words a row looks the same."""
    found = _consistent(sample, SPACES, whole=whole)
    if found is None:
        return None
    rows = fields_of(sample, SPACES)
    rows = rows if whole else rows[:-1] or rows
    names = rows[0]
    if any(delimiter in name for name in names for delimiter in _DELIMITERS) or len(set(names)) < len(names):
        return None
    quoted = all(f'"{name}"' in sample for name in names)
    numbers = any(all(_NUMBER.fullmatch(row[place]) for row in rows[1:]) for place in range(len(names)))
    words = all(map(_WORD.fullmatch, names))
    if len(rows) > 1 and (quoted or (words and (numbers or _ALIGNED.search(sample)))):
        return Dialect(SPACES, found.width, found.row_names)
    return None


def _by_header(sample: str, candidates: Sequence[str], usual: str) -> Dialect:
    widths = {}
    for delimiter in dict.fromkeys([usual if usual in candidates else candidates[0], *candidates]):
        try:
            rows = fields_of(sample.split("\n", 1)[0], delimiter)
        except csv.Error:
            rows = []
        widths[delimiter] = len(rows[0]) if rows else 1
    best = max(widths, key=lambda delimiter: widths[delimiter])
    return Dialect(best, widths[best])
