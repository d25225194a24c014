"""Requests of functions that go to a replica of another alias than the one they run in."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from data_designer.errors import ModelError
from data_designer.values import Request, Response

AGAIN_SECONDS = 0.05
"""Between looks for a replica that has slots, where none has."""


PeerKey = tuple[str, int, int]
"""As the journal's: fingerprint of the column with the alias, record index, ordinal."""


@dataclass(frozen=True, slots=True)
class PeerRequest:
    """A request, and under what its reply is kept."""

    key: PeerKey
    column: str
    """What it is accounted for under."""
    request: Request


@dataclass(frozen=True, slots=True)
class PeerReply:
    """What came of it: a reply, or why there is none."""

    response: Response | None = None
    error: ModelError | None = None


class Peers(Protocol):
    """Replicas of other aliases, as a replica sees them."""

    async def ask(self, alias: str, asked: PeerRequest, tries: int) -> PeerReply | None:
        """Have a replica of an alias ask, and wait until it has taken the request to its end; None where none has.

        Args:
            alias: the alias.
            asked: what is asked.
            tries: how often nobody took it to its end before.
        """
        ...

    async def withdraw(self, keys: Collection[PeerKey]) -> None:
        """Return once none of some requests is in flight or will be, and every reply can be read by others.

        A request that is in flight goes on until it is answered or fails.
        """
        ...


class NoPeers:
    """Where no function asks several aliases."""

    async def ask(self, alias: str, asked: PeerRequest, tries: int) -> PeerReply | None:
        """Raises LookupError."""
        raise LookupError(f"no replica of '{alias}' is known here to ask for record {asked.key[1]} (tries={tries})")

    async def withdraw(self, keys: Collection[PeerKey]) -> None:
        """Nothing is in flight."""
