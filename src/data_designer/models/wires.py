"""The wires that there are, and what a pool has them write."""

from collections.abc import Callable, Mapping

from data_designer.config.backends import backend_of
from data_designer.config.models import SIMULATED_PROVIDER, EmbeddingInferenceParams
from data_designer.models.addresses import SECRET, shown
from data_designer.models.anthropic_wire import AnthropicWire
from data_designer.models.http_wire import HttpWire
from data_designer.models.openai_embeddings import OpenAIEmbeddingsWire
from data_designer.models.openai_images import OpenAIImageChatWire, OpenAIImagesWire, has_own_route
from data_designer.models.openai_wire import OpenAIWire
from data_designer.models.parameter_sampling import as_of_no_row, fixed_params
from data_designer.models.wire import LIMIT, Common, Wire
from data_designer.plan.model import Pool
from data_designer.values import Request

_OPENAI: Mapping[str, Callable[[str], type[Wire]]] = {
    "chat-completion": lambda _: OpenAIWire,
    "embedding": lambda _: OpenAIEmbeddingsWire,
    "image": lambda model: OpenAIImagesWire if has_own_route(model) else OpenAIImageChatWire,
}

WIRES: Mapping[str, Mapping[str, Callable[[str], type[Wire]]]] = {
    "openai": _OPENAI,
    "anthropic": {"chat-completion": lambda _: AnthropicWire},
    SIMULATED_PROVIDER: {
        **_OPENAI,
        "image": lambda model: OpenAIImageChatWire if "image" in model else OpenAIImagesWire,
    },
}
"""Type of provider and of what is made to the form of its API, given a model's name; `config.models.PROVIDER_TYPES` are
its keys, each with its own."""


def wire_of(pool: Pool) -> type[Wire]:
    """The form of the API of a pool's provider."""
    if pool.model is None:
        return HttpWire
    return WIRES[pool.provider.provider_type][pool.generation_type](pool.model_name)


def wire_to(pool: Pool) -> Wire:
    """What writes a pool's requests."""
    backend = backend_of(pool.provider)
    limit = LIMIT if backend is None else backend.limit
    return wire_of(pool)(Common(pool.model_name, _options(pool), _extra(pool), limit))


def greeting(pool: Pool) -> Request:
    """What shows that a pool answers."""
    return as_of_no_row(wire_of(pool).greeting, pool)


def longest_reply(pool: Pool) -> int | None:
    """Tokens to which a pool's replies are limited; None where nothing says."""
    extra = _extra(pool)
    said = (extra.get("max_completion_tokens"), extra.get(LIMIT), pool.chat.max_tokens)
    return next((one for one in said if isinstance(one, int)), wire_of(pool).longest_reply)


def images_of(pool: Pool) -> int:
    """How many images a request of a pool asks for."""
    said = _extra(pool).get("n")
    return max(said, 1) if isinstance(said, int) else 1


def _options(pool: Pool) -> Mapping[str, object]:
    """Parameters that are the same for every request."""
    if isinstance(params := pool.params, EmbeddingInferenceParams):
        return {"encoding_format": params.encoding_format, "dimensions": params.dimensions}
    return fixed_params(pool)


def endpoint_shown(pool: Pool) -> str:
    """Where a pool's requests go, by host and path, without what is secret."""
    if pool.provider.is_simulated:
        return SIMULATED_PROVIDER
    wire = wire_to(pool)
    return ", ".join(shown(wire.url(one)) for one in pool.provider.addresses if one)


def fields_shown(pool: Pool) -> dict[str, object]:
    """Fields that all of a pool's requests have, without the text of those whose names are those of secrets."""
    return {name: _without_secrets(value, name) for name, value in {**fixed_params(pool), **_extra(pool)}.items()}


def _without_secrets(value: object, name: str) -> object:
    match value:
        case Mapping():
            return {str(key): _without_secrets(inner, str(key)) for key, inner in value.items()}
        case list() | tuple():
            return [_without_secrets(inner, name) for inner in value]
        case str() if SECRET.search(name):
            return "***"
        case _:
            return value


def _extra(pool: Pool) -> dict[str, object]:
    return {**(pool.params.extra_body or {}), **(pool.provider.extra_body or {})}
