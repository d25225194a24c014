"""People made up by Faker."""

import os
import subprocess
import sys
from datetime import date
from typing import Any

import numpy as np
import pytest
from faker import Factory

from data_designer.columns.random_streams import key, words
from data_designer.columns.samplers import people as people_module
from data_designer.columns.samplers.people import person
from data_designer.config.locales import FAKER_LOCALES
from data_designer.config.sampler_params import PersonFromFakerSamplerParams

FIELDS = [
    "uuid", "locale", "first_name", "last_name", "middle_name", "sex", "street_number", "street_name", "city", "state",
    "postcode", "age", "birth_date", "country", "marital_status", "education_level", "unit", "occupation",
    "phone_number", "bachelors_field",
]  # fmt: skip


def people(count: int, **options: Any) -> list[dict[str, Any]]:
    """Make some people."""
    params = PersonFromFakerSamplerParams(**options)
    keys = words(key(7, "people"), np.arange(count, dtype=np.int64)).tolist()
    return [person(params, one) for one in keys]


def test_a_person_has_its_fields_in_order() -> None:
    """Every field is there, in the order users know."""
    assert list(people(1)[0]) == FIELDS


def test_a_person_follows_from_its_key() -> None:
    """The same key makes the same person, whoever was made before, in this locale or another."""
    params = PersonFromFakerSamplerParams()
    first = person(params, 42)
    people(3, locale="de_DE")
    people(3)
    assert person(params, 42) == first
    assert person(params, 43) != first


@pytest.mark.parametrize("locale", ["en_US", "de_DE", "ja_JP", "pt_BR"])
def test_names_are_those_that_faker_itself_draws(locale: str) -> None:
    """What is drawn faster is drawn alike, with weights and without, however often."""
    mine, plain = people_module._faker(locale), Factory.create(locale)
    for number in range(20):
        drawn = []
        for fake in (mine, plain):
            fake.seed_instance(number)
            drawn.append([fake.first_name(), fake.last_name(), fake.city(), fake.street_name(), fake.phone_number()])
        assert drawn[0] == drawn[1]


@pytest.mark.usefixtures("processes")
def test_people_are_the_same_in_every_process() -> None:
    """Also where Faker lists cities in the order of a set."""
    code = (
        "from data_designer.columns.samplers.people import person\n"
        "from data_designer.config.sampler_params import PersonFromFakerSamplerParams\n"
        "print([person(PersonFromFakerSamplerParams(locale='it_IT'), one) for one in range(20)])"
    )
    said = {
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.filterwarnings("ignore:fr_QC locale is deprecated:UserWarning")
@pytest.mark.parametrize("locale", sorted(FAKER_LOCALES))
def test_every_locale_makes_people(locale: str) -> None:
    """Each declared locale gives names, texts or nothing, and the locale it was asked for."""
    for made in people(3, locale=locale):
        assert made["locale"] == locale
        assert made["first_name"]
        assert made["last_name"]
        assert {type(made[field]) for field in FIELDS if field != "age"} <= {str, type(None)}


@pytest.mark.parametrize(("locale", "country"), [("en_US", "United States"), ("fr_FR", "France"), ("ja_JP", "Japan")])
def test_the_country_is_that_of_the_locale(locale: str, country: str) -> None:
    """A locale with a country lives there."""
    assert {made["country"] for made in people(3, locale=locale)} == {country}


def test_ages_stay_in_their_range_and_reach_both_ends() -> None:
    """Both ages of the range are included."""
    assert {made["age"] for made in people(100, age_range=[30, 32])} == {30, 31, 32}


def test_birth_dates_fit_ages() -> None:
    """On the first of January 2025 everyone has the age stated."""
    for made in people(300, age_range=[0, 114]):
        born = date.fromisoformat(made["birth_date"])
        assert 2025 - born.year - ((born.month, born.day) > (1, 1)) == made["age"]


def test_sex_and_city_are_as_asked() -> None:
    """Filters hold for everyone; a list of cities is chosen from."""
    made = people(40, sex="Female", city=["Bern", "Lyon"])
    assert {one["sex"] for one in made} == {"Female"}
    assert {one["city"] for one in made} == {"Bern", "Lyon"}
    assert {one["city"] for one in people(3, city="Bern")} == {"Bern"}


def test_both_sexes_come_out_when_none_is_asked_for() -> None:
    """Without a filter there are women and men."""
    assert {made["sex"] for made in people(50)} == {"Male", "Female"}


def test_surnames_have_the_form_of_the_sex() -> None:
    """Where surnames differ by sex, a woman carries a woman's."""
    assert all(
        made["last_name"].endswith(("\N{CYRILLIC SMALL LETTER A}", "\N{CYRILLIC SMALL LETTER YA}"))
        for made in people(30, locale="ru_RU", sex="Female")
    )


def test_minors_have_no_telephone_and_no_spouse() -> None:
    """Under 18 there is no number and nobody has been married."""
    minors = people(50, age_range=[0, 17])
    assert {(made["phone_number"], made["marital_status"]) for made in minors} == {(None, "never_married")}
    assert all(made["phone_number"] for made in people(20))


def test_a_field_of_study_needs_a_degree() -> None:
    """Only graduates have one."""
    for made in people(100):
        graduated = made["education_level"] in ("bachelors", "graduate", "doctorate")
        assert (made["bachelors_field"] != "no_degree") == graduated
