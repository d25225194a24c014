"""What the rest of the house knows of a model: it is asked, and answers or refuses."""

from dataclasses import replace
from typing import Protocol

from data_designer.values import ChatRequest, Request, Response, UnmodelledRequest

GREETING = ChatRequest([{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}])
"""What a chat model answers, if it answers anything; no system message, which some models do not take."""


DEFAULT_TIMEOUT = 60.0
"""Seconds until a request is given up, where the alias does not say."""
TIMEOUT = "timeout"
"""Field of a request that says so for it alone. It is not sent."""


class Model(Protocol):
    """Sends one request."""

    async def ask(self, request: Request) -> Response:
        """Get one reply. Raises ModelError where the endpoint refused or failed, named by kind."""
        ...


def timed(request: Request) -> tuple[Request, float | None]:
    """A request as it is sent, and after how many seconds it alone is given up; None for as its alias says."""
    if isinstance(request, UnmodelledRequest) or TIMEOUT not in request.params:
        return request, None
    params = {name: value for name, value in request.params.items() if name != TIMEOUT}
    seconds = request.params[TIMEOUT]
    return replace(request, params=params), float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None
