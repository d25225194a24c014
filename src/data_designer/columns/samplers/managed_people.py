"""Samplers of people of the managed person data: rows of a Parquet file a locale, each record its own.

Which person a record gets follows from its index and from who is chosen from, so it is the same wherever it is drawn.
Nobody comes twice before everybody has come once.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data_designer.columns.random_streams import Indices, key, permuted, words
from data_designer.columns.samplers.person_fields import PERSONA_FIELDS, PII_FIELDS, REQUIRED_FIELDS
from data_designer.columns.samplers.sampler import Draw, Drawn, Holds, Known, Others, Sampler, objects
from data_designer.config.near_names import suggestion
from data_designer.config.sampler_params import PersonSamplerParams
from data_designer.errors import (
    ManagedDatasetGeneratorError,
    MissingPersonFieldsError,
    PersonSamplerConstraintsError,
)
from data_designer.object_storage import ObjectPath, Objects, location

if TYPE_CHECKING:
    import pyarrow.parquet as pq

REFERENCE_YEAR = 2025
"""Ages are those of the first of January of this year, as those of Faker's people are."""
_ADULT = 18
_GERMAN = {"Weiblich": "Female", "Männlich": "Male"}
_STORED = {sex: german for german, sex in _GERMAN.items()}
_MAILBOXES = ("example.com", "example.org", "example.net")
"""Domains that are nobody's, by RFC 2606."""
_KEPT = 4
"""Files whose rows to choose from are kept in a process; a configuration has few."""


