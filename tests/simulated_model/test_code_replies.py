"""Code that the simulated model writes: it parses, fits what the prompt defines, and is now and then wrong."""

import sqlite3

import pytest

from data_designer.columns.linting import PythonLinter, SqlLinter
from data_designer.config.utils.code_lang import CodeLang
from data_designer.simulated_model.code_replies import code
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.sql_replies import tables_in

TABLES = """
CREATE TABLE IF NOT EXISTS "owners" (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, born DATE, debt DECIMAL(10, 2) CHECK (debt >= 0)
);
create table pets (
    id INT, owner_id INT, kind VARCHAR(20) DEFAULT 'a, b', weight REAL,
    PRIMARY KEY (id), FOREIGN KEY (owner_id) REFERENCES owners (id)
);
"""
WANTS_TABLES = "Write CREATE TABLE statements on what a shop sells, and INSERT some rows."
DIALECTS = sorted(lang for lang in CodeLang.supported_values() if CodeLang.parse_dialect(lang))


def written(language: str, prompt: str, number: int) -> list[str]:
    """So many replies to one prompt."""
    return [code(language, prompt, SeededRng(str(one).encode())) for one in range(number)]


def test_tables_are_read() -> None:
    """Columns with their kinds, whatever the case, quotes and brackets; constraints are none."""
    owners, pets = tables_in(f"Tables: {TABLES}")
    assert (owners.name, owners.of("key"), owners.of("text")) == ("owners", ["id"], ["name"])
    assert (owners.of("number"), owners.of("date")) == (["debt"], ["born"])
    assert (pets.of("key"), pets.of("text"), pets.of("number")) == (["id", "owner_id"], ["kind"], ["weight"])
    assert tables_in("create table, but which? create table t (") == []


def test_queries_are_of_the_tables_of_the_prompt() -> None:
    """Most run on them; some name a column that is not there; tables are joined by their keys."""
    queries = written("sql", f"How heavy are they?\n{TABLES}", 300)
    ran = 0
    with sqlite3.connect(":memory:") as database:
        database.executescript(TABLES)
        for query in queries:
            try:
                database.execute(query)
                ran += 1
            except sqlite3.OperationalError as error:
                assert "no such column: remarks" in str(error)  # noqa: PT017 - there are many of them
    assert 250 < ran < 300
    assert any("JOIN owners AS p ON c.owner_id = p.id" in query for query in queries)
    assert len({*queries}) > 50


def test_tables_are_made_where_they_are_asked_for() -> None:
    """They and their rows are taken by a database, and the next prompt can have queries of them."""
    for made in written("sql", WANTS_TABLES, 30):
        with sqlite3.connect(":memory:") as database:
            database.executescript(made)
            counts = [database.execute(f"SELECT COUNT(*) FROM {table.name}").fetchone()[0] for table in tables_in(made)]  # noqa: S608
            assert counts == [3, 5]
    assert not any("INSERT" in made for made in written("sql", "Define the tables of a shop.", 10))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_parses_it(dialect: str) -> None:
    """Tables and queries, as `sqlfluff` reads them."""
    pieces = [*written("sql", f"{WANTS_TABLES} Write {dialect}.", 2), *written("sql", f"What? {TABLES}", 8)]
    found = SqlLinter(CodeLang.parse_dialect(dialect) or "").verdicts(pieces)
    assert [verdict for verdict in found if not verdict["is_valid"]] == []


@pytest.mark.usefixtures("processes")
def test_python_parses_and_mostly_passes_its_linter() -> None:
    """Functions and classes; one of a dozen uses a name that is not there. A name that the prompt gives is taken."""
    pieces = written("python", "Write a class that keeps readings.", 120)
    for piece in pieces:
        compile(piece, "reply", "exec")
    share = sum(bool(verdict["is_valid"]) for verdict in PythonLinter().verdicts(pieces)) / len(pieces)
    assert 0.8 < share < 1
    assert any("class " in piece for piece in pieces)
    assert "def running_mean(" in written("python", "Write a function called `running_mean`.", 1)[0]


@pytest.mark.parametrize("language", sorted({CodeLang.parse_lang(one) for one in CodeLang.supported_values()}))
def test_every_language_has_its_own(language: str) -> None:
    """Replies differ by what is drawn, and brackets are closed."""
    pieces = written(language, "about windmills", 10)
    assert len({*pieces}) > 5
    assert all(piece.count(one) == piece.count(other) for piece in pieces for one, other in ("()", "{}", "[]"))
