"""Spans of requests: what they say, what they never say, and that there are none unless somebody wants them."""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.models.fakes import pool, request

from data_designer.errors import ModelRateLimitError
from data_designer.models.asking import ASKING, AskingCell
from data_designer.models.request_spans import Answer, RequestSpans, parent_span, request_spans, spans_are_wanted
from data_designer.plan.model import Pool
from data_designer.values import ChatResponse, Request, Usage

REPLY = ChatResponse("secret reply", finish_reason="stop", usage=Usage(requests=1, input_tokens=30, output_tokens=20))
POOL = pool("https://user:secret@host.example:8443/v1/secret", temperature=0.5)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Whatever is traced in this process, where a tracer provider is set."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # A process sets its provider once; tests are to have one each.
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return exporter


async def reply() -> Answer:
    """An answer."""
    return REPLY, None


async def refused() -> Answer:
    """A refusal whose words repeat the prompt."""
    raise ModelRateLimitError("HTTP 429: secret prompt", 1.0, 429)


def asked(asked: Pool = POOL, one: Request | None = None, answering: Callable[[], Any] = reply) -> None:
    """Ask once."""
    asyncio.run(RequestSpans(asked).around(0, one or request("secret prompt"), answering()))


def only(exported: InMemorySpanExporter) -> ReadableSpan:
    """The one span there is."""
    [span] = exported.get_finished_spans()
    return span


def test_a_request_has_a_span_by_the_conventions(exported: InMemorySpanExporter) -> None:
    """Which model was asked, where, how, and what it came to."""
    asked()
    span = only(exported)
    assert span.name == "chat org/x"
    assert span.kind == trace.SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "org/x",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.response.finish_reasons": ("stop",),
        "server.address": "host.example",
        "server.port": 8443,
        "data_designer.alias": "m",
    }
    assert span.status.status_code == trace.StatusCode.UNSET


def test_the_parameters_of_a_request_are_its_own(exported: InMemorySpanExporter) -> None:
    """They count before the alias's, and only those have an attribute that the conventions name."""
    asked(one=request(temperature=0.9, max_tokens=7, response_format={"type": "json_object"}))
    found = {name: value for name, value in (only(exported).attributes or {}).items() if "request" in name}
    assert found == {
        "gen_ai.request.model": "org/x", "gen_ai.request.temperature": 0.9, "gen_ai.request.max_tokens": 7,
    }  # fmt: skip


def test_a_request_that_failed_says_how(exported: InMemorySpanExporter) -> None:
    """By kind and status; the error is raised as it was."""
    with pytest.raises(ModelRateLimitError):
        asked(answering=refused)
    span = only(exported)
    assert span.status.status_code == trace.StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ModelRateLimitError"
    assert (span.attributes or {})["http.response.status_code"] == 429


@pytest.mark.parametrize("answering", [reply, refused])
def test_no_text_and_no_secret_is_in_a_span(exported: InMemorySpanExporter, answering: Callable[[], Any]) -> None:
    """Neither prompt nor reply, nor an endpoint's words, nor what stands in an address beside the host."""
    with suppress(ModelRateLimitError):
        asked(answering=answering)
    assert "secret" not in only(exported).to_json()


def test_a_request_that_is_given_up_ends_its_span(exported: InMemorySpanExporter) -> None:
    """The run ends meanwhile."""

    async def scenario() -> None:
        waiting = asyncio.create_task(RequestSpans(POOL).around(0, request(), asyncio.Event().wait()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(scenario())
    assert (only(exported).attributes or {})["error.type"] == "CancelledError"


def test_the_cell_that_asks_is_named(exported: InMemorySpanExporter) -> None:
    """Its column and its record."""
    token = ASKING.set(AskingCell("review", 17))
    try:
        asked()
    finally:
        ASKING.reset(token)
    attributes = only(exported).attributes or {}
    assert (attributes["data_designer.column"], attributes["data_designer.record_index"]) == ("review", 17)


def test_an_address_without_a_port_has_that_of_its_scheme(exported: InMemorySpanExporter) -> None:
    """Of several endpoints the one counts to which the request goes."""
    spans = RequestSpans(pool("http://one/v1", "https://two/v1"))
    asyncio.run(spans.around(1, request(), reply()))
    attributes = only(exported).attributes or {}
    assert (attributes["server.address"], attributes["server.port"]) == ("two", 443)


def test_spans_of_another_thread_are_children_of_the_one_that_is_open(exported: InMemorySpanExporter) -> None:
    """A run has a thread of its own."""
    with trace.get_tracer("mine").start_as_current_span("nightly") as mine:
        adopt = parent_span()

    def run() -> None:
        adopt()
        asked()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    child = next(span for span in exported.get_finished_spans() if span.name == "chat org/x")
    assert child.parent is not None
    assert child.parent.span_id == mine.get_span_context().span_id


def test_where_nobody_has_set_a_provider_there_are_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry being installed, or imported, means nothing."""
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    assert not spans_are_wanted()
    assert request_spans(POOL) is None
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    assert not spans_are_wanted()


def test_where_opentelemetry_is_not_imported_it_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the environment names a provider and the package is not there."""
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert not spans_are_wanted()
    assert "opentelemetry.trace" not in sys.modules
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)  # type: ignore[arg-type]
    assert not spans_are_wanted()
