"""Every kind of column that asks somebody: what each asks for, and how it is made, gone on with and looked at.

All ask the simulated model, by way of a gate that counts.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pandas as pd
from tests.fakes import USUAL, model, numbered, provider, rows
from tests.gate import VALIDATOR, Asked, Gate, gate
from tests.interface import asking, showing
from tests.interface.resuming import none_may_be_complete
from tests.plugin_package import install
from tests.programs import started
from tests.tool_server import called
from tests.tool_server import provider as tool_provider

import data_designer.config as dd
from data_designer.engine.dataset.store import Store
from data_designer.engine.dataset.totals import total
from data_designer.interface import DataDesigner
from data_designer.interface.judge_profiles import read_summaries
from data_designer.interface.stored import StoredDataset

RECORDS, BATCH, SLOTS = 12, 5, 3
PATIENCE = 300
"""Seconds for which a request is waited for, since some are held until a machine that is busy comes to it."""
TOOL = "tool"
"""The model that calls of tools are counted under."""
Builder = dd.DataDesignerConfigBuilder


@dataclass(frozen=True)
class Kind:
    """A kind of column, with as few others as it takes to show it."""

    declared: Callable[[str, Path], Builder]
    """From the address of the models and a folder of the test to a declaration."""
    asks: Mapping[str, int]
    """Model to how many things it is asked by an undisturbed run."""
    together: int = 1
    """Things that may share a request."""
    replicas: int = 3
    """Of each alias that it takes for every one of three machines to have some."""
    needs: tuple[str, ...] = ()
    """Fixtures that its runs take."""
    client: Callable[[str], Any] | None = None
    """Gives the client of the provider's models; None for ours."""
    plugins: tuple[str, ...] = ()
    """Of the installed package that it takes, in processes of their own."""

    def at_most_twice(self) -> dict[str, int]:
        """Model to how many things one death may make it be asked again."""
        return dict.fromkeys(self.asks, SLOTS * self.together)


def _builder(*models: dd.ModelConfig, **more: Any) -> Builder:
    made = Builder(model_configs=list(models), **more)
    return made.with_seed_dataset(numbered())


def _chat(alias: str, name: str | None = None) -> dd.ModelConfig:
    return model(alias, name, max_parallel_requests=SLOTS, timeout=PATIENCE)


def _other(alias: str, name: str, parameters: Any) -> dd.ModelConfig:
    return dd.ModelConfig(
        alias=alias, model=name, provider="p", skip_health_check=True, inference_parameters=parameters
    )


def _text_with_media(_: str, folder: Path) -> Builder:
    """A text about a picture, and one about both."""
    return showing.gallery(folder / "seeds" / "seed.parquet", max_parallel_requests=SLOTS, timeout=PATIENCE)


def _images(name: str) -> Callable[[str, Path], Builder]:
    """An image of a text, an image of that image, and a text about it."""

    def declared(_: str, __: Path) -> Builder:
        made = _builder(_other("m", name, dd.ImageInferenceParams(max_parallel_requests=SLOTS, timeout=PATIENCE)))
        made.add_column(name="photo", column_type="image", model_alias="m", prompt="row {{ n }}")
        photo = [dd.ImageContext(column_name="photo")]
        again = "row {{ n }} anew"
        return made.add_column(
            name="inked", column_type="image", model_alias="m", prompt=again, multi_modal_context=photo
        )

    return declared


def _embedding(_: str, __: Path) -> Builder:
    parameters = dd.EmbeddingInferenceParams(max_parallel_requests=SLOTS, timeout=PATIENCE, texts_per_request=2)
    made = _builder(_other("m", "m", parameters))
    made.add_column(name="text", column_type="expression", expr="row {{ n }}")
    return made.add_column(name="vector", column_type="embedding", target_column="text", model_alias="m")


def _tools(_: str, __: Path) -> Builder:
    """A text for which a model calls two tools at once, twice."""
    tools = [dd.ToolConfig(tool_alias="tools", providers=["tools"], timeout_sec=30.0)]
    made = _builder(_chat("m", "m?tool_turns=2&tool_calls=2"), tool_configs=tools)
    return made.add_column(
        name="text",
        column_type="llm-text",
        model_alias="m",
        prompt="row {{ n }}",
        tool_alias="tools",
        with_trace="all_messages",
    )


def _custom(way: str) -> Callable[[str, Path], Builder]:
    return lambda _, __: asking.declared(way, SLOTS, timeout=PATIENCE)


def _plugin(_: str, __: Path) -> Builder:
    made = _builder(_chat("m"))
    return made.add_column(name="odd", column_type="asking", of="n", model_alias="m")


