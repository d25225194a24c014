"""The greeting before a run: what is asked, how often, and what its failures say."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiohttp import web
from tests.models.fakes import says, served

import data_designer.config as dd
from data_designer.errors import (
    ModelAPIConnectionError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelInternalServerError,
)
from data_designer.models import preflight as health
from data_designer.models.preflight import check_pools
from data_designer.plan.model import Pool

pytestmark = pytest.mark.usefixtures("sockets")

FINE = {"choices": [{"message": {"content": "Hi."}}]}
EMPTY = {"choices": [{"message": {"content": " "}}]}
Reply = tuple[int, dict[str, Any]]


def pool(alias: str, port: int, beside: Sequence[str] = (), **params: Any) -> Pool:
    """An alias at a port of this machine, and at addresses beside; its model is named like it."""
    inference = dd.ChatCompletionInferenceParams(**params)
    model = dd.ModelConfig(alias=alias, model=f"model-{alias}", provider="p", inference_parameters=inference)
    addresses = [f"http://127.0.0.1:{port}/v1", *beside]
    return Pool(alias, 4, model, dd.ModelProvider(name="p", endpoints=addresses))


class Greeted:
    """Models that answer greetings as told, and a clock that never waits."""

    def __init__(self, reply: Callable[[str, int], Reply | None]) -> None:
        self.reply = reply
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.slept: list[float] = []
        self.headers: dict[str, str] = {}

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("Authorization"))
        times = sum(seen["model"] == body["model"] for seen in self.bodies)
        reply = self.reply(body["model"], times)
        if reply is None:
            await asyncio.get_running_loop().create_future()
        status, content = reply or (500, {})
        return web.json_response(content, status=status, headers=self.headers)

    async def sleep(self, seconds: float) -> None:
        """Do not wait."""
        self.slept.append(seconds)

    def check(self, aliases: Sequence[str], deadline: float = 180.0, **params: Any) -> None:
        """Greet models of these aliases."""

        async def scenario() -> None:
            app = web.Application()
            app.router.add_post("/v1/chat/completions", self._handle)
            runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            try:
                pools = [(pool(alias, port, **params), f"key-{alias}") for alias in aliases]
                await check_pools(pools, deadline=deadline, sleep=self.sleep)
            finally:
                await runner.cleanup()

        asyncio.run(scenario())


def test_each_model_is_greeted_once_with_its_own_parameters_and_key() -> None:
    """One small request an alias, and nothing more where all is well."""
    greeted = Greeted(lambda _, __: (200, FINE))
    greeted.check(["a", "b"], temperature=0.5, extra_body={"top_k": 3})
    assert sorted(body["model"] for body in greeted.bodies) == ["model-a", "model-b"]
    assert sorted(map(str, greeted.keys)) == ["Bearer key-a", "Bearer key-b"]
    assert {key: value for key, value in greeted.bodies[0].items() if key != "model"} == {
        "messages": [{"role": "user", "content": "Hello!"}],
        "temperature": 0.5,
        "top_k": 3,
    }


def test_a_model_that_stumbles_is_asked_again() -> None:
    """What may pass is tried three times."""
    greeted = Greeted(lambda _, times: (200, FINE) if times == 3 else (503, {}))
    greeted.check(["a"])
    assert greeted.slept == [0.5, 1.0]


def test_a_server_that_is_loading_its_model_is_waited_for() -> None:
    """It says so itself, with a status that means the opposite elsewhere; it costs no try."""
    loading = {"error": {"message": "Loading model", "type": "unavailable_error"}}
    greeted = Greeted(lambda _, times: (200, FINE) if times > 10 else (503, loading))
    greeted.check(["a"])
    assert greeted.slept == [2.0] * 10


@pytest.mark.parametrize(("asked", "waited"), [("20", 20.0), ("0", 0.5), ("86400", 60.0)])
def test_a_server_that_asks_to_be_left_alone_is(asked: str, waited: float, caplog: pytest.LogCaptureFixture) -> None:
    """For a minute at most, and a long wait is said."""
    greeted = Greeted(lambda _, times: (200, FINE) if times == 2 else (429, {"error": "full"}))
    greeted.headers = {"Retry-After": asked}
    with caplog.at_level("INFO"):
        greeted.check(["a"])
    assert greeted.slept == [waited]
    assert ("waiting" in caplog.text) == (waited > 5)


def test_models_that_take_long_are_named_while_they_do(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the deadline, so that nobody wonders."""
    monkeypatch.setattr(health, "_QUIET", 0.01)
    with caplog.at_level("INFO"), pytest.raises(TimeoutError):
        Greeted(lambda model, _: (200, FINE) if model == "model-quick" else None).check(["slow", "quick"], deadline=0.2)
    assert "waiting for 'slow'" in caplog.text


