"""What the simulated model can say: sentences about a topic, and texts that suit the name of a property."""

import re
from collections.abc import Callable
from functools import lru_cache

from data_designer.simulated_model.seeded_rng import SeededRng

# fmt: off
_NOUNS = (
    "handle", "surface", "detail", "corner", "colour", "sound", "weight", "edge", "shape", "finish", "texture",
    "rhythm", "middle part", "beginning", "ending", "first impression", "tone", "structure", "idea", "pace", "size",
    "fit", "material", "choice of words", "layout", "background", "style", "balance", "order", "mood",
)
_ADJECTIVES = (
    "steady", "gentle", "bright", "calm", "quick", "bold", "clear", "warm", "plain", "careful", "generous", "uneven",
    "modest", "lively", "solid", "soft", "sharp", "quiet", "simple", "rich", "narrow", "honest", "playful", "sturdy",
    "dense", "light", "familiar", "unusual",
)
_ACTIONS = (
    "holds up well", "takes some getting used to", "does what it promises", "wears out too soon", "asks for patience",
    "leaves little to wish for", "looks better in daylight", "falls short of what I hoped", "works without any fuss",
    "surprised everybody at the table", "feels lighter than expected", "makes sense at once", "could be improved",
    "stays in the memory", "rewards a second look", "deserves more attention", "is easy to overlook", "never gets dull",
    "changes more than one would think", "keeps its promise", "is worth the wait", "seems a little rushed",
)
_CIRCUMSTANCES = (
    "after a week of daily use", "on a cold morning", "with little effort", "for the price", "once you know it",
    "at the second try", "even in a small room", "when nobody expects it", "compared with the last one", "on busy days",
    "in the long run", "from the first minute", "without any help", "late in the evening", "for most people",
    "under bright light", "in the hands of a beginner", "as far as I can tell", "more often than not", "on the whole",
)
_CLOSINGS = (
    "I would choose it again.", "It is worth a closer look.", "There is room for improvement.", "I can recommend it.",
    "I will come back to it next month.", "My neighbours agree.", "It could be better, and it could be far worse.",
    "That settles it for me.", "Others may see this differently.", "Nothing else comes close.",
)
_FIRST_NAMES = (
    "Amina", "Boris", "Carla", "Daniel", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Lena", "Marco",
    "Nadia", "Oscar", "Priya", "Quentin", "Rosa", "Samuel", "Tova", "Umar", "Vera", "Wanda", "Yusuf", "Zoe",
)
_LAST_NAMES = (
    "Adler", "Bianchi", "Castillo", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansen", "Kimura",
    "Lopez", "Moreau", "Novak", "Okafor", "Petrov", "Quinn", "Rossi", "Sato", "Tanaka", "Ueda", "Varga", "Weber",
    "Zhou",
)
_PLACES = (
    ("Lisbon", "Portugal"), ("Oslo", "Norway"), ("Nairobi", "Kenya"), ("Osaka", "Japan"), ("Lima", "Peru"),
    ("Toronto", "Canada"), ("Hanoi", "Vietnam"), ("Graz", "Austria"), ("Accra", "Ghana"), ("Quito", "Ecuador"),
    ("Porto", "Portugal"), ("Leeds", "United Kingdom"), ("Austin", "United States"), ("Pune", "India"),
    ("Perth", "Australia"), ("Lyon", "France"), ("Gdansk", "Poland"), ("Bologna", "Italy"), ("Bergen", "Norway"),
)
_COLOURS = ("amber", "black", "blue", "copper", "green", "grey", "ivory", "olive", "red", "silver", "teal", "white")
_CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF", "INR")
_LANGUAGES = ("English", "French", "German", "Hindi", "Japanese", "Portuguese", "Spanish", "Swahili")
_COMPANIES = ("Works", "Partners", "Foods", "Systems", "Supply", "Studio", "Labs", "Logistics")
_STREETS = ("Mill Lane", "Station Road", "Harbour Street", "Orchard Way", "High Street", "River Walk")
_CATEGORIES = ("books", "clothing", "electronics", "garden", "groceries", "health", "home", "music", "sports", "toys")
# fmt: on


