"""Reads a CSV file as text, in whatever dialect and encoding it is; what was found out is told."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from data_designer.columns.seeds.csv_dialect import SPACES, Dialect, dialect_of
from data_designer.columns.seeds.csv_types import QUOTED
from data_designer.config.seed_source import ReadOptions
from data_designer.errors import SeedReaderError
from data_designer.object_storage import Location

_SAMPLE = 1 << 17
"""Bytes from which the dialect is told."""
_PIECE = 1 << 22
_LONGEST_ROW = 1 << 25
_ROWS_AT_ONCE = 1000
"""That one match goes through, which remembers each."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks and what they say; those of UTF-32 begin like those of UTF-16."""
_GUESSED = ("utf-8", "cp1252", "latin-1")
"""What is tried where there is no mark; each but the last refuses what it is not."""
_SPACES = re.compile(rb'(?m)("[^"]*(?:""[^"]*)*")|^ +| +(?=\r?$)| +')
_MARK = "\ufeff"
_FIRST = "index"
"""Name of a first column without one, which pandas and R write for the index of a table."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A file's fields, all of them text, numbers that were quoted with a mark; and how it was read."""

    table: pa.Table
    dialect: Dialect
    encoding: str
    named: str | None
    """What the first column is called, if it had no name."""
    left_out: int
    """Columns without a name and without a value."""


def encoding_marked(start: bytes) -> str | None:
    """The encoding that the first bytes of a file name."""
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), None)


def read_csv(place: Location, content: pa.NativeFile, usual: str, options: ReadOptions) -> CsvTable:
    """Read a file.

    Args:
        place: its path, for messages.
        content: the file, at its beginning.
        usual: what divides fields where the file does not tell.
        options: what the user says of it.

    Raises:
        SeedReaderError: it is no such file; the message names the line where there is one.
    """
    start = content.read(4096)
    marked = encoding_marked(start)
    if options.encoding is None and marked is None and b"\0" in start:
        raise SeedReaderError(
            f"the seed file {place} holds NUL bytes, as no text does: it is of another format, or in UTF-16 without a "
            "mark; name that in read_options.encoding"
        )
    encodings = [options.encoding or marked] if options.encoding or marked else _GUESSED
    for encoding in encodings:
        content.seek(0)
        try:
            return _File(place, content, str(encoding)).read(usual, options)
        except UnicodeDecodeError as error:
            failed = error
    raise SeedReaderError(
        f"the seed file {place} is not in {encodings[-1]}: {failed.reason}; save it as UTF-8, or name its encoding in "
        "read_options.encoding"
    ) from failed


