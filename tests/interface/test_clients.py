"""Providers that are asked through clients of the user: what runs make, and what is refused."""

import threading
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.counting import Endpoint
from tests.fakes import USUAL, model, numbered, rows, told
from tests.replies import LIMIT, Failing, answer

import data_designer.config as dd
from data_designer.errors import InvalidConfigError, ModelAPIConnectionError, UnknownProviderError
from data_designer.interface import DataDesigner, DataDesignerGenerationError
from data_designer.plan.model import MakeClient

TOKEN = "entra-token-0123456789"  # noqa: S105 - no secret


def azure(url: str) -> MakeClient:
    """Gives clients of Azure's form at an address."""

    async def token() -> str:
        return TOKEN

    base = url.removesuffix("/v1")
    return lambda: openai.AsyncAzureOpenAI(azure_endpoint=base, api_version="2", azure_ad_token_provider=token)


def designer(path: Path, make: Any, **run: Any) -> DataDesigner:
    """A designer that asks provider `azure` through a client."""
    made = DataDesigner(path, clients={"azure": make}, auto_configure_logging=False)
    made.set_run_config(dd.RunConfig(**{**USUAL, **run}))
    return made


def declared(name: str = "gpt") -> dd.DataDesignerConfigBuilder:
    """A text and a structured column of one model."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[dd.ModelConfig(alias="m", model=name, provider="azure")])
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    builder.add_column(name="text", column_type="llm-text", prompt="About {{ id }}", model_alias="m")
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    return builder.add_column(
        name="score", column_type="llm-structured", prompt="Rate {{ text }}", model_alias="m", output_format=schema
    )


@pytest.mark.usefixtures("processes")
def test_a_run_asks_through_the_client_and_makes_the_same_data(simulated: str, tmp_path: Path) -> None:
    """Check, probe and cells all carry its token to its address; the provider need not be declared."""
    made = designer(tmp_path / "a", azure(simulated)).create(declared(), num_records=12).load_dataset()
    sent = [one["headers"].get("authorization") for one in told(simulated, "log")]
    assert set(sent) == {f"Bearer {TOKEN}"}
    assert len(sent) >= 2 * 12 + 1
    lean = DataDesigner(tmp_path / "b", model_providers=[dd.ModelProvider(name="azure", endpoint=simulated)])
    lean.set_run_config(dd.RunConfig(**USUAL))
    assert made.equals(lean.create(declared(), num_records=12).load_dataset())


@pytest.mark.usefixtures("processes")
def test_a_client_is_made_once_for_a_run_in_this_process_and_closed_after_it(simulated: str, tmp_path: Path) -> None:
    """The check before the run and all aliases share it."""
    made: list[openai.AsyncOpenAI] = []

    def make() -> openai.AsyncOpenAI:
        made.append(openai.AsyncOpenAI(base_url=simulated, api_key="k"))
        return made[-1]

    models = [dd.ModelConfig(alias=alias, model=alias, provider="azure") for alias in ("a", "b")]
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.add_column(name="id", column_type="sampler", sampler_type="uuid", params={})
    for one in models:
        builder.add_column(name=one.alias, column_type="llm-text", prompt="About {{ id }}", model_alias=one.alias)
    designer(tmp_path, make).create(builder, num_records=3)
    assert [client.is_closed() for client in made] == [True]


SLOTS, RECORDS = 4, 20


def begin(url: str, path: Path) -> None:
    """Make texts about seed rows through a client, or go on with that."""
    builder = dd.DataDesignerConfigBuilder(model_configs=[model("m", provider="azure", max_parallel_requests=SLOTS)])
    builder.with_seed_dataset(numbered())
    builder.add_column(name="text", column_type="llm-text", prompt="row {{ n }}", model_alias="m")
    made = designer(path, lambda: openai.AsyncOpenAI(base_url=url, api_key="k"))
    made.create(builder, num_records=RECORDS, dataset_name="d", resume="if_possible")


@pytest.mark.usefixtures("processes")
def test_failures_that_may_pass_reject_no_row(endpoint: Endpoint, tmp_path: Path) -> None:
    """They are tried again by us: the client tries each once."""
    with endpoint(Failing(5, 503)) as counted:
        first = threading.Thread(target=begin, args=(counted.url, tmp_path), daemon=True)
        first.start()
        while first.is_alive() and len(counted.prompts) < 12:
            first.join(0.01)
        counted.behave = answer
        first.join(LIMIT)
    assert rows(tmp_path / "d")["text"].tolist() == [f"<row {n}>" for n in range(RECORDS)]


WRONG: dict[str, tuple[Any, str]] = {
    "no mapping": ([openai.AsyncOpenAI], "clients are a mapping of names of providers to functions"),
    "no function": ({"azure": openai.AsyncOpenAI(api_key="k")}, "clients\\['azure'\\] is no function"),
    "another API": ({"simulated": lambda: None}, "of type 'simulated'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_clients_are_refused(what: str) -> None:
    """Before anything is asked."""
    clients, expected = WRONG[what]
    with pytest.raises(InvalidConfigError, match=expected):
        DataDesigner(clients=clients)


def _wrong() -> Any:
    return "no client"


def test_a_function_that_gives_no_client_ends_the_run_with_its_name(tmp_path: Path) -> None:
    """Before any row."""
    with pytest.raises(DataDesignerGenerationError, match="_wrong of clients\\['azure'\\] gave builtins.str"):
        designer(tmp_path, _wrong).preview(declared())


@pytest.mark.usefixtures("processes")
def test_what_an_endpoint_serves_is_listed(simulated: str, tmp_path: Path) -> None:
    """By a client of the user, by a provider, or by an address."""
    made = designer(tmp_path, lambda: openai.AsyncOpenAI(base_url=simulated, api_key="k"))
    assert made.list_served_models("azure") == ["simulated"]
    assert made.list_served_models(f"{simulated}/chat/completions") == ["simulated"]
    assert made.list_served_models("simulated") == ["simulated"]
    with pytest.raises(UnknownProviderError):
        made.list_served_models("nope")
    with pytest.raises(ModelAPIConnectionError, match="http://127.0.0.1:9: no reply"):
        made.list_served_models("http://127.0.0.1:9/v1")
