"""The Plan and its parts: frozen, picklable, printable values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from data_designer.config.base import SingleColumnConfig, SkipConfig
from data_designer.config.data_designer_config import DataDesignerConfig
from data_designer.config.models import (
    BaseInferenceParams,
    ChatCompletionInferenceParams,
    EmbeddingInferenceParams,
    GenerationType,
    ModelConfig,
    ModelProvider,
    Price,
)
from data_designer.config.run_config import RunConfig
from data_designer.plan.tools import ToolSet
from data_designer.plan.user_code import UserCode

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MakeClient: TypeAlias = Callable[[], "AsyncOpenAI"]
"""Gives a client of the `openai` package, a new one each time; a function of the user."""

LOCAL = ""
"""The pool of CPU work, `local`: its key is no alias, whatever users call theirs."""

Scope = Literal["cell", "batch"]
_TEXTS_A_REQUEST = 100
"""Texts of which vectors are asked for at once, where nobody says; an endpoint that takes fewer is soon given fewer."""
Config = TypeVar("Config", bound=SingleColumnConfig)


@dataclass(frozen=True, slots=True)
class Step:
    """Makes columns from columns."""

    name: str
    """The column's name, or what the kind calls its joint step."""
    configs: tuple[SingleColumnConfig, ...]
    """The one column's config; of a joint step, all that are of its kind."""
    needs: tuple[str, ...]
    """Columns that must exist before a cell can be computed, those of its skip condition included."""
    makes: tuple[str, ...]
    """The column and its side effects, in the order in which outcomes list their values."""
    scope: Scope
    """`cell`: any rows, at any time. `batch`: all live rows of a batch together."""
    pool: str
    """A model alias, or `LOCAL`."""
    required: tuple[str, ...] = ()
    """The part of `needs` through which a skip propagates."""
    skip: SkipConfig | None = None
    propagate_skip: bool = True
    joint: bool = False
    """Whether it makes all columns of its kind, from no other column."""
    cheap: bool = False
    """Whether it may be computed in any pool."""
    asks: tuple[str, ...] = ()
    """Further aliases that it asks; it runs next to the one of its pool."""

    @property
    def kind(self) -> str:
        """The `column_type` of what it makes."""
        return self.configs[0].column_type

    def of(self, config: type[Config]) -> tuple[Config, ...]:
        """Its configs, which are of the class of its kind."""
        return tuple(one for one in self.configs if isinstance(one, config))


def beside(name: str, alias: str) -> str:
    """What is asked of a step's further alias is accounted for under this: the step's name or fingerprint, with it."""
    return f"{name} ({alias})"


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that run in one place without coming back. The unit of scheduling."""

    number: int
    """Its index in `Plan.stages`; stages are numbered so that upstream ones come first."""
    steps: tuple[Step, ...]
    upstream: tuple[int, ...]
    """Stages whose values it needs."""
    depth: int
    """Length of the longest path from a root: deeper stages are served first."""

    @property
    def pool(self) -> str:
        """The pool that all its steps run in."""
        return self.steps[0].pool

    @property
    def asks(self) -> tuple[str, ...]:
        """Further aliases that its steps ask."""
        return tuple(dict.fromkeys(alias for step in self.steps for alias in step.asks))

    @property
    def scope(self) -> Scope:
        """`batch` stages consist of one step."""
        return self.steps[0].scope

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns that must be brought to it."""
        made: set[str] = set()
        needs: dict[str, None] = {}
        for step in self.steps:
            needs.update(dict.fromkeys(name for name in step.needs if name not in made))
            made.update(step.makes)
        return tuple(needs)

    @property
    def makes(self) -> tuple[str, ...]:
        """Columns that it adds."""
        return tuple(name for step in self.steps for name in step.makes)


_NO_CHAT_MODEL = ChatCompletionInferenceParams()
_NO_MODEL = BaseInferenceParams(generation_type=GenerationType.CHAT_COMPLETION)


@dataclass(frozen=True, slots=True)
class Tries:
    """How often and how patiently one request is tried. Times are in seconds."""

    timeout: float
    """Until an attempt is given up."""
    retries: int
    """Attempts that may follow the first one."""
    backoff: float
    """How many times longer each pause between attempts is than the one before."""


_FREE = Price()


