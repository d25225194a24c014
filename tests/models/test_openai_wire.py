"""What the chat client posts, and how it names what comes back."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import data_designer.config as dd
from data_designer import errors
from data_designer.models.client import ModelClient
from data_designer.plan.model import Pool
from data_designer.values import ChatRequest, Response

pytestmark = pytest.mark.usefixtures("sockets")

REQUEST = ChatRequest([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
GOOD = {"choices": [{"message": {"content": " fine "}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5}}


def pool(url: str, **params: Any) -> Pool:
    """One alias at an address."""
    model = dd.ModelConfig(
        alias="m", model="org/x", provider="p", inference_parameters=dd.ChatCompletionInferenceParams(**params)
    )
    extra = {"shared": "provider", "pb": 1}
    provider = dd.ModelProvider(name="p", endpoint=url, extra_body=extra, extra_headers={"X-Team": "t"})
    return Pool("m", 4, model, provider)


def ask(answer: Callable[[web.Request], Any], **params: Any) -> tuple[Response, list[dict[str, Any]], list[Any]]:
    """Ask a server once: the response, the bodies and the headers it saw."""
    bodies: list[dict[str, Any]] = []
    headers: list[Any] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        headers.append(request.headers)
        reply: web.StreamResponse = answer(request)
        return reply

    async def scenario() -> Response:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/"
        try:
            async with aiohttp.ClientSession() as session:
                return await ModelClient(pool(url, **params), "secret", session).ask(REQUEST)
        finally:
            await runner.cleanup()

    return asyncio.run(scenario()), bodies, headers


def test_the_body_and_headers_are_what_the_configuration_says() -> None:
    """Set parameters only, extra_body flattened with the provider's winning, the key as a bearer."""
    response, bodies, headers = ask(
        lambda _: web.json_response(GOOD), max_tokens=9, extra_body={"shared": "model", "mb": 2}
    )
    assert bodies[0] == {
        "model": "org/x",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "shared": "provider",
        "mb": 2,
        "pb": 1,
    }
    assert headers[0]["Authorization"] == "Bearer secret"
    assert headers[0]["X-Team"] == "t"
    assert (response.text, response.finish_reason, response.usage.input_tokens) == (" fine ", "stop", 5)


def test_distributions_are_drawn_before() -> None:
    """A temperature that is a distribution is the number that its request carries, and none of the alias's."""
    low_high = {"params": {"low": 0.2, "high": 0.9}}
    _, bodies, _ = ask(lambda _: web.json_response(GOOD), temperature=low_high)
    assert "temperature" not in bodies[0]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": {"message": "bad key secret"}}, errors.ModelAuthenticationError),
        (403, {}, errors.ModelPermissionDeniedError),
        (404, {"detail": "no such model"}, errors.ModelNotFoundError),
        (408, {}, errors.ModelTimeoutError),
        (409, {}, errors.ModelInternalServerError),
        (413, {}, errors.ModelContextWindowExceededError),
        (422, {"detail": [{"msg": "wrong"}]}, errors.ModelUnprocessableEntityError),
        (429, {}, errors.ModelRateLimitError),
        (400, {"error": {"message": "maximum context length is 8"}}, errors.ModelContextWindowExceededError),
        (400, {"error": {"message": "Unsupported parameter: top_p"}}, errors.ModelUnsupportedParamsError),
        (400, {"message": "no"}, errors.ModelBadRequestError),
        (429, {"error": {"message": "You exceeded your current quota"}}, errors.ModelQuotaExceededError),
        (500, {}, errors.ModelInternalServerError),
        (503, {}, errors.ModelInternalServerError),
        (418, {}, errors.ModelRequestRejectedError),
        (200, {"error": {"message": "oops"}}, errors.ModelInvalidReplyError),
        (200, {"choices": []}, errors.ModelInvalidReplyError),
    ],
)
def test_every_refusal_has_its_kind_and_says_who_refused(
    status: int, body: dict[str, Any], kind: type[errors.ModelError]
) -> None:
    """Each status is its own error; the text names alias and address, and never the key."""
    with pytest.raises(kind) as caught:
        ask(lambda _: web.json_response(body, status=status))
    assert type(caught.value) is kind
    assert "alias 'm'" in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_retry_after_is_read() -> None:
    """The seconds that a 429 asks for come with the error."""
    with pytest.raises(errors.ModelRateLimitError) as caught:
        ask(lambda _: web.json_response({}, status=429, headers={"Retry-After": "3"}))
    assert caught.value.retry_after == 3.0


def test_a_reply_that_is_no_json_and_a_connection_that_is_cut_are_named() -> None:
    """Half a page of HTML is an API error; a cut connection may pass."""
    with pytest.raises(errors.ModelAPIError, match="no JSON"):
        ask(lambda _: web.Response(text="<html>"))

    def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    with pytest.raises(errors.ModelAPIConnectionError):
        ask(cut)
