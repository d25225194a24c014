"""The simulated model misbehaves as told, over both ways to talk to it, and counts what it did."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from data_designer.simulated_model.replies import REFUSAL
from data_designer.simulated_model.server import SimulatedModel, SimulatedServer, start_simulated

pytestmark = pytest.mark.usefixtures("sockets")

CHAT, MESSAGES = "/chat/completions", "/messages"
VERSION = {"anthropic-version": "2023-06-01"}
SCHEMA = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 3}}, "required": ["size"]}


@dataclass(frozen=True, slots=True)
class Said:
    """A response; status 0 where the connection was closed without one."""

    status: int
    body: Any
    headers: Mapping[str, str]
    seconds: float

    @property
    def text(self) -> Any:
        """The content of a chat completion."""
        return self.body["choices"][0]["message"]["content"]

    @property
    def finish(self) -> str:
        """Why a chat completion ended."""
        return str(self.body["choices"][0]["finish_reason"])


@dataclass(frozen=True, slots=True)
class Asker:
    """Talks to one server."""

    server: SimulatedServer
    session: aiohttp.ClientSession

    async def ask(self, user: Any = "gardens", *, path: str = CHAT, **body: Any) -> Said:
        """Ask with one user message."""
        headers = body.pop("headers", VERSION if path == MESSAGES else {})
        body = {"model": "m", "messages": [{"role": "user", "content": user}], **body}
        if path == MESSAGES:
            body = {"max_tokens": 100, **body}
        began = time.perf_counter()
        try:
            async with self.session.post(f"{self.server.url}{path}", data=orjson.dumps(body), headers=headers) as reply:
                return Said(reply.status, await reply.json(), reply.headers, time.perf_counter() - began)
        except aiohttp.ClientConnectionError:
            return Said(0, None, {}, time.perf_counter() - began)

    async def counted(self, what: str, count: int) -> None:
        """Wait until the server's total has counted so many."""
        for _ in range(500):
            if (await self.get("stats"))["total"][what] == count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"the server never counted {count} {what}")

    async def get(self, what: str) -> Any:
        """`stats` or `log`."""
        async with self.session.get(self.server.url.replace("/v1", f"/{what}")) as reply:
            return await reply.json()

    async def reset(self) -> None:
        """Forget every request."""
        async with self.session.post(self.server.url.replace("/v1", "/reset")) as reply:
            await reply.read()


@asynccontextmanager
async def asker(model: SimulatedModel, *, log: bool = False) -> AsyncIterator[Asker]:
    """A server and who talks to it."""
    server = await start_simulated(model, log=log)
    try:
        async with aiohttp.ClientSession() as session:
            yield Asker(server, session)
    finally:
        await server.close()


def talk(
    model: SimulatedModel, scenario: Callable[[Asker], Awaitable[Any]], *, log: bool = False
) -> tuple[Any, dict[str, Any]]:
    """What comes of a scenario, and the total of the server's counts after it."""

    async def run() -> tuple[Any, dict[str, Any]]:
        async with asker(model, log=log) as one:
            result = await scenario(one)
            return result, (await one.get("stats"))["total"]

    return asyncio.run(run())


def asked(model: SimulatedModel, count: int = 1, **options: Any) -> tuple[list[Said], dict[str, Any]]:
    """What is said to some different prompts, one after the other, and the counts afterwards."""

    async def scenario(one: Asker) -> list[Said]:
        return [await one.ask(f"gardens {number}", **options) for number in range(count)]

    return talk(model, scenario)


# --- no answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_request_may_never_be_answered(path: str) -> None:
    """The server waits until the client has gone, and then is free of the request."""

    async def scenario(one: Asker) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await one.ask(path=path)
        await one.counted("in_flight", 0)

    _, counted = talk(SimulatedModel(hang_rate=1), scenario)
    assert (counted["hangs"], counted["ok"], counted["in_flight"]) == (1, 0, 0)
    assert counted["mean_in_flight"] == pytest.approx(1)


def test_a_server_that_ends_leaves_nobody_hanging() -> None:
    """Within a second of its end, whoever waited for an answer has lost the connection."""

    async def scenario() -> tuple[Said, float]:
        async with aiohttp.ClientSession() as session:
            one = Asker(await start_simulated(SimulatedModel(hang_rate=1)), session)
            waiting = asyncio.create_task(one.ask())
            await one.counted("hangs", 1)
            began = time.perf_counter()
            await one.server.close()
            return await waiting, time.perf_counter() - began

    said, seconds = asyncio.run(scenario())
    assert said.status == 0
    assert seconds < 1