def test_one_endpoint_of_several_that_works_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    """The other is named and may come back later."""
    greeted = Greeted(lambda _, __: (200, FINE))
    with caplog.at_level("WARNING"):
        greeted.check(["a"], beside=["http://127.0.0.1:9/v1"])
    assert len(greeted.bodies) == 1
    assert (
        "one of 2 endpoints is left out until it works: model 'model-a' (alias 'a') at http://127.0.0.1:9"
        in caplog.text
    )


def test_a_model_that_stays_down_stops_the_run() -> None:
    """After three tries the endpoint's words are raised."""
    greeted = Greeted(lambda _, __: (500, {"error": {"message": "no GPU"}}))
    with pytest.raises(ModelInternalServerError, match="no GPU"):
        greeted.check(["a"])
    assert len(greeted.bodies) == 3


def test_a_refusal_for_good_is_raised_at_once_and_names_the_alias_and_the_cure() -> None:
    """A wrong key is not tried again; every alias that fails is named, in the order given."""
    greeted = Greeted(lambda model, _: (200, FINE) if model == "model-good" else (401, {"message": "wrong key"}))
    with pytest.raises(ModelAuthenticationError) as caught:
        greeted.check(["good", "bad", "worse"])
    assert len(greeted.bodies) == 3
    assert all(words in str(caught.value) for words in ("alias 'bad'", "wrong key", "check the provider's api_key"))
    heads = [line.partition(" at ")[0] for line in str(caught.value).splitlines()]
    assert heads == [
        "2 models do not answer:",
        "  - model 'model-bad' (alias 'bad')",
        "  - model 'model-worse' (alias 'worse')",
    ]
    assert "key-bad" not in str(caught.value)


def test_an_empty_answer_is_no_sign_of_life() -> None:
    """A greeting that is answered with nothing three times is an error."""
    greeted = Greeted(lambda _, __: (200, EMPTY))
    with pytest.raises(ModelAPIError, match="alias 'a'.*answered a greeting with nothing"):
        greeted.check(["a"])
    assert len(greeted.bodies) == 3


def test_a_model_that_says_nothing_once_is_asked_again() -> None:
    """Models fail now and then, and a run bears that later on as well."""
    greeted = Greeted(lambda _, times: (200, EMPTY if times == 1 else FINE))
    greeted.check(["a"])
    assert len(greeted.bodies) == 2


def test_a_model_that_only_thought_so_far_is_alive() -> None:
    """A reasoning model whose tokens ran out before its answer counts as answering."""
    Greeted(lambda _, __: (200, {"choices": [{"message": {"content": None, "reasoning": "Hm."}}]})).check(["a"])


def test_models_that_stay_silent_are_named_at_the_deadline() -> None:
    """A hanging server does not hold the start of a run for ever."""
    with pytest.raises(TimeoutError, match="'slow', 'slower' within 0 s"):
        Greeted(lambda _, __: None).check(["slow", "slower"], deadline=0.0)


def test_a_server_that_is_not_running_is_what_the_error_says() -> None:
    """A refused connection names the address and asks whether the server runs."""
    greeted = Greeted(lambda _, __: None)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ModelAPIConnectionError) as caught:
            asyncio.run(check_pools([(pool("a", port), None)], sleep=greeted.sleep))
    assert f"nothing answers at http://127.0.0.1:{port}" in str(caught.value)
    assert "is the server running" in str(caught.value)
    assert greeted.slept == [0.5, 1.0]


def test_nothing_to_check_is_fine() -> None:
    """A plan whose models all skip the check asks nobody."""
    asyncio.run(check_pools([]))


def test_no_password_of_an_address_is_named() -> None:
    """Nor where a greeting is answered with nothing."""
    greeted = Greeted(lambda _, __: None)

    async def scenario() -> None:
        async with served(says(EMPTY)) as server:
            where = server.url.replace("//", "//user:topsecret@")
            model = dd.ModelConfig(alias="a", model="m", provider="p")
            alias = Pool("a", 4, model, dd.ModelProvider(name="p", endpoint=where))
            await check_pools([(alias, None)], sleep=greeted.sleep)

    with pytest.raises(ModelAPIError, match="answered a greeting with nothing") as caught:
        asyncio.run(scenario())
    assert "topsecret" not in str(caught.value)
