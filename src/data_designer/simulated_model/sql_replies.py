"""SQL that the simulated model writes: tables, and queries of the tables that a prompt defines.

It keeps to what every dialect reads: no limits, no functions of dates, names without quotes.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from data_designer.simulated_model.seeded_rng import SeededRng

Kind = Literal["key", "number", "text", "date"]

_TABLE = re.compile(
    r"create\s+(?:temp(?:orary)?\s+)?table\s+(?:if\s+not\s+exists\s+)?[\"`\[]?(\w+)[\"`\]]?\s*\(", re.IGNORECASE
)
_COLUMN = re.compile(r"\s*[\"`\[]?(\w+)[\"`\]]?\s+(\w+)")
_CONSTRAINTS = frozenset(("primary", "foreign", "unique", "check", "constraint", "key", "index", "exclude"))
_WANTS_TABLES = re.compile(
    r"create\s+table|\b(?:create|define|design|write)\b[^.\n]{0,60}\b(?:tables|ddl)\b", re.IGNORECASE
)
_KEYS, _TEXTS = re.compile(r" PRIMARY KEY|,\s+FOREIGN KEY .*"), re.compile(r"VARCHAR\(\d+\)")
"""What BigQuery writes in its own way."""
_WANTS_ROWS = re.compile(r"\binsert|\brows\b|sample data", re.IGNORECASE)
_READ, _MOST_TABLES = 20_000, 20
_ABOUT = 500
"""Characters of a prompt in which its subject is looked for."""
_WRONG = 12
"""One query of so many names a column that is not there, as those of models do."""

# Parent, its text, its values; child, its text, its values.
_PAIRS = (
    ("customers", "city", ("Lisbon", "Oslo", "Lima"), "orders", "status", ("open", "shipped", "returned")),
    ("patients", "ward", ("north", "south", "east"), "visits", "reason", ("checkup", "injury", "fever")),
    ("suppliers", "country", ("Kenya", "Japan", "Peru"), "deliveries", "carrier", ("rail", "road", "sea")),
    ("students", "course", ("biology", "history", "music"), "exams", "grade", ("A", "B", "C")),
    ("drivers", "depot", ("harbour", "station", "airport"), "trips", "vehicle", ("van", "truck", "bicycle")),
    ("accounts", "branch", ("main", "market", "online"), "payments", "method", ("card", "cash", "transfer")),
)
_QUERIES = (
    "SELECT {label}, {number}\nFROM {table}\nWHERE {number} > {some}\nORDER BY {number} DESC",
    "SELECT {label}, AVG({number}) AS average\nFROM {table}\nGROUP BY {label}\nHAVING COUNT(*) >= {few}",
    "SELECT {label}, {number}\nFROM {table}\nWHERE {number} > (SELECT AVG({number}) FROM {table})",
    """\
