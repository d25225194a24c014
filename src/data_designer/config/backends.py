"""What serves models: where it listens, how many requests at once suit it, and what is peculiar to it.

The recommended numbers are those of Data Designer's guide on performance tuning; those of OpenRouter, SGLang,
llama.cpp and Ollama are ours.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data_designer.config.near_names import suggestion

if TYPE_CHECKING:
    from data_designer.config.models import ModelProvider


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of server or service."""

    title: str
    endpoint: str
    """Its address, or the one where it listens when nothing else is said."""
    parallel_requests: range
    """Values of `max_parallel_requests` that are recommended."""
    hint: str = ""
    """Added to what is said of other values."""
    quirks: tuple[str, ...] = ()
    """What users should know of it."""
    limit: str = "max_tokens"
    """What it calls the longest reply."""
    provider_type: str = "openai"
    """The API that it speaks where nothing else is said."""


BACKENDS = {
    "nvidia": Backend(
        "the NVIDIA API Catalog",
        "https://integrate.api.nvidia.com/v1",
        range(4, 9),
        quirks=("answers 429 without Retry-After when an account asks too often; the pause is then 2 s, growing",),
    ),
    "openai": Backend(
        "the OpenAI API",
        "https://api.openai.com/v1",
        range(4, 9),
        " (more on higher tiers)",
        (
            "says in x-ratelimit-* headers what is left, which is honoured before anything is refused",
            "max_tokens is sent as max_completion_tokens, which its newer models demand",
        ),
        "max_completion_tokens",
    ),
    "vllm": Backend(
        "vLLM",
        "http://localhost:8000/v1",
        range(8, 65),
        " (8 to 16 on one GPU, 16 to 64 on several)",
        ("refuses nothing and queues instead, so more requests than it batches only wait there",),
    ),
    "nim": Backend("NeMo Inference Microservices", "http://localhost:8000/v1", range(16, 33)),
    "openrouter": Backend(
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        range(4, 33),
        quirks=("answers 402 when credits are out, which stops the run resumably", "free models have a daily limit"),
    ),
    "sglang": Backend("SGLang", "http://localhost:30000/v1", range(8, 65)),
    "llama.cpp": Backend(
        "llama.cpp",
        "http://localhost:8080/v1",
        range(1, 17),
        " (as many as it was given slots with --parallel)",
        ("serves as many requests at once as --parallel says, and divides its context among them",),
    ),
    "ollama": Backend(
        "Ollama",
        "http://localhost:11434/v1",
        range(1, 9),
        " (as OLLAMA_NUM_PARALLEL says)",
        ("loads a model at the first request, which may take a minute", "cuts prompts to num_ctx without a word"),
    ),
    "anthropic": Backend(
        "the Anthropic API",
        "https://api.anthropic.com",
        range(4, 17),
        quirks=("demands max_tokens; 4096 where the alias does not say",),
        provider_type="anthropic",
    ),
}
"""Name to backend."""


def backend_of(provider: "ModelProvider") -> Backend | None:
    """What serves a provider's models: as it says itself, else by its host or port; None where nothing shows it.

    Raises:
        LookupError: it names a backend that is not known.
    """
    if provider.backend is not None:
        try:
            return BACKENDS[provider.backend]
        except KeyError:
            raise LookupError(not_known(provider.name, provider.backend)) from None
    parts = urlsplit(provider.addresses[0])
    for backend in BACKENDS.values():
        known_parts = urlsplit(backend.endpoint)
        if known_parts.hostname != "localhost" and parts.hostname == known_parts.hostname:
            return backend
    return BACKENDS.get(provider.name)


def not_known(provider: str, backend: str) -> str:
    """What is wrong with a provider that names a backend which is not known."""
    return f"provider '{provider}' names the backend '{backend}', which is not known{suggestion(backend, BACKENDS)}"