def test_an_outage_begins_and_ends_when_told() -> None:
    """Requests in flight at its beginning lose their connection then, those during it at once; then all is well."""

    async def scenario(one: Asker) -> tuple[Said, Said, Said]:
        cut = await one.ask("cut")
        during = await one.ask("during")
        await asyncio.sleep(0.7)
        return cut, during, await one.ask("after", model="m")

    (cut, during, after), counted = talk(SimulatedModel(latency=0.5, outage_after=0.3, outage_seconds=0.6), scenario)
    assert (cut.status, during.status, after.status) == (0, 0, 200)
    assert 0.25 < cut.seconds < 0.5
    assert during.seconds < 0.2
    assert (counted["outages"], counted["ok"]) == (2, 1)


def test_an_outage_ends_what_hangs() -> None:
    """A request that would never be answered loses its connection like any other."""
    [said], counted = asked(SimulatedModel(hang_rate=1, outage_after=0.1))
    assert said.status == 0
    assert (counted["hangs"], counted["outages"]) == (1, 1)


def test_an_outage_changes_nothing_that_is_drawn() -> None:
    """What is refused at once does not count as asked before, so the replies after an outage are those without one."""

    async def all_of_them(one: Asker) -> list[int]:
        return [(await one.ask(f"{number}")).status for number in range(40)]

    async def twice(one: Asker) -> list[int]:
        assert not any(await all_of_them(one))
        await asyncio.sleep(1)
        return await all_of_them(one)

    calm, _ = talk(SimulatedModel(error_rate=0.5), all_of_them)
    stormy, counted = talk(SimulatedModel(error_rate=0.5, outage_after=0, outage_seconds=1), twice)
    assert counted["outages"] == 40
    assert calm == stormy


def test_models_of_one_server_have_outages_of_their_own() -> None:
    """The time counts from the first request to a name."""

    async def scenario(one: Asker) -> list[int]:
        first = await one.ask(model="a?outage_after=0.2")
        await asyncio.sleep(0.25)
        return [first.status, *[(await one.ask(model=f"{name}?outage_after=0.2")).status for name in "ab"]]

    assert talk(SimulatedModel(), scenario)[0] == [200, 0, 200]


# --- refusals of the endpoint ----------------------------------------------------------------------------


def test_a_key_is_revoked_after_so_many_answers() -> None:
    """From then on every request gets 401 in the provider's words, until the server is reset."""

    async def scenario(one: Asker) -> list[Said]:
        said = [await one.ask(f"{number}") for number in range(5)]
        await one.reset()
        return [*said, await one.ask()]

    said, _ = talk(SimulatedModel(revoked_after=3), scenario)
    assert [one.status for one in said] == [200] * 3 + [401] * 2 + [200]
    assert said[3].body == {"error": {"message": "Incorrect API key provided: ***. This key was revoked."}}


def test_no_answer_comes_after_the_key_was_revoked() -> None:
    """Requests in flight at that moment are refused too, so exactly so many are answered."""

    async def scenario(one: Asker) -> list[Said]:
        return list(await asyncio.gather(*(one.ask(f"{number}") for number in range(20))))

    said, counted = talk(SimulatedModel(latency=0.05, jitter=0.5, revoked_after=7), scenario)
    assert sorted(one.status for one in said) == [200] * 7 + [401] * 13
    assert (counted["ok"], counted["unauthorized"]) == (7, 13)


def test_only_answers_use_up_a_key() -> None:
    """Requests that failed do not count towards its end."""

    async def scenario(one: Asker) -> list[int]:
        return [(await one.ask(f"{number}")).status for number in range(60)]

    statuses, _ = talk(SimulatedModel(error_rate=0.5, revoked_after=10), scenario)
    assert statuses.count(200) == 10
    assert 500 in statuses
    assert set(statuses[statuses.index(401) :]) == {401}