@dataclass(frozen=True, slots=True)
class _File:
    place: Location
    content: pa.NativeFile
    encoding: str

    def read(self, usual: str, options: ReadOptions) -> CsvTable:
        sample, whole = self._sample()
        if not sample.strip():
            raise SeedReaderError(f"the seed file {self.place} is empty; it needs a header and at least one row")
        dialect = dialect_of(sample, usual, delimiter=options.delimiter, whole=whole)
        self.content.seek(0)
        table = self._parse(dialect)
        if dialect.row_names is not None:
            names = ["", *dialect.row_names]
        else:
            names = [column[0].as_py() or "" for column in table.columns]
            table = table.slice(1)
        names = [name.replace(QUOTED, "").strip() for name in names]
        table, named, left_out = _with_names(table, names)
        return CsvTable(table, dialect, self.encoding, named, left_out)

    def _sample(self) -> tuple[str, bool]:
        """The beginning, of at least a line, and whether it is all."""
        text = ""
        for piece in _decoded(self.place, self.content, self.encoding, _SAMPLE):
            text += piece
            if len(text) >= _SAMPLE // 2 and "\n" in text:
                return text.removeprefix(_MARK), False
        return text.removeprefix(_MARK), True

    def _parse(self, dialect: Dialect) -> pa.Table:
        ragged: list[pa_csv.InvalidRow] = []

        def refuse(row: pa_csv.InvalidRow) -> str:
            ragged.append(row)
            return "skip"

        pieces = _decoded(self.place, self.content, self.encoding, _PIECE)
        lines = _Lines(pieces, dialect)
        source = pa.PythonFile(lines, mode="r")
        before = dialect.preamble + (dialect.row_names is not None)
        # One thread, so that rows are numbered. The header is a row here, for it must not decide what the others are.
        reading = pa_csv.ReadOptions(
            use_threads=False, block_size=_LONGEST_ROW, autogenerate_column_names=True, skip_rows=before
        )
        parsing = pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=refuse)
        # Only a field of nothing is null: "NA" may be a country, "null" a word, and "" in quotes an empty text.
        converting = pa_csv.ConvertOptions(
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            column_types={f"f{place}": pa.string() for place in range(dialect.width)},
        )
        table = pa_csv.read_csv(source, reading, parsing, converting)
        if lines.left_open is not None:
            raise SeedReaderError(
                f"the seed file {self.place} has a quote that nothing closes, in the row that begins at line "
                f"{lines.left_open}; close it, or double it where it is part of a text"
            )
        if ragged:
            raise SeedReaderError(f"the seed file {self.place} is ragged: {self._complaint(ragged[0], dialect)}")
        if table.num_columns != dialect.width:
            raise SeedReaderError(
                f"the seed file {self.place} has {table.num_columns} fields in its first row, or {dialect.width}: its "
                "quotes can be read in two ways; double those that belong to a text"
            )
        return table

    def _complaint(self, row: pa_csv.InvalidRow, dialect: Dialect) -> str:
        line = self._line(row.number, dialect)
        shown = "spaces" if dialect.delimiter == SPACES else repr(dialect.delimiter)
        few = row.actual_columns < row.expected_columns
        advice = f"fill it up with {shown}" if few else f"quote values that hold {shown}"
        return (
            f"row {row.number} (the header is row 1) has {row.actual_columns} fields instead of {row.expected_columns}"
            f"{f', at line {line}' if line else ''}; {advice}, which divides fields here, or name another in "
            "read_options.delimiter"
        )

    def _line(self, number: int, dialect: Dialect) -> int | None:
        """The line at which a row ends."""
        self.content.seek(0)
        text = io.TextIOWrapper(self.content, self.encoding, newline="")
        reader = csv.reader(text, delimiter=dialect.delimiter, skipinitialspace=dialect.spaced)
        try:
            found = 0
            for row in reader:
                found += bool(row)
                if found == number:
                    return reader.line_num
        except csv.Error:
            pass
        return None


def _with_names(table: pa.Table, names: list[str]) -> tuple[pa.Table, str | None, int]:
    """Name the first column if it has no name, and leave others out that have neither name nor value."""
    names += [""] * (table.num_columns - len(names))
    empty = {place for place, name in enumerate(names) if not name and _is_empty(table.column(place))}
    named = None
    if names and not names[0] and 0 not in empty:
        named = _FIRST
        while named in names:
            named = f"{named}_"
        names[0] = named
    kept = [place for place in range(table.num_columns) if place not in empty]
    return table.select(kept).rename_columns([names[place] for place in kept]), named, len(empty)


def _is_empty(column: pa.ChunkedArray) -> bool:
    return column.null_count == len(column) or not pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py()


