"""Keys and secret headers go to the endpoint, and nowhere else. Run as a program, it makes a dataset on Ray."""

import contextlib
import gc
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.counting import Endpoint, Reply
from tests.fakes import USUAL, model, provider, stats, told

import data_designer.config as dd
from data_designer.errors import DataDesignerError
from data_designer.interface import DataDesigner

VARIABLE = "SOME_MODELS_KEY"
HEADER = "X-Tenant-Token"
FAULTY = "sim?error_rate=0.1&refusal_rate=0.2&malformed_rate=0.1&reset_rate=0.05&seed=9"
"""A model that does wrong all that a model can do wrong, though never twice at once."""
MODELS = {
    "faulty": FAULTY,
    "revoked before anything": "sim?revoked_after=0",
    "revoked in the middle": f"{FAULTY}&revoked_after=25",
}
RECORDS = 20
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


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Fresh secrets, the key in an environment variable."""
    fresh = Given.fresh()
    monkeypatch.setenv(VARIABLE, fresh.key)
    return fresh


def arrived(url: str, given: Given) -> int:
    """How many requests came with both secrets."""
    expected = (f"Bearer {given.key}", given.header)
    return sum(
        (one["headers"].get("authorization"), one["headers"].get(HEADER.lower())) == expected
        for one in told(url, "log")
    )


def tenant(url: str, header: str, api_key: str = VARIABLE) -> dd.ModelProvider:
    """Where the models are, with a key and a secret header."""
    return provider(url, api_key=api_key, extra_headers={HEADER: header})


def declared(name: str, *, greeted: bool = False) -> dd.DataDesignerConfigBuilder:
    """A text and a structured column of one model."""
    asked = model("a", name, structured_output="auto").model_copy(update={"skip_health_check": not greeted})
    made = dd.DataDesignerConfigBuilder(model_configs=[asked])
    made.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    made.add_column(name="text", column_type="llm-text", model_alias="a", prompt="row {{ id }}")
    schema = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
    made.add_column(
        name="verdict", column_type="llm-structured", model_alias="a", prompt="{{ text }}", output_format=schema
    )
    return made


def designer(path: Path, where: dd.ModelProvider, **run: Any) -> DataDesigner:
    """A designer whose models are at a provider."""
    made = DataDesigner(path, model_providers=[where], auto_configure_logging=False)
    made.set_run_config(dd.RunConfig(**{**USUAL, **run}))
    return made


def make(path: Path, where: dd.ModelProvider, name: str, executor: str = "inline", **more: Any) -> str:
    """Make the dataset with everything that can be written switched on; gives whatever it says of itself."""
    # Whoever asks for resources is served by replicas on Ray alone.
    resources = {"a": {"node:__internal_head__": 0.001}} if executor == "ray" else {}
    maker = designer(
        path, where, executor=executor, buffer_size=10, max_conversation_restarts=0, async_trace=True,
        write_scheduler_events=True, outage_patience=1.0, shutdown_error_rate=0.9, replica_resources=resources,
    )  # fmt: skip
    builder = declared(name)
    said = [repr(maker), repr(where), str(where), repr(builder.get_builder_config())]
    try:
        results = maker.create(builder, num_records=RECORDS, dataset_name="d", **more)
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
    simulated: str, tmp_path: Path, given: Given, heard: Heard, fault: str
) -> None:
    """Not in the dataset's files, the logs, what is printed, the errors or what objects say of themselves."""
    said = make(tmp_path, tenant(simulated, given.header), MODELS[fault])
    assert arrived(simulated, given) > 0
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())
    assert "records=" in heard.caplog.text or "dataset=" in heard.caplog.text


@pytest.mark.parametrize("fault", MODELS)
def test_a_resume_tells_nobody(simulated: str, tmp_path: Path, given: Given, heard: Heard, fault: str) -> None:
    """What a run leaves behind holds nothing that the next one could tell, nor does it keep the key itself."""
    make(tmp_path, tenant(simulated, given.header), MODELS[fault])
    said = make(tmp_path, tenant(simulated, given.header), MODELS[fault], resume="if_possible")
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())