@dataclass(frozen=True, slots=True)
class _People:
    """A file of people, and who of them is chosen from."""

    source: str
    candidates: Indices
    starts: Indices
    """Of each row group, the number of its first row."""
    names: tuple[str, ...]
    """Columns of the file that hold something."""

    def rows(self, numbers: Indices, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Some rows, in the order in which they are asked for."""
        columns = [name for name in self.names if name in set(wanted)]
        groups = np.searchsorted(self.starts, numbers, side="right") - 1
        found: list[dict[str, Any]] = [{}] * len(numbers)
        with _opened(self.source) as file:
            for group in np.unique(groups).tolist():
                places = np.flatnonzero(groups == group)
                table = file.read_row_group(group, columns=columns)
                taken = table.take(pa.array(numbers[places] - self.starts[group])).to_pylist()
                for place, row in zip(places.tolist(), taken, strict=True):
                    found[place] = row
        return found


def _opened(source: str) -> "pq.ParquetFile":
    """The file. Raises ManagedDatasetGeneratorError where it cannot be read."""
    import pyarrow.parquet as pq

    place = location(source)
    try:
        if isinstance(place, ObjectPath):
            return pq.ParquetFile(pa.BufferReader(Objects(place.parent).read(place.name)))
        return pq.ParquetFile(place)
    except (OSError, pa.ArrowException) as error:
        raise ManagedDatasetGeneratorError(f"the managed person data {source} cannot be read: {error}") from error


def filters_of(params: PersonSamplerParams) -> dict[str, list[str]]:
    """Column of the file to the values, as text, that are chosen from."""
    found = {"age": [str(age) for age in range(params.age_range[0], params.age_range[1] + 1)]}
    if params.sex is not None:
        found["sex"] = [params.sex, _STORED[params.sex]] if params.locale == "de_DE" else [params.sex]
    if params.city is not None:
        found["city"] = params.city if isinstance(params.city, list) else [params.city]
    for name, values in (params.select_field_values or {}).items():
        found["region" if name == "state" and params.locale == "en_US" else name] = list(map(str, values))
    return found


def _people(params: PersonSamplerParams) -> _People:
    chosen = tuple((name, tuple(values)) for name, values in sorted(filters_of(params).items()))
    place = location(params.source)
    written = place.stat().st_mtime_ns if isinstance(place, Path) and place.is_file() else 0
    return _chosen(params.source, written, chosen)


@lru_cache(maxsize=_KEPT)
def _chosen(source: str, _written: int, filters: tuple[tuple[str, tuple[str, ...]], ...]) -> _People:
    import pyarrow.compute as pc

    with _opened(source) as file:
        names = file.schema_arrow.names
        if missing := sorted(REQUIRED_FIELDS - {"locale", *names}):
            raise MissingPersonFieldsError(f"the managed person data {source} lack {', '.join(missing)}")
        wanted = np.ones(file.metadata.num_rows, dtype=np.bool_)
        for name, values in filters:
            column = pc.cast(file.read(columns=[name]).column(0), pa.string())
            wanted &= pc.is_in(column, value_set=pa.array(values, pa.string())).to_numpy(zero_copy_only=False)
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        return _People(source, np.flatnonzero(wanted), starts, tuple(name for name in names if _holds(file, name)))


def _holds(file: "pq.ParquetFile", name: str) -> bool:
    """Whether a column holds anything at all, as far as the file says."""
    place = next((i for i in range(file.metadata.num_columns) if file.schema.column(i).path == name), None)
    if place is None:
        return True  # It is nested, and has no column of its own.
    for number in range(file.num_row_groups):
        found = file.metadata.row_group(number).column(place).statistics
        if found is None or not found.has_null_count or found.null_count < file.metadata.row_group(number).num_rows:
            return True
    return not file.num_row_groups


def _person(params: PersonSamplerParams) -> Draw:
    people = _people(params)
    size = len(people.candidates)
    if not size:
        youngest, oldest = params.age_range
        sought = {**filters_of(params), "age": [f"{youngest} to {oldest}"]}
        said = ", ".join(f"{name} {' or '.join(values)}" for name, values in sought.items())
        raise PersonSamplerConstraintsError(
            f"nobody of the managed person data for {params.locale} satisfies {said}; loosen that"
        )
    wanted = [*PII_FIELDS, *(PERSONA_FIELDS if params.with_synthetic_personas else ())]

    def draw(stream: int, rows: Indices, _: Others) -> Drawn:
        passes, places = np.divmod(rows, size)
        for number in np.unique(passes).tolist():
            mine = passes == number
            places[mine] = permuted(key(stream, "people", str(number)), places[mine], size)
        found = people.rows(people.candidates[places], wanted)
        seeds = words(stream, rows).tolist()
        return objects([_whole(row, params.locale, wanted, seed) for row, seed in zip(found, seeds, strict=True)])

    return draw


def _whole(row: Mapping[str, Any], locale: str, wanted: Sequence[str], seed: int) -> dict[str, object]:
    """A person with what follows from the rest, in the order of the fields."""
    rng = Random(seed)
    found = {name: _decoded(value) for name, value in row.items()}
    age = int(found["age"])
    birth = date(REFERENCE_YEAR - age, 1, 1) - timedelta(days=rng.randrange(365))
    american = locale == "en_US"
    region = found.pop("region", None) if american else None
    found |= {
        "locale": locale,
        "birth_date": birth.isoformat(),
        "email_address": _mailbox(found, rng) if age >= _ADULT else None,
        "phone_number": _number(rng) if american and age >= _ADULT and found.get("postcode") else None,
        # Nobody is given a number that begins with a nine.
        "national_id": f"9{rng.randrange(100):02}-{rng.randrange(1, 100):02}-{rng.randrange(1, 10000):04}"
        if region
        else None,
    }
    if american:
        found["state"] = region
    if locale == "de_DE":
        found["sex"] = _GERMAN.get(str(found.get("sex")), found.get("sex"))
    return {name: found[name] for name in wanted if name in found}


def _decoded(value: object) -> Any:
    """A value; traits that are kept as JSON text become what they say."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _mailbox(found: Mapping[str, object], rng: Random) -> str:
    name = ".".join(str(found.get(part) or "") for part in ("first_name", "last_name")).lower()
    plain = "".join(sign for sign in name if sign.isalnum() or sign == ".").strip(".")
    return f"{plain or 'someone'}{rng.randrange(10, 100)}@{rng.choice(_MAILBOXES)}"


def _number(rng: Random) -> str:
    # Of the numbers that are kept for fiction in every area.
    area = rng.choice([code for code in range(201, 990) if code % 100 != 11])
    return f"({area}) 555-{rng.randrange(100, 200):04}"


def _check_person(params: PersonSamplerParams, _: Known) -> Iterator[str]:
    if not params.source:
        return
    place = location(params.source)
    if isinstance(place, Path) and not place.is_file():
        yield (
            f"there is no managed person data for locale {params.locale}: {place} does not exist; put it there, "
            "or take sampler_type person_from_faker"
        )
        return
    yield from _refused(lambda: _check_file(params))


def _check_file(params: PersonSamplerParams) -> str | None:
    with _opened(params.source) as file:
        names = file.schema_arrow.names
    for name in filters_of(params):
        if name not in names:
            return f"the managed person data for {params.locale} have no field '{name}'{suggestion(name, names)}"
    _person(params)
    return None


def _refused(checked: Callable[[], str | None]) -> Iterator[str]:
    try:
        found = checked()
    except (ManagedDatasetGeneratorError, MissingPersonFieldsError, PersonSamplerConstraintsError) as error:
        found = str(error)
    if found is not None:
        yield found


PERSON = Sampler(PersonSamplerParams, Holds.PEOPLE, _person, _check_person)
