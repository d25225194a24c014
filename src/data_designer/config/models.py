"""Models, their providers, and how they are asked."""

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from data_designer.config.base import ConfigBase

SIMULATED_PROVIDER = "simulated"
"""Name of the provider that is always there: the embedded simulated model."""
HOW_IT_IS_ASKED = (
    "max_parallel_requests",
    "requests_per_minute",
    "structured_output",
    "texts_per_request",
    "timeout",
    "tokens_per_minute",
)
"""Inference parameters that do not change what the data means."""
LARGEST_REPLY = 64 * 1024 * 1024
"""Bytes of a reply, where the provider does not say."""
GENERATION_TYPES = ("chat-completion", "embedding", "image")
PROVIDER_TYPES: Mapping[str, tuple[str, ...]] = {
    "openai": GENERATION_TYPES,
    "anthropic": ("chat-completion",),
    SIMULATED_PROVIDER: GENERATION_TYPES,
}
"""Each has its wire in `models.wires`."""
UNSEEN_MEDIA: Mapping[str, frozenset[str]] = {"anthropic": frozenset({"audio", "video"})}
"""Provider type to the modalities of media that its API has no form for."""


class GenerationType(StrEnum):
    """What a model makes."""

    CHAT_COMPLETION = "chat-completion"
    """Texts, in conversations."""
    EMBEDDING = "embedding"
    """Vectors of texts."""
    IMAGE = "image"
    """Images."""


# --- distributions of request parameters -------------------------------------------------------------------


def normalised(weights: Sequence[float] | None, values: Sequence[object]) -> list[float] | None:
    """Weights that sum to one, as a new list; checks that they fit the values."""
    if weights is None:
        return None
    if len(weights) != len(values):
        raise ValueError(f"{len(weights)} weights for {len(values)} values; give one weight a value")
    total = sum(weights)
    if total == 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative, nor sum to zero")
    return [weight / total for weight in weights]


class ManualDistributionParams(ConfigBase):
    """Values of a request parameter, and how likely each is."""

    values: list[float] = Field(min_length=1)
    """Numbers to draw from, each within what the parameter allows."""
    weights: list[float] | None = None
    """How likely each value is, one weight a value; they need not sum to one, and become shares that do. Unset, all
    values are equally likely."""

    @model_validator(mode="after")
    def _normalise(self) -> "ManualDistributionParams":
        self.weights = normalised(self.weights, self.values)
        return self


class UniformDistributionParams(ConfigBase):
    """A range of a request parameter, all of whose values are equally likely."""

    low: float
    """The least value; less than `high`, and within what the parameter allows."""
    high: float
    """The greatest value, within what the parameter allows."""

    @model_validator(mode="after")
    def _in_order(self) -> "UniformDistributionParams":
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be less than high ({self.high})")
        return self


class DistributionType(StrEnum):
    """How a parameter is drawn for each request."""

    UNIFORM = "uniform"
    """From a range."""
    MANUAL = "manual"
    """From a list of values."""


class Distribution(ConfigBase, ABC):
    """Base of what draws a parameter for each request."""

    distribution_type: DistributionType
    """How it is drawn."""
    params: Any
    """From what."""

    @abstractmethod
    def sample(self, rng: random.Random | None = None) -> float:
        """Draw a value.

        Args:
            rng: what is drawn from; a fresh generator when not given.
        """


class ManualDistribution(Distribution):
    """Draws one of some values for each request. The same seed draws the same for the same cell."""

    distribution_type: Literal["manual"] = "manual"  # type: ignore[assignment]
    params: ManualDistributionParams
    """The values."""

    def sample(self, rng: random.Random | None = None) -> float:
        """Draw a value.

        Args:
            rng: what is drawn from; a fresh generator when not given.
        """
        return (rng or random.Random()).choices(self.params.values, self.params.weights)[0]

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value it can draw."""
        return min(self.params.values), max(self.params.values)


class UniformDistribution(Distribution):
    """Draws a value of a range for each request. The same seed draws the same for the same cell."""

    distribution_type: Literal["uniform"] = "uniform"  # type: ignore[assignment]
    params: UniformDistributionParams
    """The range."""

    def sample(self, rng: random.Random | None = None) -> float:
        """Draw a value.

        Args:
            rng: what is drawn from; a fresh generator when not given.
        """
        return (rng or random.Random()).uniform(self.params.low, self.params.high)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value it can draw."""
        return self.params.low, self.params.high


