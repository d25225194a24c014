"""A span for each request, where the user's process has a tracer provider of OpenTelemetry.

Names and attributes are those of the semantic conventions for generative AI. No text of a prompt or a reply is in them,
nor what an endpoint says of an error, which may repeat either.
"""

import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from data_designer.config.version import get_library_version
from data_designer.errors import ModelError
from data_designer.models.asking import ASKING
from data_designer.models.parameter_sampling import fixed_params
from data_designer.plan.model import Pool
from data_designer.values import ChatRequest, ChatResponse, Request, Response

_PROVIDER_BY_NAME = "OTEL_PYTHON_TRACER_PROVIDER"
_PARAMS = ("temperature", "top_p", "max_tokens")
"""Request parameters that have an attribute."""

Answer = tuple[Response, float | None]
"""A reply, and for how long its endpoint wants to be left alone."""


def spans_are_wanted() -> bool:
    """Whether this process has a tracer provider; where nothing has imported OpenTelemetry it has none."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None and os.environ.get(_PROVIDER_BY_NAME):
        try:
            trace = importlib.import_module("opentelemetry.trace")
        except ImportError:
            return False
    if trace is None:
        return False
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def parent_span() -> Callable[[], object]:
    """What makes spans of the thread in which it is called children of the span that is open here."""
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        return _nothing
    here = context.get_current()
    return lambda: context.attach(here)


def _nothing() -> None:
    return


def request_spans(pool: Pool) -> "RequestSpans | None":
    """What makes the spans of a pool's requests; None where nobody wants any."""
    return RequestSpans(pool) if spans_are_wanted() else None


class RequestSpans:
    """Makes the spans of one pool's requests."""

    def __init__(self, pool: Pool) -> None:
        from opentelemetry import trace

        self._tracer = trace.get_tracer("data_designer", get_library_version())
        self._kind, self._failed = trace.SpanKind.CLIENT, trace.Status(trace.StatusCode.ERROR)
        self._servers = [_server(address) for address in pool.provider.addresses]
        self._model = pool.model_name
        fixed = fixed_params(pool)
        self._fixed: dict[str, Any] = {
            "gen_ai.provider.name": pool.provider.provider_type,
            "data_designer.alias": pool.alias,
            **({"gen_ai.request.model": self._model} if self._model else {}),
            **{f"gen_ai.request.{name}": fixed[name] for name in _PARAMS if name in fixed},
        }

    async def around(self, server: int, request: Request, answering: Awaitable[Answer]) -> Answer:
        """A span around one attempt at a request.

        Args:
            server: to which of the provider's addresses it goes.
            request: what is asked.
            answering: comes to the answer.
        """
        operation, attributes = self._begun(server, request)
        name = f"{operation} {self._model}".strip()
        span = self._tracer.start_span(name, kind=self._kind, attributes=attributes)
        try:
            answer = await answering
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            if isinstance(error, ModelError) and error.status is not None:
                span.set_attribute("http.response.status_code", error.status)
            span.set_status(self._failed)
            raise
        else:
            if span.is_recording():
                span.set_attributes(_of_reply(answer[0]))
            return answer
        finally:
            span.end()

    def _begun(self, server: int, request: Request) -> tuple[str, dict[str, Any]]:
        operation = "chat" if isinstance(request, ChatRequest) else "request"
        attributes = {"gen_ai.operation.name": operation, **self._fixed, **self._servers[server]}
        for name in _PARAMS:
            value = request.params.get(name) if isinstance(request, ChatRequest) else None
            if isinstance(value, int | float):
                attributes[f"gen_ai.request.{name}"] = value
        cell = ASKING.get()
        if cell is not None:
            attributes["data_designer.column"] = cell.column
            attributes["data_designer.record_index"] = cell.record
        return operation, attributes


def _server(address: str) -> dict[str, str | int]:
    """Where an address leads, without a path, in which some have a key."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return {}
    if host is None:
        return {}
    known = {"https": 443, "http": 80}.get(parts.scheme)
    number = port or known
    return {"server.address": host} if number is None else {"server.address": host, "server.port": number}


def _of_reply(response: Response) -> dict[str, Any]:
    usage = response.usage
    reason = response.finish_reason if isinstance(response, ChatResponse) else None
    counts = {"gen_ai.usage.input_tokens": usage.input_tokens, "gen_ai.usage.output_tokens": usage.output_tokens}
    return {**counts, **({"gen_ai.response.finish_reasons": [reason]} if reason else {})}
