"""Fusing steps into stages: what can run in one place without coming back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from data_designer.plan.model import LOCAL, Stage, Step


@dataclass(slots=True)
class _Draft:
    steps: list[Step]
    upstream: set[int] = field(default_factory=set)

    @property
    def is_root_group(self) -> bool:
        return self.steps[0].joint

    @property
    def makes(self) -> set[str]:
        return {name for step in self.steps for name in step.makes}


def fuse(steps: Sequence[Step]) -> tuple[Stage, ...]:
    """Stages for steps that are given in an order in which they can run.

    A step joins a stage that makes something it needs when it lives in the same pool (or is cheap)
    and needs nothing from outside that the stage does not already wait for, so that no step waits for an
    unrelated one. A model step joins only if nobody else is waiting for what is there already.
    """
    drafts: list[_Draft] = []
    made_in: dict[str, int] = {}
    for step in steps:
        upstream = {made_in[name] for name in step.needs}
        home = _home(step, upstream, drafts, steps)
        if home is None:
            home = len(drafts)
            drafts.append(_Draft([step], upstream))
        else:
            drafts[home].steps.append(step)
        made_in.update(dict.fromkeys(step.makes, home))
    depths: list[int] = []
    for draft in drafts:
        depths.append(1 + max((depths[up] for up in draft.upstream), default=-1))
    return tuple(
        Stage(number, tuple(draft.steps), tuple(sorted(draft.upstream)), depths[number])
        for number, draft in enumerate(drafts)
    )


def _home(step: Step, upstream: set[int], drafts: list[_Draft], steps: Sequence[Step]) -> int | None:
    if (step.joint or step.cheap) and not upstream:
        return 0 if drafts and drafts[0].is_root_group else None
    if step.scope == "batch" or not upstream:
        return None
    home = max(upstream)
    draft = drafts[home]
    if not upstream - {home} <= draft.upstream:
        return None
    if step.cheap:
        return home
    if draft.steps[0].scope == "batch" or step.pool != draft.steps[0].pool:
        return None
    if step.pool != LOCAL and _others_wait(step, draft, steps):
        return None
    return home


def _others_wait(step: Step, draft: _Draft, steps: Sequence[Step]) -> bool:
    """Whether a step that does not itself depend on this one is waiting for what the stage makes."""
    after = set(step.makes)
    for later in steps:
        if after.intersection(later.needs):
            after.update(later.makes)
    inside = {inner.name for inner in draft.steps} | {step.name}
    return any(
        other.name not in inside
        and not other.cheap
        and draft.makes.intersection(other.needs)
        and not after.intersection(other.needs)
        for other in steps
    )
