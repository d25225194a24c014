"""What of a dataset would have another meaning now: its configuration, seed, rows of the seed dataset, and code."""

import json
from collections.abc import Iterator

from pydantic import JsonValue

from data_designer.config.places import NOUNS
from data_designer.engine.dataset.metadata import Metadata
from data_designer.engine.dataset.sealed import DamagedError
from data_designer.engine.dataset.store import Store
from data_designer.errors import DatasetGenerationError
from data_designer.interface.metadata import Provenance
from data_designer.plan.model import Plan
from data_designer.plan.user_code import UserCode, changed_parts

_LONGEST_VALUE = 60
"""Characters of a value that are shown."""
_CONTEXT = 15
"""Characters that are shown before the first that differs."""
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
        found = list(_changes(_declared_before(store, stored), _configuration(provenance.declared)))
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


def _changes(before: JsonValue, now: JsonValue, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Where two JSON values differ, named as a reader would."""
    old, new = _by_name(before), _by_name(now)
    if old is not None and new is not None:
        yield from _changes_of_members(old, new, path)
    elif isinstance(before or {}, dict) and isinstance(now or {}, dict) and (before or now):
        old, new = _fields(before), _fields(now)
        for key in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(key), new.get(key), (*path, key))
    elif before != now:
        yield f"{_named(path)}: {change(before, now)}"


def _changes_of_members(old: dict[str, JsonValue], new: dict[str, JsonValue], path: tuple[str, ...]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{_named((*path, name))}: is gone"
        elif name not in old:
            yield f"{_named((*path, name))}: is new"
        else:
            yield from _changes(old[name], new[name], (*path, name))
    if [*old] != [*new] and {*old} == {*new}:
        yield f"{_named(path)}: another order"


def _fields(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _by_name(items: JsonValue) -> dict[str, JsonValue] | None:
    """A list of things that have names, by these; None for anything else."""
    if not isinstance(items, list):
        return None
    named = [item for item in items if isinstance(item, dict) and ("name" in item or "alias" in item)]
    return {str(item.get("name", item.get("alias"))): item for item in named} if len(named) == len(items) else None


def _named(path: tuple[str, ...]) -> str:
    """A path as a reader would say it: the column, and the field of it."""
    noun = NOUNS.get(path[0]) if len(path) > 1 else None
    if noun is None:
        return ".".join(path)
    field = ".".join(path[2:])
    return f"{noun} '{path[1]}', {field}" if field else f"{noun} '{path[1]}'"


def change(before: JsonValue, now: JsonValue) -> str:
    """What a value was and what it is; of long ones the part that differs."""
    texts = _text(before), _text(now)
    if max(map(len, texts)) > _LONGEST_VALUE:
        if isinstance(before, list) and isinstance(now, list):
            return _members_changed(before, now)
        texts = _around_difference(*texts)
    return f"{texts[0]} -> {texts[1]}"


def _text(value: JsonValue) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _members_changed(before: list[JsonValue], now: list[JsonValue]) -> str:
    old, new = [_text(one) for one in before], [_text(one) for one in now]
    parts = {"gone": [one for one in old if one not in set(new)], "new": [one for one in new if one not in set(old)]}
    said = [f"{len(some)} {what} ({_beginning(', '.join(some))})" for what, some in parts.items() if some]
    return "; ".join(said) or "another order"


def _around_difference(before: str, now: str) -> tuple[str, str]:
    """Both texts from a little before the first character that differs."""
    same = next((at for at, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1]), -1)
    start = min(len(before), len(now)) if same < 0 else same
    start = max(0, start - _CONTEXT)
    lead = "…" if start else ""
    return f"{lead}{_beginning(before[start:])}", f"{lead}{_beginning(now[start:])}"


def _beginning(text: str) -> str:
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
