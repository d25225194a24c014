"""Lists what an endpoint serves, through the `openai` package."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import openai

from data_designer import errors
from data_designer.config.models import ModelProvider
from data_designer.models.addresses import base_of, secrets_of, server_of
from data_designer.models.error_mapping import CURES, refusal_of, worded
from data_designer.models.openai_client import be_quiet, client_of
from data_designer.plan.model import MakeClient

_SECONDS = 30.0
_SHORTEST_SECRET = 4


async def served_models(provider: ModelProvider, api_key: str | None, make: MakeClient | None = None) -> list[str]:
    """Names of the models that an endpoint says it serves, sorted; each may be the `model` of a ModelConfig.

    Args:
        provider: what serves them; of several endpoints the first is asked.
        api_key: its resolved key.
        make: gives the client through which it is asked, where the user does that.

    Raises:
        ModelError: the endpoint refused or failed, named by kind.
        InvalidConfigError: `make` gives no client.
    """
    client = client_of(make, provider.name) if make is not None else _client(provider, api_key)
    server = server_of(str(client.base_url))
    where = server if provider.name == server else f"provider '{provider.name}' at {server}"
    secrets = [one for one in (api_key or "", *secrets_of(provider.addresses[0])) if len(one) >= _SHORTEST_SECRET]
    try:
        async with client:
            return sorted({model.id async for model in client.models.list(timeout=_SECONDS)})
    except openai.APIStatusError as error:
        kind, what, wait = refusal_of(error.status_code, error.response.headers, error.response.content)
        raise kind(worded(where, what, CURES.get(kind), secrets), wait, error.status_code) from error
    except openai.APITimeoutError as error:
        raise errors.ModelTimeoutError(worded(where, f"no reply within {_SECONDS:g} s", None, ())) from error
    except openai.APIConnectionError as error:
        kind, cause = errors.ModelAPIConnectionError, error.__cause__ or error
        what = f"no reply ({type(cause).__name__}: {cause})"
        raise kind(worded(where, what, CURES[kind], secrets)) from error
    except Exception as error:
        what = f"it does not list its models ({type(error).__name__}: {error})"
        raise errors.ModelInvalidReplyError(worded(where, what, None, secrets)) from error


def _client(provider: ModelProvider, api_key: str | None) -> openai.AsyncOpenAI:
    address = base_of(provider.addresses[0])
    parts = urlsplit(address)
    query: Mapping[str, object] = dict(parse_qsl(parts.query))
    be_quiet()
    return openai.AsyncOpenAI(
        base_url=parts._replace(query="").geturl(),
        api_key=api_key or "none",
        default_query=query,
        default_headers=provider.extra_headers,
        max_retries=0,
    )
