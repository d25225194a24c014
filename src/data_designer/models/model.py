"""What the rest of the house knows of a model: it is asked, and answers or refuses."""

from typing import Protocol

from data_designer.values import ChatRequest, Request, Response

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
