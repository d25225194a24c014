"""Columns whose models call tools: what they come to, what is refused, and what a run costs that is killed."""

import json
import logging
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import USUAL, designer, model, numbered, told
from tests.fakes import provider as model_provider
from tests.loopback import forgetful
from tests.programs import started
from tests.tool_server import called, provider, wait_for_none

import data_designer.config as dd
from data_designer.errors import DuplicateToolNameError, InvalidConfigError, MCPClientUnavailableError
from data_designer.errors import MCPConfigurationError as Misconfigured
from data_designer.interface import DataDesigner, DataDesignerGenerationError, DatasetCreationResults

pytestmark = pytest.mark.usefixtures("processes")

RECORDS, TURNS, AT_ONCE, SLOTS = 12, 2, 2, 4
CALLS = RECORDS * TURNS * AT_ONCE
MODEL = f"sim?tool_turns={TURNS}&tool_calls={AT_ONCE}"


def builder(name: str = MODEL, alias: str | None = "tools", **config: Any) -> dd.DataDesignerConfigBuilder:
    """A text about each seed row, whose model may call tools."""
    made = dd.DataDesignerConfigBuilder(
        model_configs=[model("m", name, max_parallel_requests=SLOTS)],
        tool_configs=[dd.ToolConfig(**{"tool_alias": "tools", "providers": ["tools"], "timeout_sec": 30.0, **config})],
    )
    made.with_seed_dataset(numbered())
    made.add_column(
        name="text",
        column_type="llm-text",
        model_alias="m",
        prompt="row {{ n }}",
        tool_alias=alias,
        with_trace="all_messages",
    )
    return made


def make(url: str, path: Path, folder: Path, resume: str = "never", **run: Any) -> DatasetCreationResults:
    """The dataset, with a server that adds."""
    return designer(url, path, [provider(folder, "add")], **run).create(
        builder(), num_records=RECORDS, dataset_name="d", resume=resume
    )


def asked(url: str) -> list[dict[str, Any]]:
    """What the model was asked."""
    return [one["body"] for one in told(url, "log")]


def test_a_cell_is_the_answer_after_the_calls(simulated: str, tmp_path: Path) -> None:
    """The trace holds calls and results in their order; what was asked carries them, and the tools; it is counted."""
    results = make(simulated, tmp_path, tmp_path)
    trace = results.load_dataset()["text__trace"][3]
    roles = ["user", *["assistant", "tool", "tool"] * TURNS, "assistant"]
    assert [message["role"] for message in trace] == roles
    calls = [call for message in trace for call in message.get("tool_calls") or ()]
    sums = [sum(json.loads(call["function"]["arguments"]).values()) for call in calls]
    results_of_calls = [message for message in trace if message["role"] == "tool"]
    assert [message["content"][0]["text"] for message in results_of_calls] == [*map(str, sums)]
    assert [message["tool_call_id"] for message in results_of_calls] == [call["id"] for call in calls]
    bodies = asked(simulated)
    assert len(bodies) == RECORDS * (TURNS + 1)
    assert {body["tools"][0]["function"]["name"] for body in bodies} == {"add"}
    assert len(called(tmp_path)) == CALLS
    usage = results.outcomes.columns["text"].usage
    assert (usage.requests, usage.tool_calls, usage.tool_turns) == (RECORDS * (TURNS + 1), CALLS, RECORDS * TURNS)
    assert wait_for_none(tmp_path) == []


def test_the_same_seed_gives_the_same(simulated: str, tmp_path: Path) -> None:
    """Two runs come to the same rows, traces included."""
    first, second = (make(simulated, tmp_path / name, tmp_path) for name in ("one", "two"))
    assert first.load_dataset().equals(second.load_dataset())


def test_anthropics_models_call_tools_too(simulated: str, tmp_path: Path) -> None:
    """The same rows as by the other API: what differs is on the wire."""
    usual = make(simulated, tmp_path / "one", tmp_path).load_dataset()
    server = model_provider(simulated.removesuffix("/v1"), provider_type="anthropic")
    tools = [provider(tmp_path, "add")]
    other = DataDesigner(tmp_path / "two", model_providers=[server], mcp_providers=tools, auto_configure_logging=False)
    other.set_run_config(dd.RunConfig(**USUAL))
    made = other.create(builder(), num_records=RECORDS, dataset_name="d").load_dataset()
    assert made.equals(usual)
    assert asked(simulated)[-1]["tools"][0]["input_schema"]["type"] == "object"


