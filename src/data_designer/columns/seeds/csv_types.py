"""Types of the columns of a CSV file: what would not print as it is written stays text."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from data_designer.columns.seeds.arrow_types import RefusedError, whole_floats

QUOTED = "\U0010fffe"
"""Stands before a number that was quoted in the file; Unicode keeps it for use within programs."""

_INTEGER = r"^(0|-?[1-9][0-9]{0,14})$"
"""Whole numbers of as many digits as every program holds; longer ones are nearly always identifiers."""
_FRACTION = r"^-?(0|[1-9][0-9]*)\.([0-9]*[1-9]|0)$"
_TINY = r"^-?0\.0000"
_LIKE_NUMBERS = r"^\s*[-+]?\.?[0-9][0-9., ]*([eE][-+]?[0-9]+)?\s*$"
_SHORT = 16
"""Characters of a fraction of at most 15 digits, which always prints as it is written."""
_GLANCE = 64

_DECLARED: Mapping[str, pa.DataType] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}


def typed(name: str, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    """A column of text in the type in which every value prints as it is written: numbers, True and False, or text."""
    bare = unquoted(column)
    if bare is not column or column.null_count == len(column):
        return pa.field(name, pa.string()), bare
    if all(pc.all(pc.is_in(chunk, pa.array(["True", "False", None]))).as_py() is not False for chunk in column.chunks):
        return pa.field(name, pa.bool_()), column.cast(pa.bool_())
    kinds = _number_kinds(column)
    if kinds == {"integer"}:
        return pa.field(name, pa.int64()), column.cast(pa.int64())
    if not kinds or kinds >= {"integer", "whole"}:
        return pa.field(name, pa.string()), column
    field = whole_floats(name, pa.float64()) if "integer" in kinds else pa.field(name, pa.float64())
    return field, column.cast(pa.float64())


def as_declared(name: str, column: pa.ChunkedArray, kind: str) -> tuple[pa.Field, pa.ChunkedArray]:
    """A column of text in the type that the user names.

    Raises:
        RefusedError: a value is not of it.
    """
    bare = unquoted(column)
    arrow = _DECLARED[kind]
    if kind == "str":
        return pa.field(name, arrow), bare
    trimmed = pc.utf8_trim_whitespace(bare)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    try:
        return pa.field(name, arrow), trimmed.cast(arrow)
    except pa.ArrowInvalid as error:
        raise RefusedError(f"cannot be read as {kind}: {error}; correct it, or read_options.dtype") from error


def looks_numeric(column: pa.ChunkedArray) -> bool:
    """Whether all values of a text column would be numbers to somebody."""
    return column.null_count < len(column) and all(_all(chunk, _LIKE_NUMBERS) for chunk in column.chunks)


def unquoted(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without the marks of quoted numbers; itself where it has none."""
    if not any(pc.any(pc.starts_with(chunk, QUOTED)).as_py() for chunk in column.chunks):
        return column
    return pc.replace_substring_regex(column, f"^{QUOTED}", "")


def _all(chunk: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(chunk, pattern)).as_py() is not False


def _number_kinds(column: pa.ChunkedArray) -> set[str]:
    """How the numbers of a column are written; empty where one would print otherwise, or is none."""
    kinds: set[str] = set()
    for chunk in column.chunks:
        found = _kinds(chunk)
        if found is None:
            return set()
        kinds |= found
    return kinds


def _kinds(chunk: pa.Array) -> set[str] | None:
    integers = pc.match_substring_regex(chunk, _INTEGER)
    others = chunk.filter(pc.invert(integers))
    kinds = {"integer"} if len(others) + chunk.null_count < len(chunk) else set()
    if not len(others):
        return kinds
    short = pc.and_(
        pc.and_(pc.match_substring_regex(others, _FRACTION), pc.less_equal(pc.binary_length(others), _SHORT)),
        pc.invert(pc.match_substring_regex(others, _TINY)),
    )
    odd = others.filter(pc.invert(short))
    if not all(map(_prints_back, odd.slice(0, _GLANCE).to_pylist())) or not all(map(_prints_back, odd.to_pylist())):
        return None
    whole = pc.any(pc.ends_with(others, ".0")).as_py()
    return kinds | {"whole" if whole else "fraction"}


def _prints_back(text: str) -> bool:
    try:
        return text[-1:].isdigit() and repr(float(text)) == text  # Not "nan", which is a word.
    except ValueError:
        return False
