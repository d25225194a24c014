"""Several cells in one request: embeddings of rows that wait at the same time are asked for together.

How cells come together depends on when they come, so nothing of a cell may: each has its own reply, which is kept
under its own key, and its own refusal.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate

from data_designer.config.models import EmbeddingInferenceParams
from data_designer.config.run_config import Budget
from data_designer.errors import (
    ModelBadRequestError,
    ModelContextWindowExceededError,
    ModelError,
    ModelRefusalError,
    ModelUnprocessableEntityError,
    Outage,
)
from data_designer.models.admission.slots import Slots
from data_designer.models.retry import Asked, Caller, Keep
from data_designer.plan.model import Pool
from data_designer.values import EmbeddingRequest, EmbeddingResponse, Request, Response, Usage

logger = logging.getLogger(__name__)

LINGER = 0.01
"""Seconds in which further cells may join those that do not fill a request."""
_LOOK = 0.05
"""Seconds between looks whether there is room for what waits: slots come and go."""
_MOST_TOKENS = 256 * 1024
"""Of a request, no text having more of them than bytes: endpoints take 300,000 and more."""
_A_REQUEST_OF_A_BUDGET = 0.01
"""The part of a budget that a request may come to, so that little of it is left when the next one does not fit."""
_A_REQUEST_OF_A_MINUTE = 0.1
"""The same of the tokens of a minute."""
_MILLION = 1_000_000
_OF_A_TEXT = (
    ModelBadRequestError,
    ModelContextWindowExceededError,
    ModelRefusalError,
    ModelUnprocessableEntityError,
)
"""Refusals for which one text may be to blame, or their number."""

KeepTogether = Callable[[Sequence[tuple[Keep, Response]]], Awaitable[None]]
"""Makes several replies safe."""


@dataclass(frozen=True, slots=True)
class RequestSize:
    """How much goes into one request. A cell that alone is more has one of its own."""

    texts: int
    tokens: float = _MOST_TOKENS


def request_size(pool: Pool, budget: Budget | None = None) -> RequestSize:
    """What goes into a request of a pool, given what the run may spend."""
    bounds: list[float] = [_MOST_TOKENS]
    if (a_minute := pool.params.tokens_per_minute) is not None:
        bounds.append(a_minute * _A_REQUEST_OF_A_MINUTE)
    if budget is not None and budget.tokens is not None:
        bounds.append(budget.tokens * _A_REQUEST_OF_A_BUDGET)
    if budget is not None and budget.usd is not None and pool.price is not None and pool.price.input:
        bounds.append(budget.usd * _A_REQUEST_OF_A_BUDGET / pool.price.input * _MILLION)
    return RequestSize(pool.cells_a_request, min(bounds))


@dataclass(slots=True, eq=False)
class _Cell:
    """What one cell asks, and who waits for the reply."""

    request: EmbeddingRequest
    keep: Keep | None
    reply: asyncio.Future[Response]
    tokens: int
    column: str = ""
    """For which it is asked; a request that several share counts with the first one's."""
    in_flight: Callable[[bool], None] | None = None
    """Is told when it is sent, and when it is in flight no more."""
    group: "_Group | None" = None
    """With which it was sent."""

    @property
    def is_lone(self) -> bool:
        """Whether it is better asked alone: many endpoints refuse a text that is empty."""
        return not all(self.request.texts)

    def answer(self, response: Response) -> None:
        """Tell who waits."""
        if not self.reply.done():
            self.reply.set_result(response)

    def fail(self, error: BaseException) -> None:
        """Tell who waits."""
        if not self.reply.done():
            self.reply.set_exception(error)


@dataclass(slots=True, eq=False)
class _Group:
    """Cells that were sent together."""

    cells: list[_Cell]
    task: "asyncio.Task[None] | None" = None

    def left(self) -> None:
        """One of those who wait does so no more; for nobody, nothing is asked."""
        if self.task is not None and all(cell.reply.done() for cell in self.cells):
            self.task.cancel()


