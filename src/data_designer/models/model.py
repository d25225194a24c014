"""What the rest of the house knows of a model: it is asked, and answers or refuses."""

import random
from typing import Protocol

from data_designer.values import Request, Response

GREETING = Request([{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}])
"""What a chat model answers, if it answers anything; no system message, which some models do not take."""


class Model(Protocol):
    """Sends one request."""

    async def ask(self, request: Request, rng: random.Random) -> Response:
        """Get one reply.

        Args:
            request: what to ask.
            rng: draws the parameters that are distributions and that the request does not give.

        Raises:
            ModelError: the endpoint refused or failed, named by kind.
        """
        ...
