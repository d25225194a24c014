"""How an alias's slots are shared out among its replicas, never more than there are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

Incarnation = tuple[int, int]
"""(replica, epoch)"""

Told = list[tuple[Incarnation, int]]
"""How many slots to tell whom."""

_STEPS = 16
"""Who gives way does so in so many steps: slots that it gives back are of no use until all of a step are free."""


@dataclass(slots=True)
class _Share:
    """What one replica may use. It is told one thing at a time: nothing new before it has acknowledged."""

    pool: str
    told: int = 0
    acknowledged: int = 0
    lost: bool = False
    """It cannot be told anything, and may still use what it has."""
    leaving: bool = False
    """It gives back what it has and gets nothing any more."""

    @property
    def at_most(self) -> int:
        return max(self.told, self.acknowledged)

    @property
    def settled(self) -> bool:
        return self.told == self.acknowledged and not self.lost

    @property
    def stays(self) -> bool:
        return not self.lost and not self.leaving


class SlotAllocator:
    """Divides slots among live replicas: decreases first, acknowledged, then increases.

    The replicas of one model alias share its slots evenly. Where several aliases share a server that takes fewer
    requests than their slots together, each gets what it has work for, in proportion to its slots.

    Args:
        total: slots of all together.
        slots: alias to how many of them it may have.
        replicas: alias to how many replicas it starts with. The first to come up gets no more than its share, since
            it would take rows for all slots, and hold them when it has given most of its slots to the others.
    """

    def __init__(self, total: int, slots: Mapping[str, int], replicas: Mapping[str, int] | None = None) -> None:
        self.total = min(total, sum(slots.values()))
        self._slots = dict(slots)
        self._demand = dict.fromkeys(slots, 0)
        self._holders: frozenset[Incarnation] = frozenset()
        self._shares: dict[Incarnation, _Share] = {}
        self._awaited = {pool: (replicas or {}).get(pool, 0) for pool in slots}
        """Alias to how many of its replicas have not come up yet."""
        self._seen: set[int] = set()
        self._stand_ins: frozenset[int] = frozenset()
        """Numbers of those that have what is left by the others that have come up."""

    @property
    def granted(self) -> int:
        """Slots that replicas may be using at this moment. Never more than `total`."""
        return sum(share.at_most for share in self._shares.values())

    def granted_to(self, pool: str) -> int:
        """Those of one alias."""
        return sum(share.at_most for share in self._of(pool).values())

    def add(self, replica: Incarnation, pool: str) -> Told:
        """A replica came up with no slots. Returns (replica, slots) to tell."""
        self._shares[replica] = _Share(pool)
        if replica[0] not in self._seen:
            self._seen.add(replica[0])
            self._awaited[pool] = max(0, self._awaited[pool] - 1)
        return self._rebalance()

    def await_no_more(self) -> Told:
        """Whoever has not come up by now gets its share when it comes. Returns (replica, slots) to tell."""
        if not any(self._awaited.values()):
            return []
        self._awaited = dict.fromkeys(self._awaited, 0)
        return self._rebalance()

    def join(self, replicas: Mapping[str, int], stand_ins: frozenset[int]) -> Told:
        """Further replicas are about to come up, to which others give way. Returns (replica, slots) to tell.

        Args:
            replicas: alias to how many come up.
            stand_ins: numbers of those that keep what the others do not have, and nothing once all are there.
        """
        self._stand_ins |= stand_ins
        for pool in self._awaited:
            self._awaited[pool] += replicas.get(pool, 0)
        return self._rebalance()

    def is_replaced(self, replica: Incarnation) -> bool:
        """Whether a stand-in has given everything to others."""
        share = self._shares.get(replica)
        if share is None or replica[0] not in self._stand_ins or share.at_most or self._awaited[share.pool]:
            return False
        return any(other.stays and who[0] not in self._stand_ins for who, other in self._of(share.pool).items())

    def leave(self, replica: Incarnation) -> Told:
        """A replica is to give its slots back, for the others. Returns (replica, slots) to tell."""
        if replica in self._shares:
            self._shares[replica].leaving = True
        return self._rebalance()

    def holds_none(self, replica: Incarnation) -> bool:
        """Whether a replica has no slots and is told of none."""
        share = self._shares.get(replica)
        return share is None or not share.at_most

    def lose(self, replica: Incarnation) -> Told:
        """A replica cannot be reached any more, and may still use its slots. Returns (replica, slots) to tell."""
        if replica in self._shares:
            self._shares[replica].lost = True
        return self._rebalance()

    def remove(self, replica: Incarnation) -> Told:
        """A replica is known to use its slots no more. Returns (replica, slots) to tell."""
        self._shares.pop(replica, None)
        return self._rebalance()

    def acknowledge(self, replica: Incarnation, slots: int) -> Told:
        """A replica runs with `slots` now. Returns (replica, slots) to tell."""
        share = self._shares.get(replica)
        if share is None:
            return []
        share.acknowledged = slots
        return self._rebalance()

    def want(self, demand: Mapping[str, int], holders: Collection[Incarnation]) -> Told:
        """Where the work is. Returns (replica, slots) to tell; none where slots are not scarce.

        Args:
            demand: alias to how many of its rows are ready or out.
            holders: replicas that hold rows, which nobody else can finish.
        """
        if self.total == sum(self._slots.values()):
            return []
        self._demand, self._holders = dict(demand), frozenset(holders)
        return self._rebalance()

    def _rebalance(self) -> Told:
        told: Told = []
        targets = self._targets()
        for replica, share in self._shares.items():
            if share.settled and targets[replica] < share.told:
                share.told = targets[replica]
                told.append((replica, share.told))
        free = self.total - self.granted
        # Counted once, since there may be a thousand replicas.
        own = {pool: slots - self.granted_to(pool) for pool, slots in self._slots.items()}
        for replica, share in self._shares.items():
            if not share.settled:
                continue
            more = min(targets[replica] - share.told, free, own[share.pool])
            if more > 0:
                free -= more
                own[share.pool] -= more
                share.told += more
                told.append((replica, share.told))
        return told

    def _targets(self) -> dict[Incarnation, int]:
        targets = dict.fromkeys((replica for replica, share in self._shares.items() if share.leaving), 0)
        for pool, slots in self._allotted().items():
            staying = [who for who, share in self._of(pool).items() if share.stays and who[0] not in self._stand_ins]
            staying.sort(key=lambda replica: replica not in self._holders)
            each, rest = divmod(slots, max(1, len(staying) + self._awaited[pool]))
            # Who holds rows comes first, since they would wait for ever; then in order of arrival.
            targets.update({replica: each + (i < rest) for i, replica in enumerate(staying)})
            if self._stand_ins:
                targets.update(self._kept(pool, slots - sum(targets[replica] for replica in staying)))
        return targets

    def _kept(self, pool: str, slots: int) -> dict[Incarnation, int]:
        """What stand-ins have of the slots of an alias that nobody else has; they come down to it in steps."""
        stand_ins = [who for who, share in self._of(pool).items() if share.stays and who[0] in self._stand_ins]
        each, rest = divmod(slots, max(1, len(stand_ins)))
        step = max(1, self._slots[pool] // _STEPS)
        return {who: max(each + (i < rest), self._shares[who].told - step) for i, who in enumerate(stand_ins)}

    def _allotted(self) -> dict[str, int]:
        """Alias to how many slots its replicas that stay have together."""
        lost = [share for share in self._shares.values() if share.lost]
        free = self.total - sum(share.at_most for share in lost)
        most = {
            pool: max(0, slots - sum(share.at_most for share in lost if share.pool == pool))
            if any(share.stays for share in self._of(pool).values())
            else 0
            for pool, slots in self._holding_first()
        }
        # What has work comes first; what is left goes to those that may have some soon.
        first = _divided(free, {pool: min(most[pool], self._demand[pool]) for pool in most}, self._slots)
        rest = _divided(free - sum(first.values()), {pool: most[pool] - first[pool] for pool in most}, self._slots)
        return {pool: first[pool] + rest[pool] for pool in most}

    def _holding_first(self) -> list[tuple[str, int]]:
        """Aliases with their slots; those first whose rows are out, which may need a further slot to end."""
        holding = {share.pool for who, share in self._shares.items() if who in self._holders} if self._holders else ()
        return sorted(self._slots.items(), key=lambda item: item[0] not in holding)

    def _of(self, pool: str) -> dict[Incarnation, _Share]:
        return {replica: share for replica, share in self._shares.items() if share.pool == pool}


def _divided(free: int, wants: Mapping[str, int], weights: Mapping[str, int]) -> dict[str, int]:
    """Slots by weight, to nobody more than it wants, and one to everybody before anybody gets two."""
    given = {pool: int(place < free) for place, pool in enumerate(pool for pool in wants if wants[pool] > 0)}
    free -= sum(given.values())
    given = {pool: given.get(pool, 0) for pool in wants}
    while free > 0 and (hungry := [pool for pool in wants if given[pool] < wants[pool]]):
        weight, round_of = sum(weights[pool] for pool in hungry), free
        for pool in hungry:
            more = min(max(1, round_of * weights[pool] // weight), wants[pool] - given[pool], free)
            given[pool] += more
            free -= more
    return given
