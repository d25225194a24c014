"""How a run behaves; none of it changes what the data means."""

import warnings
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from data_designer.config.base import ConfigBase
from data_designer.config.resume_mode import ResumeMode as ResumeMode  # noqa: PLC0414 - users import it from here too


class JinjaRenderingEngine(StrEnum):
    """How templates are rendered."""

    NATIVE = "native"
    """With all filters and statements of Jinja, in its sandbox."""
    SECURE = "secure"
    """With the filters and statements that the reference of templates lists."""


_LARGEST = (1 << 63) - 1
"""What metadata can hold."""


KeptConversations = Literal["rejected", "all", "none"]
"""Of which cells prompts and replies are kept."""


def does_nothing(setting: str, instead: str, stacklevel: int = 3) -> None:
    """Say that a setting was given with which this version does nothing.

    Args:
        setting: its name.
        instead: what works.
        stacklevel: how far up, from here, the line is that gave it.
    """
    warnings.warn(f"this version does nothing with {setting}; {instead}", UserWarning, stacklevel=stacklevel)


class _Settings(ConfigBase):
    """Settings: a number is neither `true` nor beyond what can be counted."""

    FIELD: ClassVar[str] = "setting"
    _INSTEAD: ClassVar[Mapping[str, str]] = {}
    """Setting with which this version does nothing to what works."""

    @model_validator(mode="after")
    def _say_what_does_nothing(self) -> Self:
        for name in sorted(self.model_fields_set & self._INSTEAD.keys()):
            self._given(name, stacklevel=6)
        return self

    def _given(self, name: str, stacklevel: int) -> None:
        if getattr(self, name) != type(self).model_fields[name].default:
            does_nothing(f"{type(self).__name__}.{name}", self._INSTEAD[name], stacklevel)

    if not TYPE_CHECKING:  # A checker would take any name for a setting.

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name in self._INSTEAD:
                self._given(name, stacklevel=4)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, data: object) -> object:
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and field.annotation is not bool:
                raise ValueError(f"{name} is no matter of yes or no, so it cannot be {value}")
            if isinstance(value, int) and abs(value) > _LARGEST:
                raise ValueError(f"{name} is too large: at most {_LARGEST}")
        return data


class RequestAdmissionTuningConfig(_Settings):
    """How the number of requests in flight follows what an endpoint refuses (429).

    It never exceeds `max_parallel_requests`.
    """

    multiplicative_decrease_factor: float = Field(default=0.75, gt=0, lt=1)
    """What the number is multiplied by where a number that had been fine is refused."""
    additive_increase_step: int = Field(default=1, ge=1)
    """Requests that are added when enough were answered."""
    successes_until_increase: int = Field(default=25, ge=1)
    """Answers without a refusal after which they are added."""
    cooldown_seconds: float = Field(default=2.0, gt=0)
    """Seconds for which nothing is sent after a refusal that does not say itself how long."""
    startup_ramp_seconds: float = Field(default=0.0, ge=0)
    """Seconds over which the number rises from 1 at the beginning of a run; 0 begins with all."""


class ThrottleConfig(_Settings):
    """Deprecated form of `RequestAdmissionTuningConfig`, taken as `RunConfig(throttle=...)` with a warning."""

    _INSTEAD: ClassVar[Mapping[str, str]] = {
        "ceiling_overshoot": "the number of requests in flight never exceeds max_parallel_requests"
    }

    reduce_factor: float = Field(default=0.75, gt=0, lt=1)
    """`multiplicative_decrease_factor`."""
    additive_increase: int = Field(default=1, ge=1)
    """`additive_increase_step`."""
    success_window: int = Field(default=25, ge=1)
    """`successes_until_increase`."""
    cooldown_seconds: float = Field(default=2.0, gt=0)
    """`cooldown_seconds`."""
    ceiling_overshoot: float = Field(default=0.10, ge=0)
    """Does nothing, and is warned of: requests in flight never exceed `max_parallel_requests`."""
    rampup_seconds: float = Field(default=0.0, ge=0)
    """`startup_ramp_seconds`."""

    def to_request_admission_tuning(self) -> RequestAdmissionTuningConfig:
        """The same in today's form."""
        return RequestAdmissionTuningConfig(
            multiplicative_decrease_factor=self.reduce_factor,
            additive_increase_step=self.additive_increase,
            successes_until_increase=self.success_window,
            cooldown_seconds=self.cooldown_seconds,
            startup_ramp_seconds=self.rampup_seconds,
        )


