"""Reads a JSON file of rows: an object a line, or one list of objects."""

import json
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa

from data_designer.columns.seeds.arrow_types import RefusedError, column_of
from data_designer.columns.seeds.csv_files import encoding_marked
from data_designer.errors import SeedReaderError
from data_designer.object_storage import Location

_EXACT_FLOAT = 15
"""Characters of a fraction that a float holds, whatever they are."""


def json_rows(place: Location, content: bytes, encoding: str | None) -> list[dict[str, object]]:
    """The rows of a file.

    Raises:
        SeedReaderError: it is malformed; the message names the line.
        UnicodeDecodeError: it is not in its encoding.
    """
    text = content.decode(encoding or encoding_marked(content) or "utf-8").removeprefix("\ufeff")
    found = _json(place, 1, text) if text.lstrip().startswith("[") else _lines(place, text)
    rows = []
    for number, row in enumerate(found if isinstance(found, list) else (), 1):
        if not isinstance(row, dict):
            raise SeedReaderError(f"the seed file {place} is malformed: row {number} is no JSON object")
        rows.append(row)
    return rows


def table_of(rows: Sequence[dict[str, object]], where: str) -> pa.Table:
    """A table of rows; a member that a row lacks is null.

    Raises:
        SeedReaderError: a column cannot be kept.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    columns = []
    for name in names:
        try:
            columns.append(column_of(name, [row.get(name) for row in rows]))
        except RefusedError as error:
            raise SeedReaderError(f"column '{name}' of the seed dataset {where} {error}") from error
    return pa.Table.from_arrays([array for _, array in columns], schema=pa.schema([field for field, _ in columns]))


def _lines(place: Location, text: str) -> list[object]:
    # Not splitlines, which also splits at characters that JSON allows within texts.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        return [_json(place, number, line) for number, line in lines]
    except SeedReaderError:
        if _is_object(text):
            raise SeedReaderError(
                f"the seed file {place} is one JSON object over several lines, and no rows: write an object a line, "
                "or a list of objects"
            ) from None
        raise


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _json(place: Location, first_line: int, text: str) -> object:
    try:
        return json.loads(text, parse_float=_float)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise SeedReaderError(f"the seed file {place} is malformed at line {line}: {error.msg}; correct it") from error
    except (ValueError, RecursionError) as error:
        raise SeedReaderError(f"the seed file {place} cannot be read at line {first_line}: {error}") from error


def _float(text: str) -> float | Decimal:
    number = float(text)
    if (len(text) <= _EXACT_FLOAT and "e" not in text.lower()) or Decimal(repr(number)) == Decimal(text):
        return number
    return Decimal(text)
