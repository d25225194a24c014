"""What a process may still spend of a run's budget: reserved before a request is sent, settled when it is answered."""

from collections.abc import Callable
from dataclasses import dataclass

from data_designer.config.models import Price
from data_designer.values import ImageRequest, Request, Usage

_MILLION = 1_000_000
_FIRST_REPLY = 1000
"""Tokens that a reply may have, where neither the alias says nor any reply was seen."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of everything that a budget may limit."""

    usd: float = 0.0
    tokens: float = 0.0
    requests: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.usd + other.usd, self.tokens + other.tokens, self.requests + other.requests)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.usd - other.usd, self.tokens - other.tokens, self.requests - other.requests)

    def times(self, factor: float) -> "Amount":
        """Each part multiplied."""
        return Amount(self.usd * factor, self.tokens * factor, self.requests * factor)

    def or_more(self, other: "Amount") -> "Amount":
        """Each part, or the other's where that is larger."""
        return Amount(max(self.usd, other.usd), max(self.tokens, other.tokens), max(self.requests, other.requests))

    def covers(self, other: "Amount") -> bool:
        """Whether it is enough for another, in every part; the sums of many prices are not exact."""
        return self.usd >= other.usd - 1e-12 and self.tokens >= other.tokens and self.requests >= other.requests


NOTHING = Amount()


def cost(usage: Usage, price: Price | None) -> float:
    """What tokens and images cost, in USD."""
    if price is None:
        return 0.0
    cached_price = price.input if price.cached_input is None else price.cached_input
    fresh = usage.input_tokens - usage.cached_tokens
    total = fresh * price.input + usage.cached_tokens * cached_price + usage.output_tokens * price.output
    return total / _MILLION + usage.images * price.image


def amount_of(usage: Usage, price: Price | None) -> Amount:
    """What a usage takes out of a budget."""
    tokens = usage.input_tokens + usage.output_tokens
    return Amount(cost(usage, price), tokens, usage.requests + usage.failed_requests)


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What a budget lease tells whoever fills it."""

    spent: Amount
    """Since the last report."""
    returned: Amount
    """What was not spent and is not needed."""
    wanted: Amount | None
    """What would keep every slot busy for a while; None where there is enough."""
    least: Amount
    """What the next request needs, beyond what was returned; no less than that is of any use."""
    starved: bool
    """Whether a request waits for funds and none is in flight, so that nothing will be settled here."""
    busy: bool
    """Whether requests are in flight, which may come to less than was set aside for them, or will be."""
    funded: int = 0
    """How often something had been put in; who fills it sees by it whether something is still on the way."""


class Estimate:
    """How much a request may come to: an upper bound, learnt from the largest that were seen.

    Args:
        price: of the alias.
        max_tokens: the longest reply, where the alias says.
        images: how many a request for images asks for.
    """

    def __init__(self, price: Price | None, max_tokens: int | None, images: int = 1) -> None:
        self._price = price
        self._max_tokens = max_tokens
        self._largest_reply = 0
        self._most_images = images

    def of(self, request: Request) -> Amount:
        """The most that one attempt at a request may come to."""
        limit = request.longest_reply
        out = (self._max_tokens or self._largest_reply or _FIRST_REPLY) if limit is None else limit
        images = _images_of(request, self._most_images) if isinstance(request, ImageRequest) else 0
        usage = Usage(requests=1, input_tokens=request.most_tokens, output_tokens=out, images=images)
        return amount_of(usage, self._price)

    def settle(self, usage: Usage) -> Amount:
        """What a reply came to; remembers it."""
        self._largest_reply = max(self._largest_reply, usage.output_tokens)
        self._most_images = max(self._most_images, usage.images)
        return amount_of(usage, self._price)


def _images_of(request: ImageRequest, most: int) -> int:
    said = request.params.get("n")
    return max(said, most) if isinstance(said, int) else most


class BudgetLease:
    """The part of a budget that one process was given."""

    def __init__(self) -> None:
        self._funds = NOTHING
        self._spent = NOTHING
        self._in_flight = 0
        self._funded = 0
        self._lacking: Amount | None = None
        self.short: Callable[[], None] = _nobody
        """Is called when a request begins to wait for funds."""
        self.waiting = 0
        """Requests that are about to be sent."""

    def fund(self, amount: Amount) -> None:
        """Put something in. Whoever finds it too little asks again."""
        self._funds += amount
        self._funded += 1
        self._lacking = None

    def holds(self, amount: Amount) -> bool:
        """Whether there is enough; where there is not, it is asked for."""
        if self._funds.covers(amount):
            self._lacking = None
            return True
        if self._lacking is None:
            self._lacking = amount
            self.short()
        return False

    def forget(self) -> None:
        """Whoever waited for funds waits no more."""
        self._lacking = None

    def reserve(self, amount: Amount) -> None:
        """Set something aside for a request that is sent."""
        self._funds -= amount
        self._in_flight += 1

    def settle(self, reserved: Amount, spent: Amount) -> None:
        """A request has come to an end."""
        self._funds += reserved - spent
        self._spent += spent
        self._in_flight -= 1

    def report(self, slots: int) -> BudgetReport:
        """What was spent since the last report, and what is wanted. Gives back what nothing needs."""
        spent, self._spent = self._spent, NOTHING
        lacking = self._lacking
        idle = not self._in_flight
        returned, wanted, least = NOTHING, None, NOTHING
        if idle and (lacking is not None or not self.waiting):
            returned, self._funds = self._funds, NOTHING
        if lacking is not None:
            wanted, least = lacking.times(2 * max(slots, 1)), lacking if idle else lacking - self._funds
        # Who waits for something else than funds still has some, and will spend them.
        busy = not idle or (self.waiting > 0 and lacking is None)
        starved = lacking is not None and idle
        return BudgetReport(spent, returned, wanted, least, starved, busy, self._funded)


def _nobody() -> None:
    """Nobody is told."""