@dataclass(frozen=True, slots=True)
class Pool:
    """An endpoint and a cap: `slots` bound the requests in flight there, everywhere together."""

    alias: str
    """What the steps that ask it call it."""
    slots: int
    model: ModelConfig | None
    """None where what answers is no model. Ask the pool, which knows what holds then."""
    provider: ModelProvider
    native: str | None = None
    """How its endpoint is asked to constrain replies in JSON, one of `plan.constraints.FORMS`; None: by the prompt."""
    client: MakeClient | None = field(default=None, repr=False)
    """Gives what its requests go through, where the user does that; None for our own way."""
    rows_a_request: int = 1
    """Rows whose cells are asked for together."""
    tries: Tries | None = None
    """How a request is tried where it is no model; None for as models are: until they answer, or the run stops."""

    @property
    def params(self) -> BaseInferenceParams:
        """How it is asked."""
        return _NO_MODEL if self.model is None else self.model.inference_parameters

    @property
    def chat(self) -> ChatCompletionInferenceParams:
        """How a chat model is asked; nothing is set where it is another one, or none."""
        return params if isinstance(params := self.params, ChatCompletionInferenceParams) else _NO_CHAT_MODEL

    @property
    def model_name(self) -> str:
        """The provider's name of its model; empty where there is none."""
        return "" if self.model is None else self.model.model

    @property
    def generation_type(self) -> str:
        """What its model makes; as a chat model where there is none."""
        return _NO_CHAT_MODEL.generation_type if self.model is None else self.model.generation_type

    @property
    def cells_a_request(self) -> int:
        """How many cells one request may hold, and with it one slot."""
        params = self.params
        return (params.texts_per_request or _TEXTS_A_REQUEST) if isinstance(params, EmbeddingInferenceParams) else 1

    @property
    def price(self) -> Price | None:
        """What tokens cost; nothing where there are none."""
        return _FREE if self.model is None else self.model.price

    @property
    def timeout(self) -> float | None:
        """Seconds until a request is given up, where anything says so."""
        return self.params.timeout if self.tries is None else self.tries.timeout

    @property
    def is_greeted(self) -> bool:
        """Whether a greeting may show that it answers."""
        return self.model is not None and not self.model.skip_health_check

    @property
    def subject(self) -> str:
        """Its name in messages."""
        return f"'{self.alias}'" if self.model is None else f"model '{self.model.model}' (alias '{self.alias}')"

    def with_model(self, name: str) -> "Pool":
        """The same with another model of its provider, where it has one."""
        return self if self.model is None else replace(self, model=self.model.model_copy(update={"model": name}))


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive records that are cut into batches of one size."""

    records: range
    first_batch: int
    buffer_size: int

    @property
    def batches(self) -> range:
        """Their batch numbers; the last batch may be short."""
        return range(self.first_batch, self.first_batch + -(-len(self.records) // self.buffer_size))


@dataclass(frozen=True, slots=True)
class Geometry:
    """Which records belong to which batch.

    Fixed for the life of a dataset, except that records may be added: they form batches of their own, so that what
    is there already stays as it is.
    """

    num_records: int
    buffer_size: int
    earlier: tuple[tuple[int, int], ...] = ()
    """(`num_records`, `buffer_size`) as they were before each time that records were added."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """The records by when they were asked for, in order."""
        spans: list[Span] = []
        start = batch = 0
        for stop, size in (*self.earlier, (self.num_records, self.buffer_size)):
            if stop > start:
                spans.append(Span(range(start, stop), batch, size))
                start, batch = stop, spans[-1].batches.stop
        return tuple(spans)

    @property
    def num_batches(self) -> int:
        """How many batches there are."""
        return self.spans[-1].batches.stop

    def records(self, batch: int) -> range:
        """Record indices of a batch."""
        span = next(span for span in self.spans if batch in span.batches)
        start = span.records.start + (batch - span.first_batch) * span.buffer_size
        return range(start, min(start + span.buffer_size, span.records.stop))

    def batch_of(self, record: int) -> int:
        """The batch that a record belongs to."""
        if not self.earlier:
            return record // self.buffer_size
        span = next(span for span in self.spans if record in span.records)
        return span.first_batch + (record - span.records.start) // span.buffer_size

    def batches_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The batch that each record belongs to, shape [n]."""
        if not self.earlier:
            return rows // self.buffer_size
        batches = np.empty_like(rows)
        for span in self.spans:
            mine = (rows >= span.records.start) & (rows < span.records.stop)
            batches[mine] = span.first_batch + (rows[mine] - span.records.start) // span.buffer_size
        return batches

    def batches(self) -> Iterator[int]:
        """All batch numbers, in order."""
        return iter(range(self.num_batches))

    def extended(self, num_records: int, buffer_size: int) -> "Geometry":
        """With records added. Raises ValueError where there would be fewer."""
        if num_records < self.num_records:
            raise ValueError(f"{num_records} records are fewer than the {self.num_records} asked for before")
        if num_records == self.num_records:
            return self
        return Geometry(num_records, buffer_size, (*self.earlier, (self.num_records, self.buffer_size)))


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled dataset: everything a run needs to know, and nothing that changes while it runs."""

    config: DataDesignerConfig
    """The configuration with seed columns resolved."""
    steps: tuple[Step, ...]
    stages: tuple[Stage, ...]
    pools: Mapping[str, Pool]
    """Model alias to pool; `local` is not among them."""
    geometry: Geometry
    run: RunConfig
    seed: int
    """Key of every random stream of the dataset."""
    fingerprint: str
    fingerprints: Mapping[str, str]
    """Column to a digest of everything that decides its values but the replies of models (`plan.fingerprints`)."""
    code: Mapping[str, UserCode]
    """Column to what the functions of the user do that it calls, for those that call any; as it was when compiled."""
    output_columns: tuple[str, ...]
    """Columns of the final dataset, in the order they are written."""
    dropped_columns: tuple[str, ...]
    """Columns that are made, may be used by others, and stay out of the final dataset."""
    tools: Mapping[str, ToolSet] = field(default_factory=dict)
    """Tool alias to its tools; empty until their servers have been asked (`plan.compile.with_tools`)."""

    def stage_of(self, column: str) -> Stage:
        """The stage that makes a column, or that has a step of that name. Raises KeyError where there is none."""
        for stage in self.stages:
            if column in stage.makes or any(step.name == column for step in stage.steps):
                return stage
        raise KeyError(column)


def asked_beside(plan: Plan) -> dict[str, set[str]]:
    """Alias to the further ones that functions ask which run next to it."""
    asked: dict[str, set[str]] = {}
    for stage in plan.stages:
        if stage.asks:
            asked.setdefault(stage.pool, set()).update(stage.asks)
    return asked
