"""Carries an exchange on with a model."""

from collections.abc import Awaitable, Callable

from data_designer.errors import DataDesignerRuntimeError, ModelError, Outage
from data_designer.values import Drop, Exchange, Outcome, Reason, Request, Response


async def drive(exchange: Exchange, ask: Callable[[Request], Awaitable[Response]]) -> Outcome:
    """Ask what an exchange asks until it comes to an outcome.

    A refusal that no retry can mend ends the exchange as a `Drop`.

    Raises:
        Outage: the endpoint has been failing for longer than the run is willing to wait.
    """
    try:
        request = next(exchange)
        while True:
            try:
                response = await ask(request)
            except Outage:
                raise
            except ModelError as error:
                return Drop(Reason(type(error).__name__, str(error)))
            request = exchange.send(response)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    finally:
        exchange.close()


def run_without_model(exchange: Exchange) -> Outcome:
    """Run an exchange that asks nothing.

    Raises:
        DataDesignerRuntimeError: it asks after all.
    """
    try:
        next(exchange)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    raise DataDesignerRuntimeError("a step that has no model asked one")