WITH totals AS (
    SELECT {label}, SUM({number}) AS total
    FROM {table}
    GROUP BY {label}
)
SELECT {label}, total
FROM totals
WHERE total > {some}""",
)
_TABLES = "CREATE TABLE {table} (\n    id INTEGER PRIMARY KEY,\n    {columns}\n);"
_CHILD = """\
{key} INTEGER NOT NULL,
    {word} VARCHAR(40),
    amount NUMERIC(10, 2),
    made_on DATE,
    FOREIGN KEY ({key}) REFERENCES {parent} (id)"""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    kind: Kind


class Table(NamedTuple):
    """A table that queries can be about."""

    name: str
    columns: Sequence[Column]

    def of(self, kind: Kind) -> list[str]:
        """Its columns of a kind."""
        return [column.name for column in self.columns if column.kind == kind]


def sql(prompt: str, rng: SeededRng) -> str:
    """Definitions of tables where the prompt asks for some and has none, else a query of those that it defines."""
    tables = tables_in(prompt)
    start = prompt[:_ABOUT].lower()
    pair = rng.choice([one for one in _PAIRS if one[0][:-1] in start or one[3][:5] in start] or _PAIRS)
    if not tables and _WANTS_TABLES.search(prompt[:_READ]):
        made = _definitions(pair, rng, with_rows=bool(_WANTS_ROWS.search(prompt[:_READ])))
        return _TEXTS.sub("STRING", _KEYS.sub("", made)) if "bigquery" in start else made
    is_wrong = bool(tables) and not rng.below(_WRONG)
    query = _query(tables or tables_in(_definitions(pair, rng, with_rows=False)), rng)
    return query.replace("SELECT ", "SELECT remarks, ", 1) if is_wrong else query


def tables_in(text: str) -> list[Table]:
    """The tables that a text defines."""
    found: list[Table] = []
    for match in itertools.islice(_TABLE.finditer(text[:_READ]), _MOST_TABLES):
        columns = [column for part in _parts(text, match.end()) if (column := _column(part)) is not None]
        if columns:
            found.append(Table(match.group(1), columns))
    return found


def _parts(text: str, start: int) -> list[str]:
    """What stands between commas, up to the bracket that closes."""
    parts: list[str] = []
    depth, begin = 0, start
    for place in range(start, min(len(text), start + _READ)):
        match text[place]:
            case "(":
                depth += 1
            case ")" if depth == 0:
                return [*parts, text[begin:place]]
            case ")":
                depth -= 1
            case "," if depth == 0:
                parts.append(text[begin:place])
                begin = place + 1
    return parts


def _column(part: str) -> Column | None:
    match = _COLUMN.match(part)
    if match is None or match.group(1).lower() in _CONSTRAINTS:
        return None
    name, kind = match.group(1), match.group(2).lower()
    if name.lower() == "id" or name.lower().endswith("_id"):
        return Column(name, "key")
    if re.match(r"int|num|dec|real|float|double|big|small|money", kind):
        return Column(name, "number")
    return Column(name, "date" if re.match(r"date|time", kind) else "text")


def _definitions(
    pair: tuple[str, str, tuple[str, ...], str, str, tuple[str, ...]], rng: SeededRng, *, with_rows: bool
) -> str:
    parent, place, places, child, word, words = pair
    key = f"{parent[:-1]}_id"
    said = [
        _TABLES.format(table=parent, columns=f"name VARCHAR(80) NOT NULL,\n    {place} VARCHAR(40)"),
        _TABLES.format(table=child, columns=_CHILD.format(key=key, word=word, parent=parent)),
    ]
    if with_rows:
        rows = [
            f"    ({one}, '{rng.words(1).title()} {rng.words(1).title()}', '{rng.choice(places)}')" for one in (1, 2, 3)
        ]
        said.append(f"INSERT INTO {parent} (id, name, {place}) VALUES\n" + ",\n".join(rows) + ";")
        rows = [
            f"    ({one}, {1 + rng.below(3)}, '{rng.choice(words)}', {5 + rng.below(300)}.{rng.below(100):02d}, "
            f"'2025-{1 + rng.below(12):02d}-{1 + rng.below(28):02d}')"
            for one in range(1, 6)
        ]
        said.append(f"INSERT INTO {child} (id, {key}, {word}, amount, made_on) VALUES\n" + ",\n".join(rows) + ";")
    return "\n\n".join(said)


def _query(tables: Sequence[Table], rng: SeededRng) -> str:
    joined = [
        (child, key, parent) for child in tables for key in child.of("key") for parent in tables if _refers(key, parent)
    ]
    if joined and rng.below(2):
        child, key, parent = rng.choice(joined)
        label = rng.choice(parent.of("text") or parent.of("key"))
        numbers = child.of("number")
        total = f"SUM(c.{rng.choice(numbers)})" if numbers and rng.below(2) else "COUNT(*)"
        return (
            f"SELECT p.{label}, {total} AS total\nFROM {child.name} AS c\n"
            f"INNER JOIN {parent.name} AS p ON c.{key} = p.id\nGROUP BY p.{label}\nORDER BY total DESC"
        )
    table = rng.choice([one for one in tables if one.of("number")] or tables)
    label = rng.choice(table.of("text") or [table.columns[0].name])
    if not table.of("number"):
        return f"SELECT {label}, COUNT(*) AS total\nFROM {table.name}\nGROUP BY {label}\nORDER BY total DESC"
    form = rng.choice(_QUERIES)
    number = rng.choice(table.of("number"))
    return form.format(label=label, number=number, table=table.name, few=1 + rng.below(3), some=rng.below(100))


def _refers(key: str, parent: Table) -> bool:
    """Whether a column's name says that it holds keys of a table."""
    stem = key.lower().removesuffix("_id")
    return stem != key.lower() and stem in parent.name.lower() and any(c.name.lower() == "id" for c in parent.columns)