STOCK_WORDS = frozenset(re.findall(r"[a-z]{4,}", " ".join((*_NOUNS, *_ADJECTIVES, *_ACTIONS, *_CIRCUMSTANCES)))) | {
    "noticed",
    "people",
    "tried",
    "range",
    "matter",
    "start",
    "look",
    "check",
    "minutes",
}
"""Words that are in what it says whatever it is asked."""


def opinion(rng: SeededRng, topic: str) -> str:
    """One sentence that says what somebody thinks, of which the topic is part."""
    noun, action = rng.choice(_NOUNS), rng.choice(_ACTIONS)
    match rng.below(5):
        case 0:
            return f"The {noun} of the {topic} {action} {rng.choice(_CIRCUMSTANCES)}."
        case 1:
            circumstance = rng.choice(_CIRCUMSTANCES)
            return f"{circumstance[0].upper()}{circumstance[1:]}, the {topic} {action}."
        case 2:
            return f"What I noticed first about the {topic} is its {rng.choice(_ADJECTIVES)} {noun}: it {action}."
        case 3:
            adjective, circumstance = rng.choice(_ADJECTIVES), rng.choice(_CIRCUMSTANCES)
            return f"With its {adjective} {noun}, this {topic} {action} {circumstance}."
        case _:
            several = 2 + rng.below(8)
            return f"Of {10 + several} people who tried the {topic}, {several} said that the {noun} {action}."


def question(rng: SeededRng, topic: str) -> str:
    """One question, of which the topic is part."""
    noun = rng.choice(_NOUNS)
    match rng.below(5):
        case 0:
            return f"How does the {noun} of the {topic} change {rng.choice(_CIRCUMSTANCES)}?"
        case 1:
            return f"Which {noun} of the {topic} matters most {rng.choice(_CIRCUMSTANCES)}?"
        case 2:
            several = 2 + rng.below(8)
            return f"If {several} of {10 + several} people give the {topic} up, how many are left?"
        case 3:
            return f"What makes the {topic} {rng.choice(_ADJECTIVES)} {rng.choice(_CIRCUMSTANCES)}?"
        case _:
            return f"Why is the {noun} of the {topic} so {rng.choice(_ADJECTIVES)}?"


def advice(rng: SeededRng, topic: str) -> str:
    """One sentence that explains something or says what to do, of which the topic is part."""
    noun = rng.choice(_NOUNS)
    match rng.below(5):
        case 0:
            return f"Start with the {noun} of the {topic}, then look at the {rng.choice(_NOUNS)}."
        case 1:
            return f"Check first whether the {noun} of the {topic} is {rng.choice(_ADJECTIVES)}."
        case 2:
            return f"If the {noun} is {rng.choice(_ADJECTIVES)}, the {topic} {rng.choice(_ACTIONS)}."
        case 3:
            circumstance = rng.choice(_CIRCUMSTANCES)
            return (
                f"The {topic} {rng.choice(_ACTIONS)} {circumstance}, because its {noun} is {rng.choice(_ADJECTIVES)}."
            )
        case _:
            return f"Take {2 + rng.below(8)} minutes for the {topic}: then you see whether the {noun} is right."


def closing(rng: SeededRng) -> str:
    """A short last sentence."""
    return rng.choice(_CLOSINGS)


def suited(rng: SeededRng, name: str, topic: str = "") -> str | None:
    """A text that suits a property of this name; None where nobody knows what that would be.

    Args:
        rng: decides which.
        name: of the property.
        topic: what it is about, where it `tells` something.
    """
    last = last_word(name)
    if last in _TELLING:
        return _told(rng, _TELLING[last], topic)
    make = _maker_of(name)
    return None if make is None else make(rng, name)


def tells(name: str) -> bool:
    """Whether a property of this name holds sentences."""
    return last_word(name) in _TELLING


def _told(rng: SeededRng, tell: "Tell", topic: str) -> str:
    said = tell(rng, topic or f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}")
    return f"{said} {closing(rng)}" if tell is opinion and rng.below(2) else said


def _title(rng: SeededRng, _: str) -> str:
    return f"The {rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)} {rng.choice(_ACTIONS)}"


def _person(rng: SeededRng, _: str) -> str:
    return f"{rng.choice(_FIRST_NAMES)} {rng.choice(_LAST_NAMES)}"