def begin(url: str, path: Path, folder: Path) -> None:
    """What a process does that is killed."""
    with suppress(KeyboardInterrupt):
        make(url, path, folder)


def test_a_driver_that_is_killed_calls_nothing_again(simulated: str, tmp_path: Path) -> None:
    """SIGKILL in the middle leaves no server, and costs no more calls than were under way; the rows are the same."""
    folder = tmp_path / "killed"
    folder.mkdir()
    whole = make(simulated, tmp_path / "whole", tmp_path).load_dataset()
    forgetful(simulated)
    program = started(begin, simulated, tmp_path / "d", folder)
    while len(called(folder)) < CALLS // 2:
        assert program.is_alive() or len(called(folder)) >= CALLS // 2
        time.sleep(0.002)
    program.kill()
    program.join()
    assert program.exitcode == -signal.SIGKILL
    assert wait_for_none(folder) == []
    results = make(simulated, tmp_path / "d", folder, "always")
    assert results.load_dataset().equals(whole)
    assert CALLS <= len(called(folder)) <= CALLS + RECORDS * AT_ONCE
    assert len(asked(simulated)) <= RECORDS * (TURNS + 1) + 2 * SLOTS
    assert wait_for_none(folder) == []


# --- what is allowed -----------------------------------------------------------------------------------------


def preview(url: str, path: Path, name: str = MODEL, **config: Any) -> Any:
    """Three records of a server with all tools."""
    return designer(url, path, [provider(path)]).preview(builder(name, **config), num_records=3)


def test_only_tools_on_the_list_are_offered(simulated: str, tmp_path: Path) -> None:
    """Others of the same server are neither shown to the model nor called."""
    preview(simulated, tmp_path, allow_tools=["echo", "add"])
    assert [tool["function"]["name"] for tool in asked(simulated)[0]["tools"]] == ["add", "echo"]
    assert {one["tool"] for one in called(tmp_path)} == {"add", "echo"}


def test_an_empty_list_allows_nothing(simulated: str, tmp_path: Path) -> None:
    """The model is asked without tools; None, which is not said, allows all."""
    assert preview(simulated, tmp_path, allow_tools=[]).outcomes.generated == 3
    assert "tools" not in asked(simulated)[0]
    assert builder(allow_tools=[]).build().fingerprint() != builder().build().fingerprint()


def test_calls_beyond_the_limit_are_refused(simulated: str, tmp_path: Path) -> None:
    """They are not made; the model is told, and answers."""
    results = preview(simulated, tmp_path, "sim?tool_turns=3", allow_tools=["add"], max_tool_call_turns=1)
    said = [message["content"][0]["text"] for message in results.dataset["text__trace"][0] if message["role"] == "tool"]
    assert len(called(tmp_path)) == 3
    assert ["limit of tool calls" in one for one in said] == [False, True, True]


def test_a_model_that_never_stops_calling_is_given_up(simulated: str, tmp_path: Path) -> None:
    """The row is rejected after a few refusals, whatever restarts are allowed, and says what to do."""
    with pytest.raises(DataDesignerGenerationError, match="after 1 turns of calls.*raise max_tool_call_turns"):
        preview(simulated, tmp_path, "sim?tool_turns=9999", allow_tools=["add"], max_tool_call_turns=1)
    assert len(called(tmp_path)) == 3
    assert len(asked(simulated)) == 3 * (1 + 3 + 6)


@pytest.mark.parametrize(("tool", "said"), [("refuse", "no such thing"), ("hang", "no answer within 0.2 s")])
def test_a_call_that_fails_ends_its_row(simulated: str, tmp_path: Path, tool: str, said: str) -> None:
    """The reason names the tool and its provider."""
    with pytest.raises(
        DataDesignerGenerationError, match=f"MCPToolError in column 'text'.*'{tool}' of provider 'tools'.*{said}"
    ):
        preview(simulated, tmp_path, allow_tools=[tool], timeout_sec=0.2 if tool == "hang" else 20)


