"""People of the managed person data: whom records get, what is said of them, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import data_designer.config as dd
from data_designer.engine.resources.person_reader import LocalPersonReader, create_person_reader
from data_designer.engine.sampling_gen.entities.dataset_based_person_fields import (
    PERSONA_FIELDS,
    PII_FIELDS,
    REQUIRED_FIELDS,
)
from data_designer.errors import DataDesignerGenerationError
from data_designer.interface import DataDesigner

NUMBER = 40
"""People in the file."""


def people(root: Path, locale: str = "en_US", **changes: Any) -> Path:
    """Write a file of people, in row groups of seven."""
    (root / "datasets").mkdir(exist_ok=True)
    numbers = range(NUMBER)
    columns: dict[str, Any] = {
        "uuid": [f"u{n}" for n in numbers],
        "first_name": [f"First{n}" for n in numbers],
        "last_name": ["O'Last"] * NUMBER,
        "middle_name": pa.nulls(NUMBER, pa.string()),
        "sex": ["Female" if n % 2 else "Male" for n in numbers],
        "age": [10 + n for n in numbers],
        "postcode": ["02134"] * NUMBER,
        "city": ["Boston" if n % 4 else "Salem" for n in numbers],
        "region": ["MA" if n % 2 else "NH" for n in numbers],
        "persona": [f"persona of {n}" for n in numbers],
        "openness": [json.dumps({"t_score": n, "label": "high", "description": "curious"}) for n in numbers],
        "neuroticism": [{"t_score": n, "label": "low"} for n in numbers],
        "internal": numbers,
    } | changes
    kept = {name: values for name, values in columns.items() if values is not None}
    pq.write_table(pa.table(kept), root / "datasets" / f"{locale}.parquet", row_group_size=7)
    return root


def drawn(root: Path, number: int, seed: int = 1, **params: Any) -> list[dict[str, Any]]:
    """People of some records."""
    designer = DataDesigner(managed_assets_path=root, auto_configure_logging=False)
    designer.set_run_config(dd.RunConfig(seed=seed, otel_metrics_port=None))
    builder = dd.DataDesignerConfigBuilder()
    builder.add_column(name="p", column_type="sampler", sampler_type="person", params=params)
    made = designer.preview(builder, num_records=number).dataset
    assert made is not None
    found: list[dict[str, Any]] = made["p"].tolist()
    return found


def test_nobody_comes_twice_before_everybody_has_come_once(sockets: None, tmp_path: Path) -> None:
    """The same seed draws the same people, however many; another one others."""
    people(tmp_path)
    twice = [one["uuid"] for one in drawn(tmp_path, 2 * NUMBER, age_range=[0, 114])]
    assert len(set(twice[:NUMBER])) == len(set(twice[NUMBER:])) == NUMBER
    assert twice[:NUMBER] != twice[NUMBER:]
    assert [one["uuid"] for one in drawn(tmp_path, 5, age_range=[0, 114])] == twice[:5]
    assert [one["uuid"] for one in drawn(tmp_path, 5, seed=2, age_range=[0, 114])] != twice[:5]


def test_what_is_said_of_a_person(sockets: None, tmp_path: Path) -> None:
    """Fields in their order, without those that are empty for everybody; what follows is of the person's age."""
    people(tmp_path)
    [one] = drawn(tmp_path, 1)
    assert list(one) == [name for name in PII_FIELDS if name in one]
    assert not one.keys() & {"internal", "persona", "middle_name", "region"}
    number = int(one["uuid"][1:])
    assert (one["first_name"], one["age"], one["locale"]) == (f"First{number}", 10 + number, "en_US")
    assert one["state"] == ("MA" if number % 2 else "NH")
    assert 2025 - one["age"] - 1 <= int(one["birth_date"][:4]) <= 2025 - one["age"]
    assert one["email_address"].startswith(f"first{number}.olast")
    assert one["phone_number"].partition(" ")[2].startswith("555-01")
    assert one["national_id"].startswith("9")
    minor = min(drawn(tmp_path, NUMBER, age_range=[0, 114]), key=lambda p: p["age"])
    assert minor["email_address"] is None
    assert minor["phone_number"] is None