def _validator(url: str, _: Path) -> Builder:
    made = _builder()
    params = {"endpoint_url": f"{url}/validate", "max_parallel_requests": SLOTS, "timeout": PATIENCE}
    return made.add_column(
        name="verdict",
        column_type="validation",
        target_columns=["n"],
        validator_type="remote",
        validator_params=params,
        batch_size=2,
    )


def _conversation(_: str, __: Path) -> Builder:
    made = _builder(_chat("a"), _chat("b"))
    prompt = "{% if turn < 3 %}row {{ n }}{% else %}{{ last }}{% endif %}"
    roles = [{"name": f"role_{alias}", "model_alias": alias, "prompt": prompt} for alias in ("a", "b")]
    return made.add_column(name="talk", column_type="llm-conversation", roles=roles, max_turns=4)


def _judge(_: str, __: Path) -> Builder:
    made = _builder(_chat("judge"), _chat("writer"))
    scores = [
        dd.Score(name=name, description=f"How {name}?", options={0: "no", 1: "some", 2: "very"})
        for name in ("good", "long")
    ]
    made.add_column(
        name="verdict", column_type="llm-judge", model_alias="judge", prompt="Judge row {{ n }}", scores=scores
    )
    return made.add_profiler(dd.JudgeScoreProfilerConfig(model_alias="writer", summary_score_sample_size=4))


def _through_a_client(_: str, __: Path) -> Builder:
    """A text, its vector and its image, of models of one client."""
    made = _builder(
        _chat("m"),
        _other(
            "e", "e", dd.EmbeddingInferenceParams(max_parallel_requests=SLOTS, timeout=PATIENCE, texts_per_request=1)
        ),
        _other("i", "dall-e-i", dd.ImageInferenceParams(max_parallel_requests=SLOTS, timeout=PATIENCE)),
    )
    made.add_column(name="text", column_type="llm-text", model_alias="m", prompt="row {{ n }}")
    made.add_column(name="vector", column_type="embedding", target_column="text", model_alias="e")
    return made.add_column(name="photo", column_type="image", model_alias="i", prompt="{{ text }}")


def _azure(url: str) -> Any:
    """Gives clients that sign in with tokens of a function."""
    import openai  # It takes a while, which programs of other kinds are spared.

    async def token() -> str:
        return "a token"

    base = url.removesuffix("/v1")
    return lambda: openai.AsyncAzureOpenAI(azure_endpoint=base, api_version="2", azure_ad_token_provider=token)


_ASKING = {"a": 2 * RECORDS, "b": RECORDS}
KINDS: dict[str, Kind] = {
    "text with media": Kind(_text_with_media, {"m": 2 * RECORDS}),
    "image by its own route": Kind(_images("dall-e-m"), {"dall-e-m": 2 * RECORDS}),
    "image by chat": Kind(_images("image-m"), {"image-m": 2 * RECORDS}),
    "embedding": Kind(_embedding, {"m": RECORDS}, together=2),
    "text with tools": Kind(_tools, {"m": 3 * RECORDS, TOOL: 4 * RECORDS}, needs=("processes",)),
    "custom cell": Kind(_custom("waiting"), _ASKING, replicas=2),
    "custom async cell": Kind(_custom("awaiting"), _ASKING, replicas=2),
    "custom full column": Kind(_custom("together"), _ASKING, replicas=2),
    "custom async full column": Kind(_custom("on_a_loop_of_its_own"), _ASKING, replicas=2),
    "column of a plugin": Kind(_plugin, {"m": 2 * RECORDS}, needs=("processes",), plugins=("asking",)),
    "remote validator": Kind(_validator, {VALIDATOR: RECORDS}, together=2),
    "conversation": Kind(_conversation, {"a": 2 * RECORDS, "b": 2 * RECORDS}, replicas=2),
    "judge with profiler": Kind(_judge, {"judge": RECORDS, "writer": 2}),
    "through an openai client": Kind(
        _through_a_client,
        {"m": RECORDS, "e": RECORDS, "dall-e-i": RECORDS},
        replicas=1,
        needs=("processes",),
        client=_azure,
    ),
}


class Made:
    """A dataset as it lies on the disk, which takes no plugin to be read.

    Args:
        folder: in which it is called `d`.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Store.at(folder / "d")
        self._folder = folder / "d"

    @property
    def rows(self) -> pd.DataFrame:
        """All of them."""
        return rows(self._folder)

    @property
    def whole(self) -> int:
        """How many records there are."""
        return total(self._store.receipts()).generated

    @property
    def stopped(self) -> str:
        """Why it stopped early."""
        return self._store.read_metadata().stopped or ""

    @property
    def files(self) -> dict[str, str]:
        """Its images, and what its judges' scores come to, each with a digest of what it holds."""
        paths = (*self._folder.glob("images/**/*"), self._folder / "judge_summaries.json")
        found = (path for path in paths if path.is_file())
        return {str(path.relative_to(self._folder)): sha256(path.read_bytes()).hexdigest() for path in found}

    @property
    def spent(self) -> dict[str, tuple[int, int]]:
        """Requests and calls of tools that it says it took, by what they are accounted for under."""
        spent = {**total(self._store.receipts()).spent, **read_summaries(self._store).spent}
        return {name: (one.usage.requests, one.usage.tool_calls) for name, one in spent.items()}

    def is_sound(self) -> bool:
        """Whether every file is as its receipt says, and nothing else is there."""
        found = StoredDataset.at(self._folder).verify()
        return not (found.problems or found.strays or found.leftovers)