def test_a_server_that_is_gone_for_good_stops_the_run(simulated: str, tmp_path: Path) -> None:
    """Only rows whose calls were under way are lost; the run stops, and goes on when the server is back."""
    made = designer(simulated, tmp_path, [provider(tmp_path)], outage_patience=0.5, max_parallel_tool_calls=2)
    declared = builder("sim?tool_turns=1", allow_tools=["leave"])
    with pytest.raises(DataDesignerGenerationError, match="'tools' .* cannot be used: .*I am not here") as caught:
        made.create(declared, num_records=RECORDS, dataset_name="d")
    assert "data-designer resume" in str(caught.value)
    assert len(asked(simulated)) <= 2 * RECORDS


def test_secrets_of_servers_are_written_nowhere(
    simulated: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the log, whatever its level, not in a reason, and in no file of the dataset."""
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "server"
    folder.mkdir()
    servers = [provider(folder, "die", "add", env={"KEY": "sk-very-secret"})]
    with suppress(DataDesignerGenerationError):
        designer(simulated, tmp_path / "d", servers).create(builder(), num_records=3)
    assert "I die of ***" in caplog.text
    assert "very-secret" not in caplog.text
    files = [path for path in (tmp_path / "d").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"very-secret" in path.read_bytes()]


# --- what is found before anything is asked ------------------------------------------------------------------


def refused(url: str, path: Path, declared: dd.DataDesignerConfigBuilder, *tools: Any) -> BaseException | None:
    """Why a run does not begin; nothing is asked, and no server is left."""
    with pytest.raises(DataDesignerGenerationError) as caught:
        designer(url, path, tools).create(declared, num_records=3)
    assert asked(url) == []
    assert wait_for_none(path) == []
    return caught.value.__cause__


def test_two_tools_of_one_name_are_refused(simulated: str, tmp_path: Path) -> None:
    """Two servers offer it; both are named."""
    servers = [provider(tmp_path, "add", name=name) for name in ("tools", "others")]
    error = refused(simulated, tmp_path, builder(providers=["tools", "others"]), *servers)
    assert isinstance(error, DuplicateToolNameError)
    assert "the providers 'tools' and 'others' both have a tool 'add'" in str(error)


def test_a_tool_that_is_allowed_and_not_there_is_refused(simulated: str, tmp_path: Path) -> None:
    """What there is is said."""
    error = refused(simulated, tmp_path, builder(allow_tools=["add", "plus"]), provider(tmp_path, "add"))
    assert isinstance(error, Misconfigured)
    assert "allows 'plus', which none of its providers ('tools') has; there are 'add'" in str(error)


def test_a_server_that_does_not_start_is_named(simulated: str, tmp_path: Path) -> None:
    """With its last words."""
    server = dd.LocalStdioMCPProvider(name="tools", command="no-such-command")
    error = refused(simulated, tmp_path, builder(), server)
    assert isinstance(error, MCPClientUnavailableError)
    assert "'tools' (no-such-command) cannot be used" in str(error)


def test_what_is_not_declared_is_said_together(simulated: str, tmp_path: Path) -> None:
    """An alias nobody declares and a provider nobody gives are found without starting anything."""
    error = refused(simulated, tmp_path, builder(alias="other"), provider(tmp_path))
    assert isinstance(error, InvalidConfigError)
    assert "tool alias 'other' is not declared; declared: tools" in str(error)
    error = refused(simulated, tmp_path, builder(), provider(tmp_path, name="others"))
    assert "names provider 'tools', which is not given; given: others" in str(error)


def test_names_of_tools_are_listed(tmp_path: Path) -> None:
    """By the name of a provider, for which a server lives only as long as that takes."""
    made = designer("http://127.0.0.1:9/v1", tmp_path, [provider(tmp_path, "echo", "add")])
    assert made.list_mcp_tool_names("tools") == ["echo", "add"]
    assert wait_for_none(tmp_path) == []
    with pytest.raises(ValueError, match="there is no tool provider 'x'; there are tools"):
        made.list_mcp_tool_names("x")


def test_providers_are_checked_when_they_are_given(tmp_path: Path) -> None:
    """Names differ, and each is one."""
    with pytest.raises(ValueError, match="two providers named tools"):
        designer("http://127.0.0.1:9/v1", tmp_path, [provider(tmp_path), provider(tmp_path)])
    with pytest.raises(InvalidConfigError, match="mcp_providers holds str"):
        designer("http://127.0.0.1:9/v1", tmp_path, ["tools"])