@dataclass(slots=True)
class _Queue:
    """Cells that can be asked for together, in the order in which they came."""

    since: float
    """When the first of them came."""
    cells: deque[_Cell] = field(default_factory=deque)
    texts: int = 0
    tokens: int = 0

    def put(self, cell: _Cell) -> None:
        """Add a cell."""
        self.cells.append(cell)
        self.texts += len(cell.request.texts)
        self.tokens += cell.tokens

    def holds(self, size: RequestSize) -> bool:
        """Whether there is enough for a request."""
        return self.texts >= size.texts or self.tokens >= size.tokens

    def take(self, size: RequestSize) -> list[_Cell]:
        """The cells of the next request; nobody waits any more for those that are left out."""
        taken: list[_Cell] = []
        texts = tokens = 0
        while self.cells:
            cell = self.cells[0]
            texts, tokens = texts + len(cell.request.texts), tokens + cell.tokens
            if taken and (texts > size.texts or tokens > size.tokens or cell.is_lone or taken[-1].is_lone):
                break
            self.cells.popleft()
            self.texts -= len(cell.request.texts)
            self.tokens -= cell.tokens
            if cell.reply.done():
                texts, tokens = texts - len(cell.request.texts), tokens - cell.tokens
            else:
                taken.append(cell)
        return taken


