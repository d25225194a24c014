"""Keys and secret headers go to the endpoint, and nowhere else. Run as a program, it makes a dataset on Ray."""

import contextlib
import gc
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import data_designer.config as dd
from data_designer.errors import DataDesignerError
from data_designer.interface import DataDesigner
from data_designer.models.simulated import SimulatedModel, SimulatedServerProcess

Endpoint = Callable[..., Any]

VARIABLE = "SOME_MODELS_KEY"
HEADER = "X-Tenant-Token"
FAULTY = "sim?error_rate=0.1&refusal_rate=0.2&malformed_rate=0.1&reset_rate=0.05"
"""A model that does wrong all that a model can do wrong."""
MODELS = {
    "faulty": FAULTY,
    "revoked before anything": "sim?revoked_after=0",
    "revoked in the middle": f"{FAULTY}&revoked_after=25",
}
RECORDS = 40
LIMIT = 120.0


@dataclass(frozen=True)
class Given:
    """Two secrets that nobody could guess."""

    key: str
    header: str

    @classmethod
    def fresh(cls) -> "Given":
        """New ones, so that they stand nowhere yet."""
        return cls(f"sk-{secrets.token_hex(16)}", f"tenant-{secrets.token_hex(16)}")

    def stand_in(self, content: str | bytes) -> bool:
        """Whether a text tells one of them."""
        data = content.encode() if isinstance(content, str) else content
        return any(secret.encode() in data for secret in (self.key, self.header))

    def told_by(self, folder: Path) -> list[str]:
        """Files below a folder that tell one of them, in name or content."""
        found = []
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # Ray takes its sockets away when it ends.
                if self.stand_in(str(path)) or (path.is_file() and self.stand_in(path.read_bytes())):
                    found.append(str(path.relative_to(folder)))
        return found


class Reply:
    """What the counting endpoint does with one request."""

    def __init__(self, text: str, status: int = 200) -> None:
        self.text, self.status, self.seconds = text, status, 0.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A simulated model that logs the headers it is sent."""
    with SimulatedServerProcess(SimulatedModel(), log=True) as address:
        yield address


@pytest.fixture
def given(server: str, monkeypatch: pytest.MonkeyPatch) -> Given:
    """Fresh secrets, the key in an environment variable, and a server that has not seen them."""
    with urllib.request.urlopen(server.replace("/v1", "/reset"), data=b"") as reply:  # noqa: S310 - a loopback address
        reply.read()
    fresh = Given.fresh()
    monkeypatch.setenv(VARIABLE, fresh.key)
    return fresh


def arrived(url: str, given: Given) -> int:
    """How many requests came with both secrets."""
    with urllib.request.urlopen(url.replace("/v1", "/log")) as reply:  # noqa: S310 - a loopback address
        log = json.loads(reply.read())
    expected = (f"Bearer {given.key}", given.header)
    return sum((one["headers"].get("authorization"), one["headers"].get(HEADER.lower())) == expected for one in log)


def provider(url: str, header: str, api_key: str = VARIABLE) -> dd.ModelProvider:
    """Where the models are, with a key and a secret header."""
    return dd.ModelProvider(name="p", endpoint=url, api_key=api_key, extra_headers={HEADER: header})


def story(model: str, *, checked: bool = False) -> dd.DataDesignerConfigBuilder:
    """A text and a structured column of one model."""
    params = dd.ChatCompletionInferenceParams(max_parallel_requests=4, structured_output="auto")
    config = dd.ModelConfig(
        alias="a", model=model, provider="p", inference_parameters=params, skip_health_check=not checked
    )
    made = dd.DataDesignerConfigBuilder(model_configs=[config])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="a", prompt="row {{ id }}")
    schema = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
    made.add_column(
        name="verdict", column_type="llm-structured", model_alias="a", prompt="{{ text }}", output_format=schema
    )
    return made


def make(path: Path, where: dd.ModelProvider, model: str, executor: str, **more: Any) -> str:
    """Make the story with everything that can be written switched on; gives whatever it says of itself."""
    designer = DataDesigner(path, model_providers=[where], auto_configure_logging=False)
    run = {"seed": 1, "buffer_size": 10, "max_conversation_restarts": 0, "async_trace": True}
    designer.set_run_config(
        dd.RunConfig(
            executor=executor, write_scheduler_events=True, outage_patience=1.0, shutdown_error_rate=0.9, **run
        )
    )
    builder = story(model)
    said = [repr(designer), repr(where), str(where), repr(builder.get_builder_config())]
    try:
        results = designer.create(builder, num_records=RECORDS, dataset_name="d", **more)
    except DataDesignerError as error:
        said.append("".join(traceback.format_exception(error)))
    else:
        said += [repr(results), repr(results.plan), repr(results.outcomes), str(results.early_shutdown)]
        said += [repr(results.task_traces), results.load_rejected().to_csv(), results.load_dataset().to_csv()]
    return "\n".join(said)


@dataclass
class Heard:
    """What was logged and printed while a test ran."""

    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]

    def everything(self) -> str:
        """Messages, arguments and traces of all records, of whatever logger; standard output and error."""
        records = [str(record.__dict__) + str(record.exc_info) + record.getMessage() for record in self.caplog.records]
        gc.collect()  # What a task leaves behind unawaited is told of now.
        return "\n".join([*records, self.caplog.text, *self.capfd.readouterr()])


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Heard:
    """Everything is logged, down to the debugging of the event loop and of the connections."""
    caplog.set_level(logging.DEBUG)
    for name in ("data_designer", "asyncio", "aiohttp", "aiohttp.client", "ray"):
        caplog.set_level(logging.DEBUG, name)
    return Heard(caplog, capfd)


@pytest.mark.parametrize("fault", MODELS)
def test_a_run_in_this_process_tells_nobody(
    server: str, tmp_path: Path, given: Given, heard: Heard, fault: str
) -> None:
    """Not in the dataset's files, the logs, what is printed, the errors or what objects say of themselves."""
    said = make(tmp_path, provider(server, given.header), MODELS[fault], "inline")
    assert arrived(server, given) > 0
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())
    assert "records=" in heard.caplog.text or "dataset=" in heard.caplog.text