def test_personas_are_told_where_they_are_wanted(sockets: None, tmp_path: Path) -> None:
    """Traits have members, however the file keeps them, for templates to say."""
    people(tmp_path)
    [one] = drawn(tmp_path, 1, with_synthetic_personas=True)
    number = int(one["uuid"][1:])
    assert one["persona"] == f"persona of {number}"
    assert one["openness"]["description"] == "curious"
    assert one["neuroticism"]["t_score"] == number


def test_people_are_chosen(sockets: None, tmp_path: Path) -> None:
    """By sex, age, city, and any other field; the state of Americans is their region."""
    people(tmp_path)
    chosen = drawn(tmp_path, 30, sex="Female", age_range=[20, 30], city=["Boston", "Salem"])
    assert {one["age"] for one in chosen} == {21, 23, 25, 27, 29}
    assert {one["sex"] for one in chosen} == {"Female"}
    from_salem = drawn(tmp_path, 20, city="Salem", select_field_values={"state": ["NH"]})
    assert {one["city"] for one in from_salem} == {"Salem"}
    assert {one["state"] for one in from_salem} == {"NH"}


def test_germans_are_said_to_be_female_or_male(sockets: None, tmp_path: Path) -> None:
    """As their file does not say it; their region stays one."""
    people(tmp_path, "de_DE", sex=["Weiblich"] * (NUMBER - 5) + ["Männlich"] * 5)
    chosen = drawn(tmp_path, 10, locale="de_DE", sex="Male")
    assert {one["sex"] for one in chosen} == {"Male"}
    assert {one["region"] for one in chosen} <= {"MA", "NH"}
    assert {one["national_id"] for one in chosen} == {None}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"locale": "fr_FR"}, "no managed person data for locale fr_FR: .*fr_FR.parquet does not exist"),
        (
            {"city": "Nowhere"},
            "nobody of the managed person data for en_US satisfies age 18 to 114, city Nowhere; loosen",
        ),
        ({"select_field_values": {"regio": ["MA"]}}, "have no field 'regio'; did you mean 'region'"),
        ({"locale": "pt_BR"}, "lack last_name"),
        ({"locale": "ja_JP"}, "cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_asked(
    tmp_path: Path, params: dict[str, Any], words: str
) -> None:
    """With the locale, and the file or the field."""
    people(tmp_path)
    people(tmp_path, "pt_BR", last_name=None)
    (tmp_path / "datasets" / "ja_JP.parquet").write_text("no Parquet")
    with pytest.raises(DataDesignerGenerationError, match=words):
        drawn(tmp_path, 1, **params)


def test_a_reader_may_say_where_people_are(sockets: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the environment says it."""
    people(tmp_path)
    builder = dd.DataDesignerConfigBuilder()
    builder.add_column(name="p", column_type="sampler", sampler_type="person")
    with pytest.raises(RuntimeError, match="does not exist"):
        create_person_reader(tmp_path / "nowhere")
    reader = create_person_reader(tmp_path)
    assert isinstance(reader, LocalPersonReader)
    DataDesigner(person_reader=reader, auto_configure_logging=False).validate(builder)
    monkeypatch.setenv("DATA_DESIGNER_MANAGED_ASSETS_PATH", str(tmp_path))
    DataDesigner(auto_configure_logging=False).validate(builder)


def test_the_lists_of_fields_have_no_name_twice() -> None:
    """Nor one in common."""
    assert len({*PII_FIELDS, *PERSONA_FIELDS}) == len(PII_FIELDS) + len(PERSONA_FIELDS)
    assert set(PII_FIELDS) >= REQUIRED_FIELDS


def test_the_place_of_people_is_no_part_of_a_configuration() -> None:
    """So a dataset goes on where they lie elsewhere."""
    params = dd.PersonSamplerParams()
    there = params.at("/somewhere")
    assert there.model_dump() == params.model_dump()
    assert (params.source, there.source) == ("", "/somewhere")
