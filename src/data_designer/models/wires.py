"""The wires that there are, and what a pool has them write."""

from collections.abc import Mapping

from data_designer.config.backends import backend_of
from data_designer.config.models import SIMULATED_PROVIDER, ModelProvider
from data_designer.models.addresses import SECRET, shown
from data_designer.models.anthropic_wire import AnthropicWire
from data_designer.models.openai_wire import OpenAIWire
from data_designer.models.parameter_sampling import as_of_no_row, fixed_params
from data_designer.models.wire import LIMIT, Common, Wire
from data_designer.plan.model import Pool
from data_designer.values import Request

WIRES: Mapping[str, type[Wire]] = {
    "openai": OpenAIWire,
    "anthropic": AnthropicWire,
    SIMULATED_PROVIDER: OpenAIWire,
}
"""Type of provider to the form of its API; `config.models.PROVIDER_TYPES` are its keys."""


def wire_of(provider: ModelProvider) -> type[Wire]:
    """The form of a provider's API."""
    return WIRES[provider.provider_type]


def wire_to(pool: Pool) -> Wire:
    """What writes a pool's requests."""
    backend = backend_of(pool.provider)
    limit = LIMIT if backend is None else backend.limit
    return wire_of(pool.provider)(Common(pool.model_name, fixed_params(pool), _extra(pool), limit))


def greeting(pool: Pool) -> Request:
    """What shows that a pool answers."""
    return as_of_no_row(wire_of(pool.provider).greeting, pool)


def longest_reply(pool: Pool) -> int | None:
    """Tokens to which a pool's replies are limited; None where nothing says."""
    extra = _extra(pool)
    said = (extra.get("max_completion_tokens"), extra.get(LIMIT), pool.chat.max_tokens)
    return next((one for one in said if isinstance(one, int)), wire_of(pool.provider).longest_reply)


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