def test_a_key_that_stands_in_the_configuration_itself_is_as_secret(
    simulated: str, tmp_path: Path, given: Given, heard: Heard
) -> None:
    """A key that is no variable's name is the key; it is kept as well."""
    said = make(tmp_path, tenant(simulated, given.header, api_key=given.key), FAULTY)
    assert arrived(simulated, given) > 0
    assert all(stats(simulated)["total"][wrong] for wrong in ("errors", "resets", "refusals", "malformed"))
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(said)
    assert not given.stand_in(heard.everything())


def test_a_key_of_a_resolver_is_as_secret(simulated: str, tmp_path: Path, given: Given, heard: Heard) -> None:
    """Wherever keys come from, the dataset knows only what stands in the configuration."""

    class Vault:
        """Knows the key."""

        def resolve(self, secret: str) -> str:
            """Give it."""
            assert secret == "vault:models"  # noqa: S105 - it names a secret and is none
            return given.key

    where = tenant(simulated, given.header, api_key="vault:models")
    maker = DataDesigner(tmp_path, model_providers=[where], secret_resolver=Vault(), auto_configure_logging=False)
    maker.set_run_config(dd.RunConfig(**USUAL, disable_early_shutdown=True, max_conversation_restarts=0))
    results = maker.create(declared(FAULTY), num_records=RECORDS)
    assert arrived(simulated, given) > 0
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(repr(maker) + repr(results.plan) + heard.everything())


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
def test_an_endpoint_that_repeats_the_secrets_is_not_quoted(
    endpoint: Endpoint, tmp_path: Path, given: Given, heard: Heard, status: int
) -> None:
    """Providers quote keys in their refusals; the reasons of rejected records, the errors and the logs do not."""
    words = f"Incorrect API key provided: {given.key} ({HEADER}: {given.header})"
    with endpoint(lambda prompt: Reply(words, status) if prompt.startswith("row") else Reply("fine")) as counted:
        said = make(tmp_path, tenant(counted.url, given.header), "m")
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
        where = tenant(counted.url, given.header)
        with pytest.raises(DataDesignerError) as caught:
            getattr(designer(tmp_path, where), act)(declared("m", greeted=True))
    said = "".join(traceback.format_exception(caught.value))
    assert "bad key *** of ***" in said
    assert not given.stand_in(said)
    assert given.told_by(tmp_path) == []
    assert not given.stand_in(heard.everything())


def test_a_key_that_is_not_set_is_named_and_not_told(tmp_path: Path, given: Given, heard: Heard) -> None:
    """A warning where nobody is asked, else an error: it names the variable, and no other secret of the provider."""
    where = tenant("http://localhost:1/v1", given.header, api_key="NO_SUCH_KEY_HERE")
    designer(tmp_path, where).validate(declared("m"))
    assert "NO_SUCH_KEY_HERE, which is not set" in heard.everything()
    with pytest.raises(DataDesignerError, match="NO_SUCH_KEY_HERE") as caught:
        designer(tmp_path, where).preview(declared("m"))
    assert not given.stand_in("".join(traceback.format_exception(caught.value)) + heard.everything())


# --- on Ray ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clusters")
def test_a_run_on_ray_tells_nobody(simulated: str, tmp_path: Path, given: Given) -> None:
    """Not in the logs of its session, the tables of actors and jobs, the key-value store, or anything that is said."""
    # A socket's path may not be long, so the session is not below the test's own folder.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as session:
        root = str(Path(__file__).parents[2])
        environment = {**os.environ, "RAY_TMPDIR": session, "RAY_BACKEND_LOG_LEVEL": "debug", "PYTHONPATH": root}
        program = subprocess.run(
            [sys.executable, __file__, simulated, str(tmp_path)],
            input=given.header.encode(),  # Ray keeps the command line, which is no place for secrets.
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        said = program.stdout + program.stderr
        assert program.returncode == 0, said.decode()
        assert arrived(simulated, given) > 0
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
    where = tenant(url, header)
    with connected(4):
        for number, name in enumerate(MODELS.values()):
            look = {"on_batch_complete": lambda _: seen.append(tables())}
            print(make(folder / str(number), where, name, "ray", **look))
    (folder / "tables.txt").write_text("\n".join(seen))


if __name__ == "__main__":
    drive(sys.argv[1], sys.stdin.read(), Path(sys.argv[2]))
