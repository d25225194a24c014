"""What of a dataset would have another meaning now: its configuration, seed, rows of the seed dataset, and code."""

import json
from collections.abc import Iterator

from pydantic import JsonValue

from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store
from data_designer.errors import DatasetGenerationError
from data_designer.interface.metadata import Provenance
from data_designer.plan.model import Plan
from data_designer.plan.user_code import UserCode, changed_parts

_LONGEST_VALUE = 80
_NOT_DECLARED = (
    "the columns of the seed dataset, the provider that serves its models, or the module, name or decorator of a "
    "column's function"
)
"""What counts besides the text of a configuration."""
_MOST_PARTS = 5
"""Parts that are named for a column."""


def differences(store: Store, stored: Metadata, plan: Plan, provenance: Provenance) -> Iterator[str]:
    """A line for each difference.

    Args:
        store: the dataset.
        stored: its metadata.
        plan: the plan of now.
        provenance: what the plan was made from.

    Raises:
        DatasetGenerationError: the configuration beside the data is damaged.
    """
    current = plan.config.fingerprint()
    if stored.config_hash_version != current["config_hash_version"]:
        yield f"the dataset is of another version ({stored.config_hash_version})"
    elif stored.config_hash != current["config_hash"]:
        found = list(_changes(_declared_before(store, stored), _configuration(provenance.declared), ""))
        yield from found or [_NOT_DECLARED]
    if stored.seed != plan.seed:
        yield f"seed: {stored.seed} -> {plan.seed}"
    if stored.seed_data != provenance.seed_data:
        yield "the rows of the seed dataset"
    before, now = stored.preserve_dropped_columns, plan.run.preserve_dropped_columns
    if before != now:
        yield f"preserve_dropped_columns: {before} -> {now}"
    yield from code_differences(stored, plan)


def _declared_before(store: Store, stored: Metadata) -> JsonValue:
    """The configuration beside the data. Raises DatasetGenerationError where it is damaged."""
    try:
        return _configuration(store.declaration(stored.builder_config_sha256))
    except OSError:
        return {}
    except DamagedError as error:
        raise DatasetGenerationError(str(error)) from error


def _configuration(declared: bytes) -> JsonValue:
    configuration: JsonValue = json.loads(declared)["data_designer"]
    return configuration


def _changes(before: JsonValue, now: JsonValue, where: str) -> Iterator[str]:
    """Where two JSON values differ, named as a reader would."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _changes(before.get(key), now.get(key), f"{where}.{key}" if where else str(key))
        return
    old, new = _by_name(before), _by_name(now)
    if old is not None and new is not None:
        yield from _changes(old, new, where)
        if [*old] != [*new] and {*old} == {*new}:
            yield f"{where}: another order"
    elif before != now:
        yield f"{where}: {_short(before)} -> {_short(now)}"


def _by_name(items: JsonValue) -> dict[str, JsonValue] | None:
    """A list of things that have names, by these; None for anything else."""
    if not isinstance(items, list):
        return None
    named = [item for item in items if isinstance(item, dict) and ("name" in item or "alias" in item)]
    return {str(item.get("name", item.get("alias"))): item for item in named} if len(named) == len(items) else None


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


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
