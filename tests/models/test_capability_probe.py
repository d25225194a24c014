"""Finding out how an endpoint constrains its replies: every form, none, and endpoints that err."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from tests.models.fakes import Answer, pool, says, served

from data_designer.errors import ModelAPIConnectionError, ModelAuthenticationError, ModelStructuredOutputError
from data_designer.models.capability_probe import Known, find_forms
from data_designer.plan.constraints import FORMS
from data_designer.simulated_model.server import SimulatedModel, start_simulated

pytestmark = pytest.mark.usefixtures("sockets")

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
UNCONSTRAINED = {"choices": [{"message": {"content": "Hello!"}}]}


def found_at(model: SimulatedModel, want: str = "auto", name: str = "sim", known: Known | None = None) -> str | None:
    """The form that is found at a simulated model."""

    async def scenario() -> str | None:
        server = await start_simulated(model)
        try:
            alias = pool(server.url, model=name, structured_output=want)
            return (await find_forms([(alias, None)], {} if known is None else known))["m"]
        finally:
            await server.close()

    return asyncio.run(scenario())


class Probed:
    """A server that heeds one form of constraint, and errs as told before it answers."""

    def __init__(self, form: str | None, errs: Callable[[str, int], int | None] = lambda _, __: None) -> None:
        self.form = form
        self.errs = errs
        """Form and how often it was asked for so far, this time included, to a status; None where it answers."""
        self.forms: list[str] = []
        """The form of each request."""

    def answer(self, body: dict[str, Any]) -> web.Response:
        """Answer one request."""
        form = next(form for form in FORMS if form in body)
        self.forms.append(form)
        status = self.errs(form, self.forms.count(form))
        if status is not None:
            return web.json_response({"error": {"message": "no"}}, status=status)
        if form != self.form:
            return web.json_response(UNCONSTRAINED)
        sign = orjson.dumps({"sign": _sign(body)}).decode()
        return web.json_response({"choices": [{"message": {"content": sign}}]})

    def find(self, want: str = "auto", known: Known | None = None, key: str | None = None) -> str | None:
        """The form that is found there."""

        async def scenario() -> str | None:
            async with served(lambda _: self.answer(server.bodies[-1])) as server:
                alias = pool(server.url, structured_output=want)
                return (await find_forms([(alias, key)], {} if known is None else known))["m"]

        return asyncio.run(scenario())


def _sign(body: Any) -> str:
    """The one word that the schema in a request allows."""
    if isinstance(body, dict):
        if "enum" in body:
            return str(body["enum"][0])
        body = list(body.values())
    return next((sign for part in body if (sign := _sign(part))), "") if isinstance(body, list) else ""


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (SimulatedModel(native=1), "response_format"),
        (SimulatedModel(native=0, guided="structured_outputs"), "structured_outputs"),
        (SimulatedModel(native=0, guided="guided_json"), "guided_json"),
        (SimulatedModel(native=0, guided="nvext"), "nvext"),
        (SimulatedModel(native=1, guided="nvext"), "response_format"),
    ],
)
@pytest.mark.parametrize("want", ["auto", "native"])
def test_the_form_that_an_endpoint_heeds_is_found(model: SimulatedModel, form: str, want: str) -> None:
    """Each of them alone, and the most usual one where there are several."""
    assert found_at(model, want) == form


def test_where_no_form_works_the_prompt_has_to_do() -> None:
    """An endpoint that ignores what it does not know answers everything and constrains nothing."""
    assert found_at(SimulatedModel(native=0)) is None


def test_an_alias_that_insists_is_told_that_no_form_works() -> None:
    """The error names the alias, the forms that were tried and what to write instead."""
    with pytest.raises(ModelStructuredOutputError, match="alias 'm'.*constrains nothing.*nvext; use 'auto' or"):
        found_at(SimulatedModel(native=0), "native")


@pytest.mark.parametrize("form", [*FORMS])
def test_every_form_is_tried_in_turn_until_one_works(form: str) -> None:
    """Those before it are asked for twice, since their replies may have been a slip; none after it."""
    server = Probed(form)
    assert server.find() == form
    before = list(FORMS)[: list(FORMS).index(form)]
    assert server.forms == [one for one in before for _ in range(2)] + [form]


def test_a_form_that_is_refused_is_not_asked_for_again() -> None:
    """A 400 for a parameter that is not known is an answer; the next form is tried."""
    server = Probed("guided_json", lambda form, _: None if form == "guided_json" else 400)
    assert server.find() == "guided_json"
    assert server.forms == ["response_format", "structured_outputs", "guided_json"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_errs_now_and_then_is_understood_all_the_same(status: int) -> None:
    """The first request of each form fails: the second finds the form."""
    server = Probed("structured_outputs", lambda _, times: status if times == 1 else None)
    assert server.find() == "structured_outputs"
    assert server.forms == ["response_format"] * 2 + ["structured_outputs"] * 2


def test_an_endpoint_that_errs_and_constrains_nothing_is_remembered_as_such() -> None:
    """Whatever it answered tells enough: the errors in between are no reason to probe again."""
    known: Known = {}
    assert Probed(None, lambda _, times: 500 if times == 1 else None).find(known=known) is None
    assert list(known.values()) == [None]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"sign": "hello"}', '"constrained-7f3a"', '{"sign": "constrained-7f3a", "b": 1}', ""]
)
def test_only_what_the_schema_allows_is_a_sign_of_constraint(text: str) -> None:
    """JSON of another shape is what a model may say by itself."""
    reply = {"choices": [{"message": {"content": text}}]}
    assert _found(says(reply)) == ({"m": None}, 2 * len(FORMS))


def _found(answer: Answer, **fields: Any) -> tuple[dict[str, str | None], int]:
    """What is found at a server, and how often that was asked."""

    async def scenario() -> tuple[dict[str, str | None], int]:
        async with served(answer) as server:
            alias = pool(server.url, **{"structured_output": "auto", **fields})
            return await find_forms([(alias, None)], {}), len(server.bodies)

    return asyncio.run(scenario())


def test_what_was_found_is_remembered_for_address_and_model() -> None:
    """An endpoint is probed once, whatever came of it; another model at the same address is another matter."""

    async def scenario() -> None:
        server = Probed("guided_json")
        known: Known = {}
        probed: list[int] = []
        async with served(lambda _: server.answer(running.bodies[-1])) as running:
            for model in ("one", "one", "two"):
                alias = pool(running.url, model=model, structured_output="auto")
                assert await find_forms([(alias, None)], known) == {"m": "guided_json"}
                probed.append(len(running.bodies))
            assert probed == [5, 5, 10]
            assert known == {(running.url, "one"): "guided_json", (running.url, "two"): "guided_json"}
            server.form = None
            known.clear()
            assert await find_forms([(alias, None)], known) == {"m": None}
            assert await find_forms([(alias, None)], known) == {"m": None}
            assert len(running.bodies) == 10 + 2 * len(FORMS)

    asyncio.run(scenario())


def test_an_endpoint_that_never_answers_is_not_remembered() -> None:
    """Nothing is known of what it can do; another run probes it again, and an alias that insists gets its error."""
    known: Known = {}
    down = Probed("response_format", lambda _, __: 503)
    assert down.find(known=known) is None
    assert down.forms == [form for form in FORMS for _ in range(2)]
    assert known == {}
    with pytest.raises(ModelAuthenticationError, match="no key was sent: give the provider an api_key"):
        Probed(None, lambda _, __: 401).find("native")


def test_an_endpoint_that_is_not_there_is_an_error_only_where_it_matters() -> None:
    """With `auto` the prompt has to do, and the health check says what is wrong."""
    nowhere = pool("http://127.0.0.1:9/v1", structured_output="auto")
    assert asyncio.run(find_forms([(nowhere, None)], {})) == {"m": None}
    insisting = pool("http://127.0.0.1:9/v1", structured_output="native")
    with pytest.raises(ModelAPIConnectionError):
        asyncio.run(find_forms([(insisting, None)], {}))


def test_anthropic_s_api_has_no_form_and_is_not_asked() -> None:
    """It knows none of these, so no request is spent on it; to insist is an error."""
    provider = {"provider_type": "anthropic"}
    assert _found(says({}), provider=provider) == ({"m": None}, 0)
    with pytest.raises(ModelStructuredOutputError):
        _found(says({}), provider=provider, structured_output="native")


def test_each_alias_gets_the_form_of_its_own_endpoint() -> None:
    """Several are probed together, with their own keys."""

    async def scenario() -> None:
        one, other = Probed("nvext"), Probed("response_format")
        async with (
            served(lambda _: one.answer(first.bodies[-1])) as first,
            served(lambda _: other.answer(second.bodies[-1])) as second,
        ):
            pools = [(pool(server.url, alias=alias), f"key-{alias}") for server, alias in ((first, "a"), (second, "b"))]
            assert await find_forms(pools, {}) == {"a": "nvext", "b": "response_format"}
            assert {header["Authorization"] for header in first.headers} == {"Bearer key-a"}
            assert {header["Authorization"] for header in second.headers} == {"Bearer key-b"}

    asyncio.run(scenario())


def test_an_alias_with_short_replies_is_probed_with_room_for_the_sign() -> None:
    """What cuts the alias's own replies must not make the endpoint look as if it constrained nothing."""

    async def asked(**params: Any) -> Any:
        probed = Probed("response_format")
        async with served(lambda _: probed.answer(server.bodies[-1])) as server:
            await find_forms([(pool(server.url, structured_output="auto", **params), None)], {})
            return server.bodies[0].get("max_tokens")

    assert asyncio.run(asked(max_tokens=12)) == 256
    assert asyncio.run(asked()) is None


def test_aliases_of_one_endpoint_and_model_share_the_probe() -> None:
    """It is asked once, whatever they are called."""

    async def forms() -> tuple[dict[str, str | None], int]:
        probed = Probed("nvext")
        async with served(lambda _: probed.answer(server.bodies[-1])) as server:
            aliases = [(pool(server.url, alias=alias, structured_output="auto"), None) for alias in "ab"]
            return await find_forms(aliases, {}), len(server.bodies)

    found, asked = asyncio.run(forms())
    assert found == {"a": "nvext", "b": "nvext"}
    assert asked == 7


def test_a_form_of_which_nothing_was_heard_is_probed_again_another_time() -> None:
    """An endpoint that failed both times may constrain replies all the same."""
    known: Known = {}
    assert (
        Probed("response_format", lambda form, _: 503 if form == "response_format" else None).find(known=known) is None
    )
    assert known == {}