def _distribution_kind(value: object) -> str | None:
    if isinstance(value, ManualDistribution | UniformDistribution):
        return value.distribution_type
    if not isinstance(value, dict):
        return None
    params = value.get("params")
    by_shape = "uniform" if isinstance(params, dict) and "low" in params else "manual"
    named = value.get("distribution_type")
    return named if named and isinstance(named, str) else by_shape


AnyDistribution = Annotated[
    Annotated[ManualDistribution, Tag("manual")] | Annotated[UniformDistribution, Tag("uniform")],
    Discriminator(_distribution_kind),
]


# --- inference parameters ----------------------------------------------------------------------------------


class BaseInferenceParams(ConfigBase):
    """What all kinds of requests share.

    Of these only `extra_body` decides what the data is; the others may change between the runs of a dataset.
    """

    generation_type: GenerationType
    """What is asked for: text, vectors or images."""
    max_parallel_requests: int = Field(default=4, ge=1)
    """Requests of this alias in flight at once, over the whole cluster. Fewer are while the endpoint refuses more."""
    timeout: int | None = Field(default=None, ge=1)
    """Seconds until a request is given up and sent again; 60 when unset."""
    extra_body: dict[str, Any] | None = None
    """Further fields of the request, merged flat. The provider's `extra_body` wins over it."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Requests of this alias that are sent in any minute, over the whole cluster; unset, any number."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Tokens, in and out, of this alias in any minute, over the whole cluster; unset, any number."""

    @property
    def generate_kwargs(self) -> dict[str, Any]:
        """The options that are set; distributions are drawn at each access."""
        given = {"timeout": self.timeout, "extra_body": self.extra_body or None}
        return {name: value for name, value in {**self._options(), **given}.items() if value is not None}

    def _options(self) -> dict[str, object]:
        return {}

    def get_formatted_params(self) -> list[str]:
        """Each set parameter as `name=value`."""
        shown = {name: getattr(self, name) for name in type(self).model_fields if name != "generation_type"}
        return [f"{name}={_shown(value)}" for name, value in shown.items() if value is not None]

    def format_for_display(self) -> str:
        """The set parameters in one line."""
        return ", ".join(self.get_formatted_params()) or "(none)"


def _shown(value: object) -> str:
    if isinstance(value, ManualDistribution | UniformDistribution):
        return "dist"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


StructuredOutput = Literal["prompt", "native", "auto"]
Drawable = float | AnyDistribution | None
"""A parameter: unset, fixed, or drawn for each request."""


class ChatCompletionInferenceParams(BaseInferenceParams):
    """How a chat model is asked. What is unset is not sent, so that the endpoint decides."""

    generation_type: Literal["chat-completion"] = "chat-completion"  # type: ignore[assignment]
    temperature: Drawable = None
    """0 to 2, or a distribution from which each request draws."""
    top_p: Drawable = None
    """0 to 1, or a distribution from which each request draws."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Longest reply, in tokens. Text that is cut off there is kept; JSON and code are asked for again."""
    structured_output: StructuredOutput = "prompt"
    """How replies in JSON are asked for: `prompt`, by the prompt; `native`, by constrained decoding at the endpoint,
    refused before the run where it does not work; `auto`, natively where a probe before the run shows that it
    works."""

    @field_validator("temperature")
    @classmethod
    def _temperature_in_range(cls, value: Drawable) -> Drawable:
        return _in_range("temperature", value, 2.0)

    @field_validator("top_p")
    @classmethod
    def _top_p_in_range(cls, value: Drawable) -> Drawable:
        return _in_range("top_p", value, 1.0)

    def _options(self) -> dict[str, object]:
        return {"temperature": _drawn(self.temperature), "top_p": _drawn(self.top_p), "max_tokens": self.max_tokens}


def _in_range(name: str, value: Drawable, highest: float) -> Drawable:
    if value is None:
        return value
    low, high = (value, value) if isinstance(value, int | float) else value.bounds
    if low < 0 or high > highest:
        raise ValueError(f"{name} must be between 0 and {highest:g}; got {low:g} to {high:g}")
    return value


def _drawn(value: Drawable) -> float | None:
    return value.sample() if isinstance(value, ManualDistribution | UniformDistribution) else value