def test_it_slows_down_after_so_many_requests() -> None:
    """The latency is multiplied from then on."""
    said, _ = asked(SimulatedModel(latency=0.02, slow_after=2, slow_factor=10), 4)
    assert [one.seconds > 0.15 for one in said] == [False, False, True, True]
    assert said[3].seconds < 1


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_requests_beyond_a_minutes_are_refused_until_there_is_room(path: str) -> None:
    """Retry-After says how long, at least a tenth of a second, and whoever waits so long is answered."""

    async def scenario(one: Asker) -> list[Said]:
        said = [await one.ask(f"{number}", path=path) for number in range(4)]
        await asyncio.sleep(float(said[3].headers["retry-after"]))
        return [*said, await one.ask("again", path=path)]

    said, counted = talk(SimulatedModel(requests_per_minute=180, rate_window=1), scenario)
    assert [one.status for one in said] == [200, 200, 200, 429, 200]
    assert 0.1 <= float(said[3].headers["retry-after"]) <= 1
    assert (counted["rate_limited"], counted["requests"], counted["ok"]) == (1, 5, 4)
    assert 4 <= counted["peak_requests_in_window"] <= 5


def test_headers_tell_what_a_limit_leaves() -> None:
    """Those of OpenAI, on answers and refusals alike; without a limit there are none."""
    said, _ = asked(SimulatedModel(requests_per_minute=3, tokens_per_minute=1000), 4)
    assert [one.headers["x-ratelimit-limit-requests"] for one in said] == ["3"] * 4
    assert [one.headers["x-ratelimit-remaining-requests"] for one in said] == ["2", "1", "0", "0"]
    assert said[3].status == 429
    seconds = [float(one.headers["x-ratelimit-reset-requests"].removesuffix("s")) for one in said]
    assert all(50 < one <= 60 for one in seconds)
    assert seconds == sorted(seconds, reverse=True)
    tokens = [said[number].body["usage"]["total_tokens"] for number in range(3)]
    remaining = [int(one.headers["x-ratelimit-remaining-tokens"]) for one in said]
    assert remaining == [1000 - tokens[0], 1000 - sum(tokens[:2]), *[1000 - sum(tokens)] * 2]
    assert said[0].headers["x-ratelimit-limit-tokens"] == "1000"
    [unlimited], _ = asked(SimulatedModel())
    assert not [name for name in unlimited.headers if "ratelimit" in name.lower()]


def test_tokens_beyond_a_minutes_are_refused() -> None:
    """Prompt and completion of answered requests count; the answer that reaches the limit is the last."""
    said, counted = asked(SimulatedModel(tokens_per_minute=100), 4)
    tokens = [one.body["usage"]["total_tokens"] for one in said if one.status == 200]
    assert [one.status for one in said][-1] == 429
    assert sum(tokens[:-1]) < 100 <= sum(tokens)
    assert counted["peak_tokens_in_window"] == sum(tokens)
    assert said[-1].headers["x-ratelimit-remaining-tokens"] == "0"
    assert float(said[-1].headers["retry-after"]) == pytest.approx(60, abs=5)


def test_what_is_refused_uses_up_no_limit() -> None:
    """However often one asks in vain, the window opens when it said."""

    async def scenario(one: Asker) -> list[Said]:
        await one.ask("first")
        refused = [await one.ask("more") for _ in range(20)]
        await asyncio.sleep(float(refused[0].headers["retry-after"]))
        return [*refused, await one.ask("last")]

    said, _ = talk(SimulatedModel(requests_per_minute=60, rate_window=1), scenario)
    assert [one.status for one in said] == [429] * 20 + [200]


def test_peaks_are_counted_without_a_limit() -> None:
    """The most requests and tokens within a window, of any that began anywhere."""

    async def scenario(one: Asker) -> list[Said]:
        first = [await one.ask(f"{number}") for number in range(5)]
        await asyncio.sleep(1.1)
        return [*first, await one.ask("last")]

    said, counted = talk(SimulatedModel(rate_window=1), scenario)
    assert (counted["requests"], counted["peak_requests_in_window"]) == (6, 5)
    assert counted["peak_tokens_in_window"] == sum(one.body["usage"]["total_tokens"] for one in said[:5])


# --- replies ---------------------------------------------------------------------------------------------


