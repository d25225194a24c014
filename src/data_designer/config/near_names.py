"""What a name that nobody knows was meant to be."""

from collections.abc import Collection, Iterable
from pathlib import Path

_MOST_LISTED = 12


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like a given one; None where none is like it."""
    import difflib

    by_form = {_form(one): one for one in known}
    near = difflib.get_close_matches(_form(name), list(by_form), n=1)
    return by_form[near[0]] if near else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to add to a message that a name is not known: the name that was meant, else those that there are."""
    known = list(known)
    near = nearest(name, known)
    if near is not None:
        return f"; did you mean '{near}'?"
    return f"; there {'are' if len(known) > 1 else 'is'} {listed(known)}"


def no_column(name: str, known: Iterable[str]) -> str:
    """What is wrong with a reference to a column that is not there."""
    return f"refers to '{name}', which no column makes{suggestion(name, known)}"


def no_model(alias: str, known: Iterable[str]) -> str:
    """What is wrong with the alias of a model that is not there."""
    return f"model alias '{alias}' is not declared{suggestion(alias, known)}"


def listed(names: Iterable[str]) -> str:
    """Names in a line, the first of many only."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _MOST_LISTED} more" if len(ordered) > _MOST_LISTED else ""
    return f"{', '.join(ordered[:_MOST_LISTED])}{more}" if ordered else "none"


def _form(name: str) -> str:
    """A name without what is easily mistaken in it."""
    return name.lower().replace("-", "_").replace(" ", "_")


def near_file(path: Path, suffixes: Collection[str]) -> str:
    """What to add to a message that a file is not there: one beside it that was meant, if there is one."""
    beside = {one.stem: one for one in path.parent.glob("*") if one.suffix in suffixes}
    near = nearest(path.stem, beside)
    return "" if near is None else f"; did you mean '{beside[near]}'?"
