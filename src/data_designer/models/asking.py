"""Which cell asks, for those who watch requests on their way to a model."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from data_designer.models.model import Model
from data_designer.values import Request, Response


@dataclass(slots=True)
class AskingCell:
    """A cell that is being computed."""

    column: str
    record: int
    """Record index."""
    sent_at: float | None = None
    """When its first request was sent; None while none was."""


ASKING: ContextVar[AskingCell | None] = ContextVar("data_designer_asking_cell", default=None)
"""The cell for which the running code asks; None where nobody watches, or it asks for no cell."""


class WatchedModel:
    """A model that notes when a cell first asked it, which is when the cell took its slot."""

    def __init__(self, model: Model, clock: Callable[[], float]) -> None:
        self._model = model
        self._clock = clock

    async def ask(self, request: Request) -> Response:
        """Get one reply. Raises ModelError where the endpoint refused or failed, named by kind."""
        cell = ASKING.get()
        if cell is not None and cell.sent_at is None:
            cell.sent_at = self._clock()
        return await self._model.ask(request)