class EmbeddingInferenceParams(BaseInferenceParams):
    """How an embedding model is asked."""

    generation_type: Literal["embedding"] = "embedding"  # type: ignore[assignment]
    encoding_format: Literal["float", "base64"] = "float"
    """How vectors travel: as numbers, or as base64, which is shorter. The dataset is the same."""
    dimensions: int | None = None
    """Length of the vectors that is asked for; a reply with another is asked for again. Unset, that of the first
    vector holds for all."""
    texts_per_request: int | None = Field(default=None, ge=1)
    """Texts of several records that may be asked about in one request; 100 when unset, 1 for a request a record."""

    def _options(self) -> dict[str, object]:
        return {"encoding_format": self.encoding_format, "dimensions": self.dimensions}


class ImageInferenceParams(BaseInferenceParams):
    """How an image model is asked.

    All its options travel in `extra_body`, as the endpoint calls them: `size`, `quality`, `n`.
    """

    generation_type: Literal["image"] = "image"  # type: ignore[assignment]


def _inference_kind(value: object) -> str:
    match value:
        case EmbeddingInferenceParams() | {"generation_type": "embedding"}:
            return "embedding"
        case ImageInferenceParams() | {"generation_type": "image"}:
            return "image"
        case {"encoding_format": _} | {"dimensions": _}:
            return "embedding"
        case _:
            return "chat-completion"


InferenceParams = Annotated[
    Annotated[ChatCompletionInferenceParams, Tag("chat-completion")]
    | Annotated[EmbeddingInferenceParams, Tag("embedding")]
    | Annotated[ImageInferenceParams, Tag("image")],
    Discriminator(_inference_kind),
]


# --- models and providers ----------------------------------------------------------------------------------


class Price(ConfigBase):
    """What a model costs, for `results.outcomes.usd` and for `Budget.usd`."""

    input: float = Field(default=0.0, ge=0)
    """USD a million tokens of prompts."""
    output: float = Field(default=0.0, ge=0)
    """USD a million tokens of replies, those of reasoning included."""
    cached_input: float | None = Field(default=None, ge=0)
    """USD a million tokens of prompts that the provider had in its cache; as other input, when unset."""
    image: float = Field(default=0.0, ge=0)
    """USD an image that is made, beside its tokens."""


class ModelConfig(ConfigBase):
    """A model, as columns know it: by its alias."""

    alias: str
    """The name that columns give as `model_alias`; unique in a configuration."""
    model: str
    """The name by which the provider knows the model."""
    provider: str | None = None
    """Name of a `ModelProvider`; unset, the first that `DataDesigner` was given."""
    inference_parameters: InferenceParams = Field(default_factory=ChatCompletionInferenceParams)
    """How it is asked; their class also says what the model makes. In a file a dict: `generation_type` tells the
    class, else `dimensions` or `encoding_format` mean embeddings, and anything else chat."""
    skip_health_check: bool = False
    """Do not send the model a greeting before a run. One that then never answers ends the run after 60 seconds."""
    price: Price | None = None
    """What it costs; unset, nothing is said of costs, and a budget in USD is refused."""

    @property
    def generation_type(self) -> str:
        """What the model makes."""
        return str(self.inference_parameters.generation_type)


