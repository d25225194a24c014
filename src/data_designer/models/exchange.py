"""Carries an exchange on with a model."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from typing import TypeVar

from data_designer.errors import DataDesignerRuntimeError, MCPToolError, ModelError, Outage
from data_designer.values import Drop, Exchange, GroupExchange, Nulled, Outcome, Reason, Request, Response

Made = TypeVar("Made")

_LONG = 20_000
"""Characters of a reply that is read in a thread, so that nothing else waits for it."""


async def drive(exchange: Exchange, ask: Callable[[Request], Awaitable[Response]]) -> Outcome:
    """Ask what an exchange asks until it comes to an outcome.

    A refusal that no retry can mend ends the exchange as a `Drop`, and so does a call of a tool that fails.

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
            except (ModelError, MCPToolError) as error:
                return Drop(Reason(type(error).__name__, str(error)))
            if response.length > _LONG:
                step = await asyncio.to_thread(_step, exchange, response)
                if not isinstance(step, Request):
                    return step
                request = step
            else:
                request = exchange.send(response)
            del response  # It may be a file of megabytes, and nobody needs it while the next is waited for.
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    finally:
        with suppress(ValueError):  # It is still being read in its thread, which ends by itself.
            exchange.close()


async def drive_group(
    exchange: GroupExchange, ask: Callable[[Request], Awaitable[Response]]
) -> Sequence[Outcome | Nulled]:
    """Ask what the exchange of several rows asks until it comes to their outcomes.

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
                request = exchange.throw(error)
                continue
            if response.length > _LONG:
                outcomes = await asyncio.to_thread(_step, exchange, response)
                if not isinstance(outcomes, Request):
                    return outcomes
                request = outcomes
            else:
                request = exchange.send(response)
    except StopIteration as stop:
        made: Sequence[Outcome | Nulled] = stop.value
        return made
    finally:
        with suppress(ValueError):  # It is still being read in its thread, which ends by itself.
            exchange.close()


def _step(exchange: Generator[Request, Response, Made], response: Response) -> Request | Made:
    """What an exchange asks next, or comes to: a StopIteration does not leave a thread."""
    try:
        return exchange.send(response)
    except StopIteration as stop:
        made: Made = stop.value
        return made


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