def test_a_reply_may_end_in_the_middle() -> None:
    """Half of the text that it would have been, with the reason that says so."""
    [whole], _ = asked(SimulatedModel())
    [half], counted = asked(SimulatedModel(truncated_rate=1))
    assert half.text == whole.text[: len(whole.text) // 2]
    assert (half.finish, whole.finish) == ("length", "stop")
    assert (counted["truncated"], counted["ok"]) == (1, 1)


def test_a_model_may_decline() -> None:
    """The refusal stands where the text would."""
    [said], counted = asked(SimulatedModel(refusal_rate=1))
    assert said.body["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": REFUSAL},
        "finish_reason": "stop",
    }
    assert (counted["refusals"], counted["ok"]) == (1, 1)


def test_a_reply_may_be_empty() -> None:
    """It ends as others do, and holds nothing."""
    [said], counted = asked(SimulatedModel(empty_rate=1))
    assert (said.text, said.finish) == ("", "stop")
    assert (counted["empty"], counted["ok"]) == (1, 1)


def test_one_thing_at_most_is_wrong_with_a_reply() -> None:
    """Each reply counts as one kind of bad, so kinds and good ones together are all."""
    rates = {f"{fault}_rate": 0.5 for fault in ("malformed", "truncated", "refusal", "empty")}
    said, counted = asked(SimulatedModel(**rates), 60)
    bad = sum(counted[kind] for kind in ("malformed", "truncated", "refusals", "empty"))
    good = sum(one.finish == "stop" and bool(one.text) for one in said)
    assert bad + good == counted["ok"] == 60


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_cached_tokens_are_a_share_of_the_prompt(share: float) -> None:
    """They are reported where there are any."""
    [said], _ = asked(SimulatedModel(cached_share=share))
    usage = said.body["usage"]
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    assert cached == round(usage["prompt_tokens"] * share)


def test_tokens_of_thought_are_part_of_the_completion() -> None:
    """They are reported, and counted with the others."""
    [plain], _ = asked(SimulatedModel())
    [said], counted = asked(SimulatedModel(reasoning_tokens=70))
    usage = said.body["usage"]
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 70}
    assert usage["completion_tokens"] == plain.body["usage"]["completion_tokens"] + 70
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert counted["peak_tokens_in_window"] == usage["total_tokens"]


GUIDES: dict[str, dict[str, Any]] = {
    "native": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    "guided_json": {"guided_json": SCHEMA},
    "structured_outputs": {"structured_outputs": {"json": SCHEMA}},
    "nvext": {"nvext": {"guided_json": SCHEMA}},
}


@pytest.mark.parametrize("guided", ["", "guided_json", "structured_outputs", "nvext"])
@pytest.mark.parametrize("native", [0, 1])
def test_a_schema_is_heeded_where_the_model_looks_for_it(native: int, guided: str) -> None:
    """Elsewhere it is ignored, and the reply is the same as without."""

    async def scenario(one: Asker) -> dict[str, Any]:
        return {name: (await one.ask(**guide)).text for name, guide in {"none": {}, **GUIDES}.items()}

    texts, _ = talk(SimulatedModel(native=native, guided=guided), scenario)
    heeded = {guided, "native" if native else ""} - {""}
    for name in GUIDES:
        if name in heeded:
            assert orjson.loads(texts[name])["size"] >= 3
        else:
            assert texts[name] == texts["none"]


def test_a_schema_may_be_given_as_text() -> None:
    """As some servers allow; text that is no JSON is a bad request."""

    async def scenario(one: Asker) -> list[Said]:
        return [await one.ask(guided_json=text) for text in (orjson.dumps(SCHEMA).decode(), "{")]

    (good, bad), _ = talk(SimulatedModel(guided="guided_json"), scenario)
    assert orjson.loads(good.text)["size"] >= 3
    assert bad.status == 400


def test_a_malformed_bare_instance_is_half_of_one() -> None:
    """It begins as JSON and does not parse."""
    [said], _ = asked(SimulatedModel(malformed_rate=1), **GUIDES["native"])
    assert said.text.startswith("{")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(said.text)


# --- Anthropic's messages --------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}]])
def test_messages_say_the_same_as_chat(system: Any) -> None:
    """The same system prompt and message get the same text, in Anthropic's form."""

    async def scenario(one: Asker) -> tuple[Said, Said]:
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "gardens"}]
        chat = await one.ask(messages=turns)
        return chat, await one.ask([{"type": "text", "text": "gardens"}], path=MESSAGES, system=system)

    (chat, said), _ = talk(SimulatedModel(), scenario)
    usage = chat.body["usage"]
    assert said.body == {
        "id": "msg_simulated",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": chat.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        },
    }