def _point(rng: SeededRng, _: str) -> str:
    return f"its {rng.choice(_NOUNS)} {rng.choice(_ACTIONS)}"


def _company(rng: SeededRng, _: str) -> str:
    return f"{rng.choice(_LAST_NAMES)} {rng.choice(_COMPANIES)}"


def _email(rng: SeededRng, _: str) -> str:
    first, last = rng.choice(_FIRST_NAMES), rng.choice(_LAST_NAMES)
    return f"{first}.{last}@example.com".lower()


def _code(rng: SeededRng, name: str) -> str:
    return f"{name[:3].upper().strip('_')}-{1000 + rng.below(9000)}"


def _tag(rng: SeededRng, _: str) -> str:
    adjective = rng.choice(_ADJECTIVES)
    return adjective if rng.below(2) else f"{adjective} {rng.choice(_NOUNS)}"


def _date(rng: SeededRng, _: str) -> str:
    return f"20{18 + rng.below(8)}-{1 + rng.below(12):02d}-{1 + rng.below(28):02d}"


Tell = Callable[[SeededRng, str], str]
"""Says a sentence about a topic."""
_Make = Callable[[SeededRng, str], str]

_MAKERS: dict[str, _Make] = {
    **dict.fromkeys(("name", "author", "person", "customer", "reviewer", "user", "speaker", "contact"), _person),
    **dict.fromkeys(("title", "headline", "heading", "topic", "subject"), _title),
    **dict.fromkeys(("company", "organization", "organisation", "brand", "vendor", "employer"), _company),
    **dict.fromkeys(("id", "identifier", "sku", "code", "reference"), _code),
    **dict.fromkeys(("pro", "con", "point", "strength", "weakness", "benefit", "issue", "feature"), _point),
    **dict.fromkeys(("tag", "keyword", "label", "trait"), _tag),
    "email": _email,
    "date": _date,
    "first_name": lambda rng, _: rng.choice(_FIRST_NAMES),
    "last_name": lambda rng, _: rng.choice(_LAST_NAMES),
    "city": lambda rng, _: rng.choice(_PLACES)[0],
    "location": lambda rng, _: ", ".join(rng.choice(_PLACES)),
    "country": lambda rng, _: rng.choice(_PLACES)[1],
    "color": lambda rng, _: rng.choice(_COLOURS),
    "colour": lambda rng, _: rng.choice(_COLOURS),
    "currency": lambda rng, _: rng.choice(_CURRENCIES),
    "language": lambda rng, _: rng.choice(_LANGUAGES),
    "category": lambda rng, _: rng.choice(_CATEGORIES),
    "phone": lambda rng, _: f"+49 30 555 {1000 + rng.below(9000)}",
    "url": lambda rng, _: f"https://example.com/{rng.choice(_COLOURS)}/{rng.below(1000)}",
    "address": lambda rng, _: f"{1 + rng.below(200)} {rng.choice(_STREETS)}, {rng.choice(_PLACES)[0]}",
    "street": lambda rng, _: f"{1 + rng.below(200)} {rng.choice(_STREETS)}",
}
# fmt: off
_TELLING: dict[str, Tell] = {
    **dict.fromkeys((
        "argument", "biography", "body", "comment", "content", "critique", "description", "detail", "feedback",
        "justification", "message", "note", "opinion", "paragraph", "rationale", "reason", "reasoning", "review",
        "sentence", "statement", "story", "summary", "text", "thought",
    ), opinion),
    **dict.fromkeys((
        "advice", "answer", "explanation", "hint", "instruction", "reply", "response", "solution", "step",
    ), advice),
    **dict.fromkeys(("question", "problem", "query"), question),
}
# fmt: on
"""Name of a property that holds sentences to what says them."""


@lru_cache(maxsize=4096)
def _maker_of(name: str) -> _Make | None:
    whole = "_".join(words_of(name)[-2:])
    return _MAKERS.get(whole) or _MAKERS.get(last_word(name))


@lru_cache(maxsize=4096)
def last_word(name: str) -> str:
    """The last word of a property's name, which says most about it."""
    words = words_of(name)
    return words[-1] if words else ""


def words_of(name: str) -> list[str]:
    """The words of a property's name, in lower case and the singular."""
    apart = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return [_singular(word.lower()) for word in apart]


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
