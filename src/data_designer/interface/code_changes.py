"""What differs between the code that a dataset was made with and that of now."""

from collections.abc import Iterator

from data_designer.engine.dataset.metadata import Metadata
from data_designer.plan.model import Plan
from data_designer.plan.user_code import UserCode, changed_parts

_MOST_PARTS = 5
"""Parts that are named for a column."""


def code_differences(metadata: Metadata, plan: Plan, *, shared: bool = False) -> Iterator[str]:
    """Columns whose functions do something else than those that a dataset was made with, a line each.

    Args:
        metadata: those of the dataset.
        plan: the plan of now.
        shared: leave out columns that only one of the two has.
    """
    before = metadata.functions
    for column in sorted(before.keys() & plan.code.keys() if shared else before.keys() | plan.code.keys()):
        now = plan.code.get(column, UserCode())
        what = _difference(before.get(column, UserCode(packages=now.packages)), now)
        if what:
            yield f"the code of the function of column '{column}': {what}"


def _difference(before: UserCode | str, now: UserCode) -> str:
    if isinstance(before, str):
        return (
            "an earlier version of this package made the dataset and kept less of it than is compared now; finish it "
            "with that version, or make another one"
        )
    python = before.packages.get("python"), now.packages.get("python")
    if now.parts and python[0] != python[1]:
        return f"compiled by Python {python[0]} then and by {python[1]} now, which cannot be compared"
    changed = changed_parts(before.parts, now.parts)
    more = f" and {len(changed) - _MOST_PARTS} more" if len(changed) > _MOST_PARTS else ""
    return f"{', '.join(changed[:_MOST_PARTS])}{more}"


def other_packages(metadata: Metadata, plan: Plan) -> list[str]:
    """Packages that functions use in another version than a dataset was made with: that counts as no difference."""
    known = [one for one in metadata.functions.values() if isinstance(one, UserCode)]
    before = {name: found for one in known for name, found in one.packages.items()}
    now = {name: found for one in plan.code.values() for name, found in one.packages.items()}
    return [
        f"functions of columns use {name} {now[name]}, and {before[name]} before; their code counts as the same"
        for name in sorted(before.keys() & now.keys() - {"python"})
        if before[name] != now[name]
    ]
