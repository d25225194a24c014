"""The wire form of services that are no models: JSON is posted, and JSON comes back."""

from typing import ClassVar

from data_designer.models.wire import Common, request_of
from data_designer.values import HttpRequest, HttpResponse, Request, Usage


class HttpWire:
    """Writes requests and reads replies as they are.

    Args:
        common: of which only further fields of the body are sent.
    """

    constrains_json: ClassVar[bool] = False
    longest_reply: ClassVar[int | None] = 0
    usage_field: ClassVar[str] = "usage"
    greeting: ClassVar[Request] = HttpRequest({})

    def __init__(self, common: Common) -> None:
        self._extra = dict(common.extra)

    @staticmethod
    def url(endpoint: str) -> str:
        """Where requests go."""
        return endpoint

    @staticmethod
    def headers(_: str | None) -> dict[str, str]:
        """None: there is no key."""
        return {}

    def body(self, request: Request) -> dict[str, object]:
        """The JSON that is posted."""
        return {**request_of(HttpRequest, request).body, **self._extra}

    @staticmethod
    def parse(data: object) -> HttpResponse:
        """Read a reply. What it has to be is for whoever asked to say."""
        return HttpResponse(data, usage=Usage(requests=1))
