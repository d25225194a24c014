"""Samplers of people: those of Faker, each the same for the same key."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from data_designer.columns.random_streams import Indices, words
from data_designer.columns.samplers.sampler import Draw, Drawn, Holds, Others, Sampler, objects
from data_designer.config.sampler_params import PersonFromFakerSamplerParams

if TYPE_CHECKING:
    from faker import Generator
    from faker.providers import BaseProvider

REFERENCE_YEAR = 2025
"""Ages are those of the first of January of this year, so that a dataset does not depend on the day it was made."""

_ADULT = 18
_MARITAL = ("married_present", "divorced", "never_married", "separated", "widowed")
_EDUCATION = ("secondary_education", "some_college", "bachelors", "associates", "graduate", "doctorate")
_DEGREES = frozenset({"bachelors", "graduate", "doctorate"})
_FIELDS = ("stem", "business", "education", "arts_humanities", "stem_related")


_LISTED_BY_CHANCE = ("it_IT",)
"""Locales for which Faker makes its list of cities of a set, so that it has another order in every process."""
_MOST_KNOWN = 1000
"""Lists with weights whose sums are kept; those of Faker's locales are far fewer."""


@cache
def _faker(locale: str) -> "Generator":
    from faker import Factory
    from faker.providers import BaseProvider

    # A bare generator: the class users know looks its locale up again at every call.
    fake = Factory.create(locale)
    for provider in fake.providers:
        if locale in _LISTED_BY_CHANCE and isinstance(cities := vars(type(provider)).get("cities"), list):
            cities.sort()
        if type(provider).random_element is BaseProvider.random_element:
            vars(provider)["random_element"] = _chooser(provider)
    return fake


def _chooser(provider: "BaseProvider") -> Callable[[Collection[object]], object]:
    """Faker's `random_element`, with the same draws: it adds up all weights at every call, here that is done once."""
    slow = provider.random_element
    known: dict[int, tuple[object, tuple[object, ...], list[float]]] = {}

    def random_element(elements: Collection[object] = ("a", "b", "c")) -> object:
        if isinstance(elements, list | tuple):
            return provider.generator.random.choice(elements)
        if not (isinstance(elements, OrderedDict) and provider.__use_weighting__):
            return slow(elements)
        of = known.get(id(elements))
        if of is None:
            if len(known) >= _MOST_KNOWN:
                return slow(elements)
            # Held, so that its identity stays its own.
            of = known[id(elements)] = (elements, tuple(elements), [*accumulate(elements.values())])
        return provider.generator.random.choices(of[1], cum_weights=of[2])[0]

    return random_element


def person(params: PersonFromFakerSamplerParams, key: int) -> dict[str, str | int | None]:
    """A person whose every field follows from the key; fields a locale lacks are None."""
    fake = _faker(params.locale)
    fake.seed_instance(key)
    rng = fake.random
    sex = params.sex or rng.choice(("Male", "Female"))
    age = rng.randint(*params.age_range)
    city = params.city
    education = rng.choice(_EDUCATION)
    birth = date(REFERENCE_YEAR - age, 1, 1) - timedelta(days=rng.randrange(365))
    suffix = "male" if sex == "Male" else "female"
    return {
        "uuid": str(fake.uuid4()),
        "locale": params.locale,
        "first_name": _get(fake, f"first_name_{suffix}", "first_name"),
        "last_name": _get(fake, f"last_name_{suffix}", "last_name"),
        "middle_name": None,
        "sex": sex,
        "street_number": _get(fake, "building_number"),
        "street_name": _get(fake, "street_name"),
        "city": rng.choice(city) if isinstance(city, list) else city or _get(fake, "city"),
        "state": _get(fake, "state", "administrative_unit", "region", "province"),
        "postcode": _get(fake, "postcode"),
        "age": age,
        "birth_date": birth.isoformat(),
        "country": _get(fake, "current_country") or _get(fake, "country"),
        "marital_status": rng.choice(_MARITAL) if age >= _ADULT else "never_married",
        "education_level": education,
        "unit": "",
        "occupation": _get(fake, "job"),
        "phone_number": _get(fake, "phone_number") if age >= _ADULT else None,
        "bachelors_field": rng.choice(_FIELDS) if education in _DEGREES else "no_degree",
    }


def _get(fake: object, *names: str) -> str | None:
    for name in names:
        method = getattr(fake, name, None)
        if method is not None:
            try:
                return str(method())
            except (AttributeError, ValueError):
                continue
    return None


def _person_from_faker(params: PersonFromFakerSamplerParams) -> Draw:
    def draw(stream: int, rows: Indices, _: Others) -> Drawn:
        return objects([person(params, word) for word in words(stream, rows).tolist()])

    return draw


PERSON_FROM_FAKER = Sampler(PersonFromFakerSamplerParams, Holds.PEOPLE, _person_from_faker)