@pytest.mark.parametrize("fault", MODELS)
def test_a_resume_tells_nobody(server: str, tmp_path: Path, given: Given, heard: Heard, fault: str) -> None:
    """What a run leaves behind holds nothing that the next one could tell, nor does it keep the key itself."""
    make(tmp_path, provider(server, given.header), MODELS[fault], "inline")
    said = make(tmp_path, provider(server, given.header), MODELS[fault], "inline", resume="if_possible")
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())


def test_a_key_that_stands_in_the_configuration_itself_is_as_secret(
    server: str, tmp_path: Path, given: Given, heard: Heard
) -> None:
    """A key that is no variable's name is the key; it is kept as well."""
    said = make(tmp_path, provider(server, given.header, api_key=given.key), FAULTY, "inline")
    assert arrived(server, given) > 0
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())


def test_a_key_of_a_resolver_is_as_secret(server: str, tmp_path: Path, given: Given, heard: Heard) -> None:
    """Wherever keys come from, the dataset knows only what stands in the configuration."""

    class Vault:
        """Knows the key."""

        def resolve(self, secret: str) -> str:
            """Give it."""
            assert secret == "vault:models"  # noqa: S105 - it names a secret and is none
            return given.key

    where = provider(server, given.header, api_key="vault:models")
    designer = DataDesigner(tmp_path, model_providers=[where], secret_resolver=Vault(), auto_configure_logging=False)
    designer.set_run_config(dd.RunConfig(executor="inline", disable_early_shutdown=True))
    results = designer.create(story(FAULTY), num_records=10)
    assert arrived(server, given) > 0
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(repr(designer) + repr(results.plan) + heard.everything())


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_an_endpoint_that_repeats_the_secrets_is_not_quoted(
    endpoint: Endpoint, tmp_path: Path, given: Given, heard: Heard, status: int
) -> None:
    """Providers quote keys in their refusals; the reasons of rejected records, the errors and the logs do not."""
    words = f"Incorrect API key provided: {given.key} ({HEADER}: {given.header})"
    with endpoint(lambda prompt: Reply(words, status) if prompt.startswith("row") else Reply("fine")) as counted:
        said = make(tmp_path, provider(counted.url, given.header), "m", "inline")
        assert len(counted.prompts) > 0
    assert f"HTTP {status}: Incorrect API key provided: ***" in said
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())