class Batching:
    """Asks as its caller does, with as many cells in a request as wait when there is room for one.

    A request that is refused for what may be one cell's fault is asked again in halves, until it is known whose.

    Args:
        caller: asks.
        slots: of which a request takes one, however many cells it holds.
        size: of a request.
        subject: names the model in messages.
        keep: keeps the replies to cells that came together.
    """

    def __init__(
        self,
        caller: Caller,
        slots: Slots,
        size: RequestSize,
        subject: str,
        keep: KeepTogether,
    ) -> None:
        self._caller = caller
        self._slots = slots
        self._size = size
        self._subject = subject
        self._keep = keep
        self._clock = asyncio.get_running_loop().time
        self._queues: dict[str, _Queue] = {}
        """By the fields of their requests; the first is next."""
        self._tasks: set[asyncio.Task[None]] = set()
        """Requests that were formed and have not come to their end."""
        self._aside = 0
        """Those of them that seem to wait for something else than a slot."""
        self._timer: asyncio.TimerHandle | None = None

    async def ask(
        self,
        request: Request,
        keep: Keep | None = None,
        column: str = "",
        told: Asked | None = None,
        *,
        in_flight: Callable[[bool], None] | None = None,
    ) -> Response:
        """Get a reply: as the caller's `ask`, which raises the same. One that goes with others counts as sent."""
        if not isinstance(request, EmbeddingRequest):
            return await self._caller.ask(request, keep, column, told, in_flight=in_flight)
        reply = asyncio.get_running_loop().create_future()
        cell = _Cell(request, keep, reply, request.most_tokens, column, in_flight)
        fields = repr(sorted(request.params.items())) if request.params else ""
        queue = self._queues.get(fields)
        if queue is None:
            queue = self._queues[fields] = _Queue(self._clock())
        queue.put(cell)
        if self._timer is None or (queue.holds(self._size) and self._has_room()):
            self._look()
        try:
            return await cell.reply
        except asyncio.CancelledError:
            if cell.group is not None:
                cell.group.left()
            raise

    def remember(self, request: Request) -> None:
        """A request was answered in an earlier run."""
        self._caller.remember(request)

    async def close(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what is sent when -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Send what there is room for, and look again where something is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = _LOOK
        for fields in list(self._queues):
            queue = self._queues[fields]
            while queue.cells and self._has_room():
                early = queue.since + LINGER - self._clock()
                if early > 0 and not queue.holds(self._size):
                    wait = min(wait, early)
                    break
                self._send(queue.take(self._size))
            # Others come first the next time.
            del self._queues[fields]
            if queue.cells:
                self._queues[fields] = queue
        if self._queues:
            self._timer = asyncio.get_running_loop().call_later(wait, self._look_again)

    def _look_again(self) -> None:
        """By now, whoever could take a slot has it: those that have not wait to be tried again, and others may go."""
        is_free = self._slots.in_use < self._slots.limit <= len(self._tasks)
        self._aside = min(self._aside + 1, self._slots.limit) if is_free else 0
        self._look()

    def _has_room(self) -> bool:
        return len(self._tasks) < self._slots.limit + self._aside

    def _send(self, cells: list[_Cell]) -> None:
        if not cells:
            return
        group = _Group(cells)
        for cell in cells:
            cell.group = group
        _tell(cells, is_in_flight=True)  # What it asks is part of the request now, whatever becomes of the cell.
        task = group.task = asyncio.create_task(self._run(cells))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._queues:
            self._look()

    # --- what becomes of it ------------------------------------------------------------------------------

    async def _run(self, cells: list[_Cell]) -> None:
        try:
            await self._asked(cells, Usage())
        except asyncio.CancelledError:
            for cell in cells:
                cell.reply.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            for cell in cells:
                cell.fail(error)

    async def _asked(self, cells: list[_Cell], before: Usage) -> bool:
        """Ask for some cells; where that is refused, for halves of them. Says whether they were answered together.

        Args:
            cells: the cells.
            before: what was spent on them in vain.
        """
        try:
            spent = await self._ask(cells, before)
        except ModelError as error:
            spent = before + spent_on(error)
            if isinstance(error, Outage) or len(cells) == 1 or not _may_be_of_one(error):
                _refuse(cells, error, spent)
                return False
        if spent is None:
            return True
        middle = len(cells) // 2
        first, second = cells[:middle], cells[middle:]
        if await self._asked(first, spent) & await self._asked(second, Usage()):
            self._learn(max(sum(len(cell.request.texts) for cell in half) for half in (first, second)))
        return False

    async def _ask(self, cells: list[_Cell], before: Usage) -> Usage | None:
        """Ask once, and hand out the reply; where it is not one for these texts, what was spent in vain."""
        texts = [text for cell in cells for text in cell.request.texts]
        parts: list[Response] = []

        async def keep(response: Response) -> None:
            parts.extend(_parts(response, cells, before))
            pairs = zip(cells, parts, strict=False)
            await self._keep([(cell.keep, part) for cell, part in pairs if cell.keep is not None])

        request = replace(cells[0].request, texts=texts)
        told = partial(_tell, cells) if any(cell.in_flight is not None for cell in cells) else None
        whole = await self._caller.ask(request, keep, cells[0].column, in_flight=told)
        if not parts:
            return before + whole.usage
        for cell, part in zip(cells, parts, strict=True):
            cell.answer(part)
        return None

    def _learn(self, texts: int) -> None:
        """So many were taken where more were refused, and no text is to blame."""
        if texts < self._size.texts:
            self._size = replace(self._size, texts=texts)
            logger.info(
                "%s refuses requests that it answers in halves: it gets %d texts a request from now on "
                "(texts_per_request of its inference parameters)",
                self._subject,
                texts,
            )


def _tell(cells: Sequence[_Cell], is_in_flight: bool) -> None:
    for cell in cells:
        if cell.in_flight is not None:
            cell.in_flight(is_in_flight)


def spent_on(error: ModelError) -> Usage:
    """What a request came to that was refused."""
    return Usage(*error.beside) + Usage(failed_requests=error.attempts)


def _may_be_of_one(error: ModelError) -> bool:
    """Whether one of several cells, or their number, may be why a request is refused.

    Others were answered meanwhile where one was given up that may be tried again.
    """
    return error.retryable or isinstance(error, _OF_A_TEXT)


def _refuse(cells: Sequence[_Cell], error: ModelError, spent: Usage) -> None:
    """Give each cell a refusal of its own; the first bears what was spent."""
    for place, cell in enumerate(cells):
        own = error.twin()
        own.attempts, own.beside = 0, (Usage() if place else spent).numbers
        cell.fail(own)


def _parts(response: Response, cells: Sequence[_Cell], before: Usage) -> list[Response]:
    """The reply of each cell; none where there is not a vector for each text.

    The cell of a request is told all that came back: what is wrong with it is for whoever asked to say.
    """
    if len(cells) == 1:
        return [replace(response, usage=before + response.usage)]
    counts = [len(cell.request.texts) for cell in cells]
    if not isinstance(response, EmbeddingResponse) or len(response.vectors) != sum(counts):
        return []
    ends = list(accumulate(counts, initial=0))
    usages = divided(before + response.usage, [cell.tokens for cell in cells])
    return [
        replace(response, vectors=response.vectors[start:end], usage=usage, pause=None)
        for start, end, usage in zip(ends, ends[1:], usages, strict=False)
    ]


def divided(usage: Usage, weights: Sequence[int]) -> list[Usage]:
    """What each of several cells has of a usage: tokens by weight, the request itself with the first."""
    ends = list(accumulate(weights, initial=0))
    whole = ends[-1] or 1

    def part(amount: int, place: int) -> int:
        return amount * ends[place + 1] // whole - amount * ends[place] // whole

    requests, failed, *tokens = usage.numbers
    return [
        Usage(requests * (not place), failed * (not place), *(part(amount, place) for amount in tokens))
        for place in range(len(weights))
    ]


def batches(pool: Pool) -> bool:
    """Whether a pool's requests may hold several cells."""
    return isinstance(pool.params, EmbeddingInferenceParams) and pool.cells_a_request > 1