def _decoded(place: Location, content: pa.NativeFile, encoding: str, size: int) -> Iterator[str]:
    """The text of a file, so many bytes at a time.

    Raises:
        UnicodeDecodeError: it is in another encoding.
        SeedReaderError: it is in this one, but not everywhere, or it holds the mark of quoted numbers.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line, ascii_only = 1, True
    while True:
        raw = content.read(size)
        try:
            piece = decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            if encoding != "utf-8" or (ascii_only and before.isascii()):
                raise
            # What was read so far would be read otherwise in another encoding.
            line += before.count(b"\n")
            raise SeedReaderError(
                f"the seed file {place} is UTF-8, but not in line {line}: {error.reason}; correct it, or name the "
                "file's encoding in read_options.encoding"
            ) from error
        if not raw and not piece:
            return
        if QUOTED in piece:
            line += piece.count("\n", 0, piece.index(QUOTED))
            raise SeedReaderError(
                f"the seed file {place} holds U+10FFFE in line {line}, which is no character; remove it"
            )
        line += piece.count("\n")
        ascii_only = ascii_only and piece.isascii()
        yield piece


class _Lines:
    """A file as Arrow reads it: UTF-8, a delimiter and nothing else between fields, quoted numbers marked.

    Pieces end at the end of a row, so that none is seen in part.
    """

    closed = False
    left_open: int | None = None
    """The line at which a last row begins that ends within quotes, once all is read."""

    def __init__(self, pieces: Iterator[str], dialect: Dialect) -> None:
        self._pieces = self._rows(pieces)
        self._rest = b""
        delimiter = re.escape(dialect.delimiter.encode())
        self._spaces = dialect.delimiter == SPACES
        # A field in quotes is passed over as a whole: what stands within it is text.
        pattern = rb'(?m)(^|%b) +("[^"]*(?:""[^"]*)*")?|(%b|^)("[^"]*(?:""[^"]*)*")' % (delimiter, delimiter)
        self._after = re.compile(pattern) if dialect.spaced and not self._spaces else None
        # Quotes within a field, as in 5", are text: only those at its beginning hold line breaks.
        blank = b" *+" if self._after else b""
        # Possessive are only single characters: of groups, Python before 3.11.5 takes some wrongly.
        text = rb'"[^"]*+(?:""[^"]*+)*"(?!")'
        field = rb'(?:%b%b[^%b\r\n]*+|(?!%b")[^%b\r\n]*+)' % (blank, text, delimiter, blank, delimiter)
        row = rb"%b(?:%b%b)*[\r\n]++" % (field, delimiter, field)
        self._some_rows = re.compile(rb"(?:%b){1,%d}" % (row, _ROWS_AT_ONCE))
        self._quoted = re.compile(rb'"(?<=[%b\n\r]")(-?[0-9][-+.0-9eE]*"(?=[%b\r\n]|\Z))' % (delimiter, delimiter))

    def read(self, size: int = -1) -> bytes:
        """The next bytes; at most so many."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken

    def close(self) -> None:
        """Whoever opened the file closes it."""

    def _rows(self, pieces: Iterator[str]) -> Iterator[bytes]:
        held, is_open, line = bytearray(), False, 1
        for text in pieces:
            piece = text.encode()
            held += piece
            if is_open and b'"' not in piece:
                continue  # What is in quotes goes on.
            end = 0
            while whole := self._some_rows.match(held, end):
                end = whole.end()
            is_open = b'"' in held[end:]
            if end:
                line += held.count(b"\n", 0, end)
                yield self._plain(bytes(held[:end]))
                held = held[end:]
        if held:
            if self._some_rows.match(held + b"\n") is None:
                self.left_open = line
            yield self._plain(bytes(held))

    def _plain(self, rows: bytes) -> bytes:
        if self._spaces:
            rows = _SPACES.sub(lambda found: found[1] or (b" " if _is_between(found) else b""), rows)
        elif self._after is not None:
            rows = self._after.sub(rb"\1\2\3\4", rows)
        if b'"' in rows:
            rows = self._quoted.sub(b'"' + QUOTED.encode() + rb"\1", b"\n" + rows)[1:]
        return rows


def _is_between(found: "re.Match[bytes]") -> bool:
    """Whether spaces stand between two fields, and not around a line."""
    start, end, text = found.start(), found.end(), found.string
    return start > 0 and text[start - 1] not in b"\r\n" and end < len(text) and text[end] not in b"\r\n"