class ModelProvider(ConfigBase):
    """Where models are served.

    Keys, users and passwords are sent, and never shown: not in logs, errors or datasets.
    """

    SHOWN: ClassVar[bool] = False
    """What is wrong with a provider is said without its key."""

    name: str
    """Name by which models know it; unique. `simulated` is always there."""
    endpoint: str = ""
    """Base URL, such as `https://host/v1`; a query stays, and the URL of a route such as `/chat/completions` is
    taken too. It may be left out where `endpoints` or `backend` is given."""
    provider_type: str = "openai"
    """Whose API it speaks: `openai` (chat, embeddings, images; what is compatible with it, too), `anthropic` (chat),
    or `simulated`, which needs no endpoint. Where it is not given that of the backend, else `openai`."""
    api_key: str | None = Field(default=None, repr=False)
    """Name of an environment variable that holds the key, or the key itself; unset, none is sent."""
    extra_body: dict[str, Any] | None = None
    """Further fields of every request, merged over those of the model."""
    extra_headers: dict[str, str] | None = Field(default=None, repr=False)
    """Further headers of every request."""
    endpoints: list[str] | None = Field(default=None, min_length=1)
    """Base URLs of several servers of the same models, instead of `endpoint`; each request goes to the one that has
    the fewest outstanding."""
    max_parallel_requests: int | None = Field(default=None, ge=1)
    """Requests of all aliases of this provider in flight at once; unset, only each alias has a cap."""
    backend: str | None = None
    """What serves the models, where name and endpoint do not show it: `nvidia`, `openai`, `vllm`, `nim`,
    `openrouter`, `sglang`, `llama.cpp`, `ollama` or `anthropic`. Its usual address and API are taken where none are
    given."""

    max_reply_bytes: int = Field(default=LARGEST_REPLY, ge=1024)
    """Bytes that a reply may have after it is decompressed; a larger one is none, and is asked for again."""

    @property
    def is_simulated(self) -> bool:
        """Whether the embedded simulated model answers for it."""
        return self.provider_type == SIMULATED_PROVIDER

    @property
    def addresses(self) -> list[str]:
        """Base URLs of its servers."""
        return self.endpoints or [self.endpoint]

    def __repr_args__(self) -> Iterable[tuple[str | None, object]]:
        """Fields that are shown; addresses without the user and password that they may hold."""
        for name, value in super().__repr_args__():
            match name, value:
                case "endpoint", str():
                    yield name, without_credentials(value)
                case "endpoints", list():
                    yield name, [without_credentials(one) for one in value]
                case _:
                    yield name, value

    @field_validator("provider_type")
    @classmethod
    def _lower(cls, provider_type: str) -> str:
        return provider_type.lower()

    @model_validator(mode="after")
    def _has_endpoint(self) -> "ModelProvider":
        if self.backend is not None:
            self._take_from(self.backend)
        if self.endpoint and self.endpoints:
            raise ValueError(f"provider '{self.name}' has both endpoint and endpoints; give one of them")
        if not self.endpoint and not self.endpoints and not self.is_simulated:
            raise ValueError(f"provider '{self.name}' needs an endpoint")
        for address in self.addresses:
            _check_address(address, self.name)
        return self

    def _take_from(self, backend: str) -> None:
        """Let a backend say what was left open: the address and the API."""
        from data_designer.config.backends import BACKENDS, not_known

        known = BACKENDS.get(backend)
        if known is None:
            if not self.endpoint and not self.endpoints:
                raise ValueError(not_known(self.name, backend))
            return  # What is wrong with a backend is said together with all else; the address is there.
        if not self.endpoint and not self.endpoints:
            self.endpoint = known.endpoint
        if "provider_type" not in self.model_fields_set:
            self.provider_type = known.provider_type


def _check_address(address: str, provider: str) -> None:
    """Raise ValueError for what cannot be read as a URL at all."""
    from urllib.parse import urlsplit

    try:
        _ = urlsplit(address).port
    except ValueError as error:
        shown = without_credentials(address)
        raise ValueError(
            f"the endpoint '{shown}' of provider '{provider}' is no URL ({error}); write http://host:port/v1"
        ) from None


_IN_QUERY = re.compile(r"([?&][^=&#]*(?:key|token|secret|sig|pass|auth|code|credential)[^=&#]*=)[^&#]*", re.IGNORECASE)


def without_credentials(address: str) -> str:
    """An address without user, password and keys in the query."""
    return _IN_QUERY.sub(r"\1***", re.sub(r"//[^/@]*@", "//***@", address))


def load_model_configs(model_configs: "list[ModelConfig] | str | Path") -> list[ModelConfig]:
    """Model configs from a list, a YAML file or YAML text with the key `model_configs`.

    Raises:
        InvalidConfigError: the text does not parse, or lacks the key.
    """
    if isinstance(model_configs, list):
        return model_configs
    from data_designer.config.places import members
    from data_designer.config.yaml_text import read_document

    path = Path(model_configs)
    is_file = isinstance(model_configs, Path) or (len(str(model_configs)) < 4096 and path.is_file())
    text = path.read_text(encoding="utf-8") if is_file else str(model_configs)
    name = str(path) if is_file else "the text of the model configuration"
    return members(read_document(text, name), name, "model_configs", ModelConfig)


def __getattr__(name: str) -> Any:
    """Give the media contexts, which users import from here too."""
    from data_designer.config import media

    if name in {
        "Modality",
        "ModalityDataType",
        "ModalityContext",
        "ImageContext",
        "AudioContext",
        "VideoContext",
    }:
        return getattr(media, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
