"""What would make a run faster: what its accounts show, what to change, and what that gains in virtual time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from data_designer.engine.observe.bottlenecks import FINDERS
from data_designer.engine.observe.bottlenecks.evidence import Bottleneck, Change, Evidence, Finding, percent
from data_designer.engine.observe.forecast import Forecast, measured
from data_designer.engine.protocol.slot_time import Account, RunAccounts
from data_designer.engine.protocol.spending import Spending
from data_designer.plan.model import Plan

WORTH_SAYING = 0.1
"""Share of a run's time from which advice is given unasked."""
_OF_A_BOUND = 0.7
"""What is counted on of a gain of which only a bound is known."""
_OF_MORE = 0.6
"""The same where it takes more records, which may not be wanted."""
_WORTH_TRYING = 0.03
"""Share of the time that something must cost for its change to be simulated."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that holds a run up, and what to do about it."""

    bottleneck: Bottleneck
    subject: str
    """Alias or column, several joined by `, `; empty where it is all of the run."""
    seen: str
    """With figures."""
    changes: tuple[Change, ...] = ()
    gain: float = 0.0
    """Share of the run's time that the change saves, from 0 to 1."""
    at_most: bool = False
    """Whether `gain` is only a bound."""
    note: str = ""
    a_record: bool = False
    """Whether `gain` is of the time a record, since their number changes."""

    @property
    def is_worth_saying(self) -> bool:
        """Whether it is given unasked. That a short run has its start and end too, one knows."""
        return self.expected >= WORTH_SAYING and not self.a_record

    @property
    def expected(self) -> float:
        """Share of the time that it may be hoped to save."""
        return self.gain * (_OF_A_BOUND if self.at_most else 1.0) * (_OF_MORE if self.a_record else 1.0)

    @property
    def change(self) -> str:
        """What to change from what to what."""
        same = len({one.setting for one in self.changes}) == 1
        others = (str(one).removeprefix(f"{one.setting} ") if same else str(one) for one in self.changes[1:])
        return ", ".join([*map(str, self.changes[:1]), *others])

    @property
    def effect(self) -> str:
        """What that does to the time of the run."""
        if not self.changes:
            return ""
        if self.gain < 0.01:
            return "no gain in time"
        of = " a record" if self.a_record else ""
        return f"{'at most' if self.at_most else 'about'} −{100 * self.gain:.0f} %{of}"  # noqa: RUF001 - a minus

    def __str__(self) -> str:
        if not self.changes:
            return self.seen
        effect = f"{self.effect}, {self.note}" if self.note else self.effect
        return f"{self.seen}: {self.change}, {effect}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON data, the sentence included."""
        return {**asdict(self), "changes": [asdict(one) for one in self.changes], "text": str(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Advice":
        """From JSON data. Raises KeyError, TypeError or ValueError where it is none of this."""
        fields = {name: value for name, value in data.items() if name != "text"}
        changes = tuple(Change(**one) for one in fields["changes"])
        return cls(**{**fields, "bottleneck": Bottleneck(fields["bottleneck"]), "changes": changes})


def advise(
    plan: Plan,
    accounts: RunAccounts,
    spent: Mapping[str, Spending] | None = None,
    cores: int | None = None,
) -> list[Advice]:
    """What to change, the most effective first; never nothing: where all is well, that is said.

    A function of its arguments alone: what changes would do is simulated, in bounded time whatever the size of the run.

    Args:
        plan: what was run.
        accounts: of its runs.
        spent: column to what its cells cost, which tells how many took the first reply.
        cores: CPUs that the workers may use; None where that is not known.
    """
    if not accounts.seconds:
        return [Advice(Bottleneck.NOTHING, "", "nothing was measured yet")]
    evidence = Evidence(plan, accounts, measured(plan, accounts), spent or {}, cores)
    findings = [one for find in FINDERS for one in find(evidence)]
    tried = sum(map(_is_tried, findings))
    forecast = Forecast(evidence.usual, tried) if tried else None
    found = [_advice(one, forecast, accounts.seconds) for one in findings]
    ranked = sorted(_told_once(found), key=lambda one: -one.expected)
    return ranked if any(one.expected >= WORTH_SAYING for one in ranked) else [_all_is_well(evidence), *ranked]


def _is_tried(finding: Finding) -> bool:
    return finding.changed is not None and finding.most >= _WORTH_TRYING


def _advice(finding: Finding, forecast: Forecast | None, seconds: float) -> Advice:
    gain, at_most = finding.most, finding.at_most
    if forecast is not None and _is_tried(finding):
        gain = min(gain, max(finding.least, _saved(forecast, finding, seconds)))
    elif finding.changed is not None:
        at_most = True
    return Advice(
        finding.bottleneck,
        finding.subject,
        finding.seen,
        finding.changes,
        max(0.0, gain),
        at_most,
        finding.note,
        finding.a_record,
    )


def _saved(forecast: Forecast, finding: Finding, seconds: float) -> float:
    """Share of the run's time that a change saves."""
    assert finding.changed is not None
    usual, changed = forecast.seconds, forecast.of(finding.changed)
    # What virtual time does not know of takes as long as before.
    return (usual - changed) / max(seconds, usual)


def _told_once(found: Sequence[Advice]) -> list[Advice]:
    """Without what another change does nearly as well."""
    return _cheapest(_for_fewest_aliases(found))


def _cheapest(found: Sequence[Advice]) -> list[Advice]:
    """Without less work of a column, which is hard to have, where further workers do half as well."""
    workers = max((one.gain for one in found if one.bottleneck == Bottleneck.CPU and not one.at_most), default=0.0)
    return [
        one
        for one in found
        if one.bottleneck != Bottleneck.CPU or (2 * workers < one.gain if one.at_most else one.gain > 0.01)
    ]


def _for_fewest_aliases(found: Sequence[Advice]) -> list[Advice]:
    """Without those for several aliases where one of them alone does nearly as much, or the other way round."""
    slots = [one for one in found if one.bottleneck == Bottleneck.SLOTS]
    joint = [one for one in slots if len(one.changes) > 1]
    best = max((one.gain for one in slots if len(one.changes) == 1), default=0.0)
    if joint and joint[0].gain < 1.2 * best:
        return [one for one in found if one not in joint]
    return [one for one in found if not joint or one.bottleneck != Bottleneck.SLOTS or one in joint]


def _all_is_well(of: Evidence) -> Advice:
    alias, share = of.most(Account.ASKING)
    if not alias:
        return Advice(Bottleneck.NOTHING, "", "no change of a setting would make it much faster")
    seen = f"nothing holds it up: '{alias}' was asking {percent(share)} of the time; no setting saves much of it"
    return Advice(Bottleneck.NOTHING, alias, seen)
