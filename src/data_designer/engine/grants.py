"""How an alias's slots are shared out among its replicas, never more than there are."""

from dataclasses import dataclass

Incarnation = tuple[int, int]
"""(replica, epoch)"""

Told = list[tuple[Incarnation, int]]
"""How many slots to tell whom."""


@dataclass(slots=True)
class _Share:
    """What one replica may use. It is told one thing at a time: nothing new before it has acknowledged."""

    told: int = 0
    acknowledged: int = 0
    lost: bool = False
    """It cannot be told anything, and may still use what it has."""

    @property
    def at_most(self) -> int:
        return max(self.told, self.acknowledged)

    @property
    def settled(self) -> bool:
        return self.told == self.acknowledged and not self.lost


class Grants:
    """Divides `total` slots evenly among live replicas: decreases first, acknowledged, then increases."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._shares: dict[Incarnation, _Share] = {}

    @property
    def granted(self) -> int:
        """Slots that replicas may be using at this moment. Never more than `total`."""
        return sum(share.at_most for share in self._shares.values())

    def add(self, replica: Incarnation) -> Told:
        """A replica came up with no slots. Returns (replica, slots) to tell."""
        self._shares[replica] = _Share()
        return self._rebalance()

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

    def _rebalance(self) -> Told:
        told: Told = []
        targets = self._targets()
        for replica, share in self._shares.items():
            if share.settled and targets[replica] < share.told:
                share.told = targets[replica]
                told.append((replica, share.told))
        free = self.total - self.granted
        for replica, share in self._shares.items():
            if not share.settled:
                continue
            more = min(targets[replica] - share.told, free)
            if more > 0:
                free -= more
                share.told += more
                told.append((replica, share.told))
        return told

    def _targets(self) -> dict[Incarnation, int]:
        within_reach = [replica for replica, share in self._shares.items() if not share.lost]
        if not within_reach:
            return {}
        free = self.total - sum(share.at_most for share in self._shares.values() if share.lost)
        each, rest = divmod(free, len(within_reach))
        # In order of arrival: where slots are fewer than replicas, a newcomer takes nobody's last slot, since the
        # rows that its holder already has would wait for ever.
        return {replica: each + (i < rest) for i, replica in enumerate(within_reach)}
