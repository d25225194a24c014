"""What a reader wants to know first: how many records, of what, how long it took and what it cost."""

from collections.abc import Iterator
from dataclasses import dataclass

from data_designer.engine.protocol.spending import by_alias
from data_designer.interface.figures import count, moment, seconds, share, usd
from data_designer.interface.report.facts import Facts
from data_designer.interface.report.section import NOTHING, Section
from data_designer.interface.report.texts import named
from data_designer.values import Usage


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure."""

    label: str
    figure: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures, and further facts by name."""

    tiles: tuple[Tile, ...]
    facts: tuple[tuple[str, str], ...]


def section(facts: Facts) -> Section:
    """The summary."""
    return Section("summary", "Summary", Summary(tuple(_tiles(facts)), tuple(_facts(facts))))


def _tiles(facts: Facts) -> Iterator[Tile]:
    totals, accounts = facts.totals, facts.accounts
    asked = facts.metadata.requested_num_records
    yield Tile("Records", count(totals.generated), f"of {count(asked)} asked for")
    done = totals.generated + totals.rejected
    yield Tile(
        "Rejected",
        count(totals.rejected),
        f"{share(totals.rejected, done)} of those made" if totals.rejected else "none",
    )
    if accounts is None:
        yield Tile("Time", NOTHING, facts.not_recorded)
    else:
        made = sum(one.records for one in accounts.timeline)
        rate = f"{count(60 * made / accounts.seconds)} records a minute" if made and accounts.seconds else ""
        yield Tile("Time", seconds(accounts.seconds), rate)
    yield _cost(facts)
    usage = Usage.total([one.usage for one in totals.spent.values()])
    if totals.spent or facts.asks_models:
        failed = f"{count(usage.failed_requests)} failed" if usage.failed_requests else "none failed"
        yield Tile("Requests", count(usage.requests + usage.failed_requests), failed)
        tokens = f"{count(usage.input_tokens)} in, {count(usage.output_tokens)} out"
        yield Tile("Tokens", count(usage.input_tokens + usage.output_tokens), tokens)


def _cost(facts: Facts) -> Tile:
    spent = facts.totals.spent
    if not spent:
        return Tile("Cost", "$0", "no batch is complete yet" if facts.asks_models else "no model is asked")
    if len(facts.unpriced) == len(by_alias(spent)):
        return Tile("Cost", NOTHING, "no prices were given")
    total = sum(one.usd for one in spent.values())
    each = f"{usd(total / facts.totals.generated)} a record" if facts.totals.generated else ""
    return Tile("Cost", usd(total), f"without that of {named(facts.unpriced)}" if facts.unpriced else each)


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    metadata, accounts = facts.metadata, facts.accounts
    yield "State", facts.state.sentence
    yield "Started", moment(accounts.began) if accounts is not None and accounts.began else facts.not_recorded
    used = by_alias(facts.totals.spent) or {one["alias"]: Usage() for one in facts.models}
    yield "Models", named([f"{one['alias']} ({_model(one)})" for one in facts.models if one["alias"] in used]) or "none"
    if metadata.simulated:
        yield "Simulated", "the simulated model stood in for every model"
    extra = metadata.target_num_records - metadata.requested_num_records
    if extra > 0:
        yield "Refilled", f"{count(extra)} further records were drawn for rejected ones"
    firsts = [(one.cells, one.first_pass) for one in facts.totals.spent.values() if one.first_pass is not None]
    if firsts:
        cells, first = (sum(numbers) for numbers in zip(*firsts, strict=True))
        yield "First pass", f"{share(first, cells)} of the cells took the first reply"
    yield "Columns", count(len(facts.columns))
    batches = metadata.geometry.num_batches
    yield (
        "Batches",
        f"{count(facts.totals.complete)} of {count(batches)}, of {count(metadata.buffer_size)} records each",
    )
    yield "Seed", str(metadata.seed)
    if accounts is not None:
        where = {"ray": "on Ray", "inline": "in one process"}.get(accounts.executor, accounts.executor)
        runs = "one run" if accounts.run <= 1 else f"{accounts.run} runs"
        yield "Made", f"by {runs}{', ' if where else ''}{where}"


def _model(declared: dict[str, object]) -> str:
    provider = declared.get("provider")
    return f"{declared.get('model')} at {provider}" if provider else str(declared.get("model"))