def test_messages_without_a_system_prompt_are_answered() -> None:
    """It may be missing."""
    [chat], _ = asked(SimulatedModel())
    [said], _ = asked(SimulatedModel(), path=MESSAGES)
    assert said.body["content"][0]["text"] == chat.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"headers": {}}, "anthropic-version"),
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": "x"}, "list of messages"),
    ],
)
def test_messages_that_make_no_sense_are_bad_requests(options: dict[str, Any], said: str) -> None:
    """The error has Anthropic's form and says what is wrong."""
    [reply], counted = asked(SimulatedModel(), path=MESSAGES, **options)
    assert reply.status == 400
    assert reply.body["type"] == "error"
    assert reply.body["error"]["type"] == "invalid_request_error"
    assert said in reply.body["error"]["message"]
    assert counted["requests"] == 0


@pytest.mark.parametrize(
    ("model", "status", "kind"),
    [
        (SimulatedModel(error_rate=1), 500, "api_error"),
        (SimulatedModel(revoked_after=0), 401, "authentication_error"),
        (SimulatedModel(reject_above=0), 429, "rate_limit_error"),
    ],
)
def test_messages_fail_in_their_own_form(model: SimulatedModel, status: int, kind: str) -> None:
    """Errors are named as Anthropic names them."""
    [said], _ = asked(model, path=MESSAGES)
    assert (said.status, said.body["type"], said.body["error"]["type"]) == (status, "error", kind)


@pytest.mark.parametrize(
    ("model", "reason", "texts"),
    [
        (SimulatedModel(refusal_rate=1), "refusal", [REFUSAL]),
        (SimulatedModel(empty_rate=1), "end_turn", []),
    ],
)
def test_messages_end_for_their_own_reasons(model: SimulatedModel, reason: str, texts: list[str]) -> None:
    """A refusal says so as the reason; a reply without text has no block."""
    [said], _ = asked(model, path=MESSAGES)
    assert said.body["stop_reason"] == reason
    assert [block["text"] for block in said.body["content"]] == texts


def test_messages_may_end_in_the_middle() -> None:
    """The reason is that there are no more tokens."""
    [said], _ = asked(SimulatedModel(truncated_rate=1), path=MESSAGES)
    assert said.body["stop_reason"] == "max_tokens"


def test_messages_report_what_the_cache_spared() -> None:
    """Tokens read from the cache are not among the input's, as Anthropic counts."""
    [plain], _ = asked(SimulatedModel(), path=MESSAGES)
    [said], _ = asked(SimulatedModel(cached_share=0.5, reasoning_tokens=9), path=MESSAGES)
    usage, before = said.body["usage"], plain.body["usage"]
    assert usage["cache_read_input_tokens"] == round(before["input_tokens"] * 0.5)
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == before["input_tokens"]
    assert usage["output_tokens"] == before["output_tokens"] + 9


def test_messages_tell_limits_in_their_own_headers() -> None:
    """A time says when there is more room."""
    [said], _ = asked(SimulatedModel(requests_per_minute=5), path=MESSAGES)
    found = {name: said.headers[f"anthropic-ratelimit-requests-{name}"] for name in ("limit", "remaining", "reset")}
    assert (found["limit"], found["remaining"]) == ("5", "4")
    assert found["reset"].endswith("Z")


# --- the log ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_the_log_shows_each_request_as_it_came(path: str) -> None:
    """Body and headers, names in lower case, whether it was answered or not."""

    async def scenario(one: Asker) -> Any:
        headers = {"Authorization": "Bearer key", "X-Other": "Value", **VERSION}
        await one.ask("first", path=path, temperature=0.5, headers=headers)
        await one.ask("second", path=path, model="m?reset_rate=1", headers=headers)
        return await one.get("log")

    (first, second), _ = talk(SimulatedModel(), scenario, log=True)
    assert first["body"]["temperature"] == 0.5
    assert first["body"]["messages"] == [{"role": "user", "content": "first"}]
    assert first["headers"]["authorization"] == "Bearer key"
    assert first["headers"]["x-other"] == "Value"
    assert first["user"] == "first"
    assert first["left"] >= first["arrived"]
    assert second["body"]["model"] == second["model"] == "m?reset_rate=1"