class Budget(_Settings):
    """What a dataset may cost; what earlier runs of it spent counts, except for the time.

    A request is sent only if the most that it may come to still fits, so the budget is not exceeded. When it is used
    up the run stops as if it had been interrupted: what is complete is committed, and everything is resumable.
    """

    usd: float | None = Field(default=None, gt=0)
    """US dollars, by the prices of the models, all of which need one."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens, in and out."""
    requests: int | None = Field(default=None, ge=1)
    """Requests, attempts that failed included."""
    seconds: float | None = Field(default=None, gt=0)
    """Seconds of this run; those of earlier runs do not count."""

    @model_validator(mode="after")
    def _limits_something(self) -> "Budget":
        if not self.model_fields_set or all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("the budget limits nothing; give usd, tokens, requests or seconds")
        return self

    @property
    def limits_spending(self) -> bool:
        """Whether it limits anything but the time."""
        return any(part is not None for part in (self.usd, self.tokens, self.requests))


class RunConfig(_Settings):
    """Settings of `create` and `preview`: how a dataset is made.

    Give them to `DataDesigner.set_run_config`, or on the command line as `--set NAME=VALUE` and `--run-config FILE`.
    """

    disable_early_shutdown: bool = False
    """Attempt every record whatever fails; sets `shutdown_error_rate` to 1."""
    shutdown_error_rate: float = Field(default=0.5, ge=0, le=1)
    """Stop the run, resumably, when more than this share of a column's recent cells failed; only columns that ask a
    model or a service count. 0 to 1."""
    shutdown_error_window: int = Field(default=10, ge=1)
    """How many of a column's last cells are looked at for that; fewer never stop a run. Where several records share
    a request, that many times more."""
    buffer_size: int = Field(default=1000, gt=0)
    """Records a batch: what is held in memory, written, committed and resumed together."""
    max_concurrent_row_groups: int = Field(default=3, ge=1)
    """Batches open at once; counts only when set, else as many are open as the model slots need."""
    max_in_flight_tasks: int = Field(default=1024, ge=1)
    """Rows handed out at once to whatever computes them; counts only when set, else as many as slots can use."""
    non_inference_max_parallel_workers: int = Field(default=4, ge=1)
    """CPU tasks (samplers, expressions, validators, functions of batches) running at once, over the whole cluster."""
    max_conversation_restarts: int = Field(default=5, ge=0)
    """Fresh conversations for a cell after one whose replies cannot be used, before its record is rejected."""
    max_conversation_correction_steps: int = Field(default=0, ge=0)
    """Turns in each conversation that tell the model what was wrong with its reply. A cell costs at most (1 +
    restarts) x (1 + corrections) requests."""
    async_trace: bool = False
    """Fill `results.task_traces`: when each cell, and each CPU task, began, took its slot and was done; the latest
    100,000 of them. The variable `DATA_DESIGNER_ASYNC_TRACE=1` does the same."""
    write_scheduler_events: bool = False
    """Write what the scheduler is told and decides to `scheduler_events.jsonl` in the dataset's folder, 64 MB a run at
    most; see the how-to on traces for its fields. Only `create` does."""
    display_tui: bool = False
    """The live panel, where standard error is a terminal, else lines. Unset, the same; set to False, lines."""
    progress: Literal["auto", "panel", "lines", "json", "none"] = "auto"
    """How progress is shown: `panel` as `display_tui`, `lines` in the log, `json` an object a line on standard output,
    `none`. `auto` leaves it to `display_tui`; in a notebook it is shown below the cell."""
    progress_interval: float = Field(default=5.0, gt=0)
    """Seconds between lines of progress, and between objects of `json`."""
    otel_metrics_port: int | None = Field(default=9464, ge=1, le=65535)
    """Port of this machine's loopback at which a run's metrics can be read at `/metrics`, in the form of Prometheus;
    None for none. Where it is taken, the run goes on without."""
    preserve_dropped_columns: bool = True
    """Keep columns that are dropped in `dropped-columns-parquet-files/`."""
    jinja_rendering_engine: JinjaRenderingEngine = JinjaRenderingEngine.SECURE
    """How templates are rendered."""
    request_admission: RequestAdmissionTuningConfig | None = None
    """How the number of requests in flight follows what an endpoint refuses; unset, with the defaults of its class."""
    seed: int | None = Field(default=None, ge=0)
    """Same seed, same data; unset, a fresh one is drawn and written to the metadata, where a resume finds it."""
    executor: Literal["auto", "ray", "inline"] = "auto"
    """Where work runs, which begins in this process. `ray`: Ray joins as soon as it is up. `auto`: the same where a Ray
    is there already, else Ray joins if this process is short of CPU while others are idle. `inline`: Ray never does."""
    replicas_per_model: int | None = Field(default=None, ge=1)
    """Processes a model alias; unset, as many as its slots (256 each) and the CPUs ask for."""
    replica_resources: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Model alias to Ray resources that each of its processes asks for, such as `{"writer": {"near_gpu": 0.01}}`, and
    so to the nodes that have these. Processes of aliases that are not named may be on any node."""
    outage_patience: float = Field(default=1800.0, gt=0)
    """Seconds an endpoint, or a provider of tools, that has worked may be down before the run stops."""
    max_parallel_tool_calls: int = Field(default=64, ge=1)
    """Calls under way at once at each provider of tools, in each process of a model alias."""
    on_row_failure: Literal["drop", "null", "refill"] = "drop"
    """What becomes of a record when a cell of it fails for good: it is left out; or the cell is null, and so is what is
    made from it; or it is left out and further records are drawn until there are as many as were asked for."""
    refill_candidates: int | None = Field(default=None, ge=1)
    """Further records that `refill` may draw; unset, as many as were asked for."""
    budget: Budget | None = None
    """What the dataset may cost at most; unset, anything."""
    keep_conversations: KeptConversations = "rejected"
    """Of which cells rendered prompts, replies, corrections and failed attempts are written to `conversations/`:
    `rejected`, those that failed; `all`; `none`. At most 1 MB a cell; `data-designer show` prints them."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_names(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "progress_bar" in data:
            _deprecated("progress_bar", "display_tui")
            data.setdefault("display_tui", data.pop("progress_bar"))
            data.pop("progress_bar", None)
        if data.get("throttle") is not None:
            _deprecated("throttle", "request_admission")
            if data.get("request_admission") is not None:
                raise ValueError("give either throttle or request_admission, not both")
            throttle = data.pop("throttle")
            throttle = throttle if isinstance(throttle, ThrottleConfig) else ThrottleConfig.model_validate(throttle)
            data["request_admission"] = throttle.to_request_admission_tuning()
        data.pop("throttle", None)
        return data

    @property
    def effective_shutdown_error_rate(self) -> float:
        """The rate that is in force: 1.0, which no run exceeds, where early shutdown is disabled."""
        return 1.0 if self.disable_early_shutdown else self.shutdown_error_rate

    @property
    def progress_bar(self) -> bool:
        """Deprecated name of `display_tui`."""
        _deprecated("progress_bar", "display_tui", stacklevel=3)
        return self.display_tui

    @progress_bar.setter
    def progress_bar(self, value: bool) -> None:
        _deprecated("progress_bar", "display_tui", stacklevel=7)
        self.display_tui = value


def _deprecated(old: str, new: str, stacklevel: int = 5) -> None:
    warnings.warn(f"RunConfig.{old} is deprecated; use {new}", DeprecationWarning, stacklevel=stacklevel)