@pytest.mark.parametrize("act", ["check_models", "create", "preview"])
def test_a_check_that_fails_tells_nobody(
    endpoint: Endpoint, tmp_path: Path, given: Given, heard: Heard, act: str
) -> None:
    """The greeting before a run fails with the provider's words, but for the secrets in them."""
    with endpoint(lambda _: Reply(f"bad key {given.key} of {given.header}", 401)) as counted:
        where = provider(counted.url, given.header)
        designer = DataDesigner(tmp_path, model_providers=[where], auto_configure_logging=False)
        designer.set_run_config(dd.RunConfig(executor="inline"))
        with pytest.raises(DataDesignerError) as caught:
            getattr(designer, act)(story("m", checked=True))
    said = "".join(traceback.format_exception(caught.value))
    assert "bad key *** of ***" in said
    assert not given.stand_in(said)
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(heard.everything())


def test_a_key_that_is_not_set_is_named_and_not_told(tmp_path: Path, given: Given, heard: Heard) -> None:
    """A violation names the variable; other secrets of the provider are not mentioned."""
    where = provider("http://localhost:1/v1", given.header, api_key="NO_SUCH_KEY_HERE")
    designer = DataDesigner(tmp_path, model_providers=[where], auto_configure_logging=False)
    with pytest.raises(DataDesignerError, match="NO_SUCH_KEY_HERE") as caught:
        designer.validate(story("m"))
    assert not given.stand_in("".join(traceback.format_exception(caught.value)) + heard.everything())


# --- on Ray ------------------------------------------------------------------------------------------------------


@pytest.mark.ray
def test_a_run_on_ray_tells_nobody(server: str, tmp_path: Path, given: Given) -> None:
    """Not in the logs of its session, the tables of actors and jobs, the key-value store, or anything that is said."""
    # A socket's path may not be long, so the session is not below the test's own folder.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as session:
        environment = {**os.environ, "RAY_TMPDIR": session, "RAY_BACKEND_LOG_LEVEL": "debug"}
        program = subprocess.run(
            [sys.executable, __file__, server, str(tmp_path)],
            input=given.header.encode(),  # Ray keeps the command line, which is no place for secrets.
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        said = program.stdout + program.stderr
        assert program.returncode == 0, said.decode()
        assert arrived(server, given) > 0
        logs = [path for path in Path(session).rglob("*") if path.is_file() and "logs" in path.parts]
        assert any(path.stat().st_size for path in logs)
        assert given.told_by(Path(session)) == []
    assert (tmp_path / "tables.txt").stat().st_size > 0
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)


def tables() -> str:
    """What Ray keeps of actors, jobs, nodes and runtime environments while a run is on, and its key-value store."""
    import ray
    from ray._private.state import state
    from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_list

    found: list[Any] = [ray.get_runtime_context().runtime_env, state.actor_table(None), state.job_table()]
    found += [state.node_table(), str(state.actor_table(None))]
    for namespace in (None, b"fun", b"job", b"runtime_env", b"session"):
        for key in _internal_kv_list(b"", namespace=namespace):
            # Bytes as they are: a repr would hide nothing that is ASCII.
            found += [key, _internal_kv_get(key, namespace=namespace)]
    actors = state.actor_table(None)
    assert any("ReplicaActor" in str(actor) for actor in actors.values()), actors
    return "\n".join(map(str, found))


def drive(url: str, header: str, folder: Path) -> None:
    """Make three datasets on Ray, looking into its tables meanwhile."""
    from data_designer.distributed.cluster import connected

    logging.basicConfig(level=logging.DEBUG)
    seen: list[str] = []
    where = provider(url, header)
    with connected(4):
        for number, model in enumerate(MODELS.values()):
            look = {"on_batch_complete": lambda _: seen.append(tables())}
            print(make(folder / str(number), where, model, "ray", **look))
    (folder / "tables.txt").write_text("\n".join(seen))


if __name__ == "__main__":
    drive(sys.argv[1], sys.stdin.read(), Path(sys.argv[2]))