def calls(folder: Path) -> Counter[Asked]:
    """Those that tools got, by what they were called with."""
    return Counter(Asked(TOOL, str(one["arguments"])) for one in called(folder / "tools"))


def models(asked: Counter[Asked]) -> Counter[str]:
    """How much each model was asked."""
    return Counter(one.model for one in asked.elements())


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nothing disturbs."""

    kind: Kind
    made: Made
    asked: Counter[Asked]
    """Calls of tools included."""
    requests: int
    peak: int
    """Of any model, how many were under way at once."""

    @classmethod
    def of(cls, name: str, simulated: str, folder: Path) -> "Undisturbed":
        """Make a dataset of a kind."""
        with gate(simulated) as passed:
            made = make(name, passed.url, folder)
        asked = passed.asked + calls(folder)
        return cls(KINDS[name], made, asked, passed.requests.total(), max(passed.peak.values()))

    def check(self, folder: Path, passed: Gate, twice: Mapping[str, int] | None = None) -> None:
        """Another run has come to the same, asked for the same, and says so.

        Args:
            folder: where its dataset is.
            passed: the gate by which models were asked.
            twice: model to how many things it may have been asked again.
        """
        made, asked = Made(folder), passed.asked + calls(folder)
        pd.testing.assert_frame_equal(made.rows, self.made.rows)
        assert made.files == self.made.files
        assert made.is_sound()
        assert not self.asked - asked
        assert models(asked - self.asked) <= Counter(twice or {})
        if self.kind.together == 1:  # Else it is not always the same things that share a request.
            assert made.spent == self.made.spent
        if not twice:
            assert sum(requests for requests, _ in made.spent.values()) == passed.requests.total()


def make(name: str, url: str, folder: Path, resume: str = "never", **run: Any) -> Made:
    """Make a dataset of a kind, or go on with it; where it takes plugins, in a process that has them."""
    if KINDS[name].plugins:
        program = begun(name, url, folder, resume, **run)
        program.join()
        assert program.exitcode == 0
    else:
        make_here(name, url, folder, resume, run)
    return Made(folder)


def begun(name: str, url: str, folder: Path, resume: str = "never", **run: Any) -> ForkServerProcess:
    """A program that makes it."""
    if KINDS[name].plugins:
        package = folder / "package"
        if not package.exists():
            package.mkdir()
            install(package, plugins=KINDS[name].plugins)
        path = [str(package), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        given = f"{name!r}, {url!r}, Path({str(folder)!r}), {resume!r}, {run!r}"
        program = f"{_ON_RAY if run.get('executor') == 'ray' else ''}{_PROGRAM.format(given)}"
        return started(become, program, os.pathsep.join(path))
    return started(make_here, name, url, folder, resume, run)


_PROGRAM = "from pathlib import Path; from tests.interface.kinds import make_here; make_here({})"
_ON_RAY = """
import os, ray

found = {"PYTHONPATH": os.environ["PYTHONPATH"]}  # The nodes were started without the package.
ray.init(runtime_env={"env_vars": found}, log_to_driver=False, logging_level="ERROR")
"""


def become(code: str, path: str) -> None:
    """Have this process be a Python that has just been started, since plugins are looked for by the first import."""
    os.execve(sys.executable, [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": path})  # noqa: S606


def make_here(name: str, url: str, folder: Path, resume: str, run: dict[str, Any]) -> None:
    """Make a dataset of a kind, or go on with it, at `folder/d`."""
    kind = KINDS[name]
    (folder / "tools").mkdir(exist_ok=True)
    showing.seed(folder / "seeds")
    designer = DataDesigner(
        folder,
        model_providers=[provider(url)] if kind.client is None else None,
        clients={} if kind.client is None else {"p": kind.client(url)},
        mcp_providers=[tool_provider(folder / "tools", "add")],
        auto_configure_logging=False,
    )
    settings = {"buffer_size": BATCH, "max_parallel_tool_calls": SLOTS, **run}
    designer.set_run_config(dd.RunConfig(**{**USUAL, **settings}))
    with none_may_be_complete():
        designer.create(kind.declared(url, folder), num_records=RECORDS, dataset_name="d", resume=resume)
