"""Requests of functions that go to a replica of another alias than the one they run in."""

from dataclasses import dataclass
from typing import Protocol

from data_designer.errors import ModelError
from data_designer.values import Request, Response

AGAIN_SECONDS = 0.05
"""Between looks for a replica that has slots, where none has."""


@dataclass(frozen=True, slots=True)
class PeerRequest:
    """A request, and under what its reply is kept."""

    key: tuple[str, int, int]
    """As the journal's: fingerprint of the column with the alias, record index, ordinal."""
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

    async def ask(self, alias: str, asked: PeerRequest) -> PeerReply:
        """Have a replica of an alias ask; waits until one has taken it to its end."""
        ...


class NoPeers:
    """Where no function asks several aliases."""

    async def ask(self, alias: str, asked: PeerRequest) -> PeerReply:
        """Raises LookupError."""
        raise LookupError(f"no replica of '{alias}' is known here to ask for record {asked.key[1]}")
