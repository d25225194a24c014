"""The simulated model: the same reply for the same prompt, valid instances, and misbehaviour as told."""

import asyncio
from typing import Any, Literal

import jsonschema
import openai
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from data_designer.columns.structured.parsing import parse_code, parse_json
from data_designer.simulated_model.faults import RequestFaults
from data_designer.simulated_model.instances import Instances
from data_designer.simulated_model.replies import prompt_of, reply_to
from data_designer.simulated_model.seeded_rng import SeededRng
from data_designer.simulated_model.server import SimulatedModel, SimulatedServerProcess, start_simulated


class Inner(BaseModel):
    """A nested object."""

    kind: Literal["a", "b"]
    size: int = Field(ge=3, le=5)
    ratio: float = Field(gt=0, lt=1)


class Outer(BaseModel):
    """Everything at once."""

    name: str = Field(min_length=3, max_length=12)
    inner: Inner
    many: list[Inner] = Field(min_length=2, max_length=4)
    maybe: int | None
    either: int | str
    table: dict[str, int]
    code: str = Field(pattern=r"^[A-Z]{2}-\d{3}$")
    again: "Outer | None" = None


SCHEMAS: list[dict[str, Any]] = [
    Outer.model_json_schema(),
    {"type": "array", "items": {"enum": [1, 2, 3, 4, 5]}, "minItems": 3, "uniqueItems": True},
    {"type": "integer", "minimum": 10, "maximum": 30, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    {"type": ["string", "null"], "format": "date"},
    {"allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}], "properties": {"b": {}}},
    {"oneOf": [{"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}, {"type": "integer"}]},
]


@pytest.mark.parametrize("number", range(len(SCHEMAS)))
@given(seed=st.binary(min_size=1, max_size=8))
def test_instances_are_valid_whatever_the_seed(number: int, seed: bytes) -> None:
    """Every instance satisfies its schema, and the same seed gives the same one."""
    schema = SCHEMAS[number]
    made = Instances(schema).make(SeededRng(seed))
    jsonschema.validate(made, schema)
    assert made == Instances(schema).make(SeededRng(seed))


def asked(user: str) -> dict[str, Any]:
    """A request with one user message."""
    return {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": user}]}]}


def reply_text(user: str) -> str:
    """What the model says to one message."""
    body, model = asked(user), SimulatedModel()
    return reply_to(body, prompt_of(body), model, RequestFaults(model, b"", 0)).text


def test_replies_have_the_form_that_is_asked_for() -> None:
    """A schema gets a fenced instance, code gets a fence in its language, all else prose."""
    schema = orjson.dumps(Inner.model_json_schema()).decode()
    fenced = reply_text(f"Do it in <response_schema> tags.\n<response_schema>\n{schema}\n</response_schema>")
    Inner.model_validate(parse_json(fenced))
    code = reply_text("Put the code into a Markdown code fence tagged `python`, opened by ```python")
    compile(parse_code(code, "python"), "reply", "exec")
    assert "gardens" in reply_text("gardens")


@pytest.mark.usefixtures("processes")
def test_the_openai_client_can_talk_to_it_in_its_own_process() -> None:
    """The official client reads its replies; another process gives the same reply; it ends with its parent."""
    texts = []
    for _ in range(2):
        with SimulatedServerProcess(SimulatedModel(seed=5)) as url:
            client = openai.OpenAI(base_url=url, api_key="none")
            reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "gardens"}])
            texts.append(reply.choices[0].message.content)
            assert reply.usage is not None
            assert reply.usage.completion_tokens > 10
            client.close()
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("sockets")
def test_misbehaviour_follows_the_rates_and_the_ordinal() -> None:
    """Half of the prompts fail; asked again, each is drawn anew; the server counts it all."""
    import aiohttp

    async def scenario() -> tuple[list[int], list[int], dict[str, Any]]:
        server = await start_simulated(SimulatedModel(seed=1))
        async with aiohttp.ClientSession() as session:

            async def once(number: int) -> int:
                body = {**asked(f"prompt {number}"), "model": "m?error_rate=0.5"}
                async with session.post(f"{server.url}/chat/completions", json=body) as reply:
                    return reply.status

            first = [await once(number) for number in range(200)]
            second = [await once(number) for number in range(200)]
            async with session.get(server.url.replace("/v1", "/stats")) as reply:
                counted = await reply.json()
        await server.close()
        return first, second, counted

    first, second, counted = asyncio.run(scenario())
    assert 60 < first.count(500) < 140
    assert first != second
    assert counted["total"]["requests"] == 400
    assert counted["total"]["errors"] == first.count(500) + second.count(500)
    assert counted["total"]["peak_in_flight"] == 1


@pytest.mark.usefixtures("sockets")
def test_too_many_in_flight_are_refused() -> None:
    """Above `reject_above` the answer is 429 with Retry-After."""
    import aiohttp

    async def scenario() -> list[tuple[int, str | None]]:
        server = await start_simulated(SimulatedModel(latency=0.05, reject_above=3, retry_after=2))
        async with aiohttp.ClientSession() as session:

            async def once(number: int) -> tuple[int, str | None]:
                async with session.post(f"{server.url}/chat/completions", json=asked(f"{number}")) as reply:
                    return reply.status, reply.headers.get("Retry-After")

            replies = await asyncio.gather(*(once(number) for number in range(8)))
        await server.close()
        return list(replies)

    replies = asyncio.run(scenario())
    assert sorted(status for status, _ in replies) == [200] * 3 + [429] * 5
    assert {after for status, after in replies if status == 429} == {"2"}


async def post(session: Any, url: str, body: Any) -> tuple[int, Any]:
    """Status and JSON of one request; 0 where the connection was closed."""
    import aiohttp

    try:
        async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as reply:
            return reply.status, await reply.json()
    except aiohttp.ClientError:
        return 0, None


def answers(model: SimulatedModel, *bodies: Any) -> tuple[list[tuple[int, Any]], dict[str, Any]]:
    """What a server says to some requests, one after the other, and its counts afterwards."""
    import aiohttp

    async def scenario() -> tuple[list[tuple[int, Any]], dict[str, Any]]:
        server = await start_simulated(model)
        async with aiohttp.ClientSession() as session:
            said = [await post(session, server.url, body) for body in bodies]
            async with session.get(server.url.replace("/v1", "/stats")) as reply:
                counted: dict[str, Any] = await reply.json()
        await server.close()
        return said, counted

    return asyncio.run(scenario())


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "list of messages"),
        ({"messages": "x"}, "list of messages"),
        ({**asked("x"), "model": "m?latency=soon"}, "latency is no float"),
        ({**asked("x"), "model": "m?jitter_kind=zipf"}, "uniform or lognormal"),
        (asked('<response_schema>{"$ref": "#/gone"}</response_schema>'), "does not define"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_bad_one(body: Any, said: str) -> None:
    """The server says with 400 what is wrong, instead of failing."""
    [(status, reply)], _ = answers(SimulatedModel(), body)
    assert status == 400
    assert said in reply["error"]["message"]


@pytest.mark.usefixtures("sockets")
def test_native_structured_output_is_bare() -> None:
    """A `response_format` with a schema is answered with JSON and no fence."""
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": Inner.model_json_schema()}}
    [(_, reply)], _ = answers(SimulatedModel(), {**asked("x"), "response_format": wanted})
    Inner.model_validate_json(reply["choices"][0]["message"]["content"])


@pytest.mark.usefixtures("sockets")
def test_misbehaviour_is_what_it_is_called() -> None:
    """Malformed replies do not parse, resets close the connection, and each is counted."""
    fenced = asked('<response_schema>{"type": "array", "minItems": 3}</response_schema>')
    said, counted = answers(
        SimulatedModel(), {**fenced, "model": "m?malformed_rate=1"}, {**fenced, "model": "m?reset_rate=1"}
    )
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(said[0][1]["choices"][0]["message"]["content"])
    assert said[1] == (0, None)
    assert counted["models"]["m?malformed_rate=1"]["malformed"] == 1
    assert counted["total"]["resets"] == 1
    assert counted["total"]["in_flight"] == 0
    assert counted["total"]["mean_lateness"] >= 0


@pytest.mark.usefixtures("sockets")
def test_a_request_that_outlasts_a_reset_leaves_the_new_counts_alone() -> None:
    """After `/reset` only what comes later is counted."""
    import aiohttp

    async def scenario() -> dict[str, Any]:
        server = await start_simulated(SimulatedModel(latency=0.05))
        root = server.url.replace("/v1", "")
        async with aiohttp.ClientSession() as session:
            slow = asyncio.create_task(post(session, server.url, asked("slow")))
            counted: dict[str, Any] = {"total": {"in_flight": 0}}
            while not counted["total"]["in_flight"]:
                async with session.get(f"{root}/stats") as reply:
                    counted = await reply.json()
            await (await session.post(f"{root}/reset")).read()
            assert (await slow)[0] == 200
            async with session.get(f"{root}/stats") as reply:
                counted = await reply.json()
        await server.close()
        return counted

    counted = asyncio.run(scenario())
    assert (counted["total"]["in_flight"], counted["total"]["ok"]) == (0, 0)


@pytest.mark.usefixtures("processes")
def test_a_server_that_cannot_start_says_so_and_leaves_nothing_behind() -> None:
    """A port that is taken is an error at once, and the process is gone."""
    with SimulatedServerProcess(SimulatedModel()) as url:
        second = SimulatedServerProcess(SimulatedModel(), port=int(url.split(":")[2].split("/")[0]))
        with pytest.raises(OSError, match="did not start"):
            second.start()
        assert second._process is None
