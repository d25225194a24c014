"""The chat client: one POST a request, and every way it can fail named."""

import email.utils
import random
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from data_designer import errors
from data_designer.config.models import ManualDistribution, UniformDistribution
from data_designer.plan.model import Pool
from data_designer.values import Request, Response, Usage

DEFAULT_TIMEOUT = 60.0
"""Seconds until a request is given up, where the alias does not say."""

_LONGEST_QUOTE = 500
_DRAWN = ("temperature", "top_p")
_BY_STATUS: dict[int, type[errors.ModelError]] = {
    401: errors.ModelAuthenticationError,
    403: errors.ModelPermissionDeniedError,
    404: errors.ModelNotFoundError,
    408: errors.ModelTimeoutError,
    409: errors.ModelInternalServerError,
    413: errors.ModelContextWindowExceededError,
    422: errors.ModelUnprocessableEntityError,
    429: errors.ModelRateLimitError,
}
_QUOTA = re.compile(r"insufficient[_ ]quota|exceeded your current quota|out of credits|credit balance", re.IGNORECASE)
_CONTEXT = re.compile(r"context[_ ](length|window)|maximum context|too many tokens|prompt is too long", re.IGNORECASE)
_PARAMETER = re.compile(
    r"unsupported (parameter|value)|unrecognized request argument|extra inputs are not", re.IGNORECASE
)
_CURES: dict[type[errors.ModelError], str] = {
    errors.ModelAuthenticationError: "check the provider's api_key",
    errors.ModelPermissionDeniedError: "check that the key may use this model",
    errors.ModelNotFoundError: "check the model's name and the provider's endpoint",
    errors.ModelContextWindowExceededError: "shorten the prompt or choose a model that reads more",
    errors.ModelUnsupportedParamsError: "remove the parameter from inference_parameters or extra_body",
    errors.ModelQuotaExceededError: "top up the account or use another provider",
    errors.ModelAPIConnectionError: "is the server running, and is the endpoint right?",
    errors.ModelTimeoutError: "raise inference_parameters.timeout or lower max_parallel_requests",
}


class ChatClient:
    """Asks one alias's model for chat completions over HTTP."""

    def __init__(self, pool: Pool, api_key: str | None, session: aiohttp.ClientSession) -> None:
        self._alias = pool.alias
        self._model = pool.model.model
        self._url = f"{pool.provider.endpoint.rstrip('/')}/chat/completions"
        self._host = urlsplit(self._url).netloc
        self._key = api_key
        self._session = session
        params = pool.model.inference_parameters
        self._timeout = aiohttp.ClientTimeout(total=float(params.timeout or DEFAULT_TIMEOUT))
        options = params.model_dump(include={"temperature", "top_p", "max_tokens"}, exclude_none=True)
        self._drawn = {
            name: value
            for name in _DRAWN
            if isinstance(value := getattr(params, name, None), ManualDistribution | UniformDistribution)
        }
        self._fixed = {"model": self._model, **{k: v for k, v in options.items() if k not in self._drawn}}
        self._extra = {**(params.extra_body or {}), **(pool.provider.extra_body or {})}
        self._extra.pop("n", None)
        self._headers = {"Content-Type": "application/json", **(pool.provider.extra_headers or {})}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    async def ask(self, request: Request, rng: random.Random) -> Response:
        """Get one completion.

        Args:
            request: what to ask.
            rng: draws the parameters that are distributions.

        Raises:
            ModelError: the endpoint refused or failed, named by kind.
        """
        body = orjson.dumps(self.body(request, rng))
        try:
            async with self._session.post(self._url, data=body, headers=self._headers, timeout=self._timeout) as reply:
                content = await reply.read()
                if reply.status != 200:
                    raise self._refusal(reply.status, content, reply.headers)
        except TimeoutError:
            error = errors.ModelTimeoutError
            raise self._error(error, f"no reply within {self._timeout.total:g} s") from None
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
            text = f"the connection failed ({type(error).__name__}: {error})"
            raise self._error(errors.ModelAPIConnectionError, text) from error
        except aiohttp.ClientError as error:
            raise self._error(errors.ModelAPIError, f"{type(error).__name__}: {error}") from error
        return self._parse(content)

    def body(self, request: Request, rng: random.Random) -> dict[str, Any]:
        """The JSON that is posted."""
        drawn = {name: distribution.sample(rng) for name, distribution in self._drawn.items()}
        given = {name: value for name, value in request.params.items() if value is not None}
        return {**self._fixed, **drawn, "messages": request.messages, **given, **self._extra}

    # --- replies -----------------------------------------------------------------------------------------

    def _parse(self, content: bytes) -> Response:
        try:
            data = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise self._error(errors.ModelAPIError, f"the reply is no JSON: {self._quote(content)}") from None
        choices = data.get("choices") if isinstance(data, dict) else None
        if not choices or not isinstance(choices, list) or not isinstance(choices[0].get("message"), dict):
            raise self._error(errors.ModelAPIError, f"the reply holds no message: {self._quote(content)}")
        message = choices[0]["message"]
        return Response(
            text=_text(message.get("content")),
            reasoning=message.get("reasoning") or message.get("reasoning_content"),
            finish_reason=choices[0].get("finish_reason"),
            tool_calls=tuple(message.get("tool_calls") or ()),
            usage=_usage(data.get("usage") or {}),
        )

    def _refusal(self, status: int, content: bytes, headers: Mapping[str, str]) -> errors.ModelError:
        said = _said(content)
        kind = _kind(status, said)
        retry_after = _retry_after(headers.get("Retry-After")) if status in (429, 503) else None
        return self._error(kind, f"HTTP {status}: {self._quote(said)}", retry_after, status)

    def _error(
        self,
        kind: type[errors.ModelError],
        what: str,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> errors.ModelError:
        cure = _CURES.get(kind)
        where = f"model '{self._model}' (alias '{self._alias}') at {self._host}"
        return kind(f"{where}: {what}{f'; {cure}' if cure else ''}", retry_after, status)

    def _quote(self, said: bytes | str) -> str:
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        text = " ".join(text.split())[:_LONGEST_QUOTE]
        return text.replace(self._key, "***") if self._key else text


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(b.get("text", "")) for b in content if isinstance(b, dict) and b.get("type") == "text")
    return content if isinstance(content, str) else ""


def _usage(data: Mapping[str, Any]) -> Usage:
    details = data.get("completion_tokens_details") or data.get("output_tokens_details") or {}
    return Usage(
        requests=1,
        input_tokens=int(data.get("prompt_tokens") or data.get("input_tokens") or 0),
        output_tokens=int(data.get("completion_tokens") or data.get("output_tokens") or 0),
        reasoning_tokens=int(data.get("reasoning_tokens") or details.get("reasoning_tokens") or 0),
    )


def _said(content: bytes) -> str:
    """The provider's own words, wherever in the body they stand."""
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")
    for key in ("error", "message", "detail"):
        found = data.get(key) if isinstance(data, dict) else None
        if isinstance(found, dict):
            found = found.get("message")
        if isinstance(found, list):
            found = "; ".join(str(item.get("msg", item)) if isinstance(item, dict) else str(item) for item in found)
        if found:
            return str(found)
    return content.decode("utf-8", "replace")


def _kind(status: int, said: str) -> type[errors.ModelError]:
    if _QUOTA.search(said):
        return errors.ModelQuotaExceededError
    if status == 400:
        if _CONTEXT.search(said):
            return errors.ModelContextWindowExceededError
        return errors.ModelUnsupportedParamsError if _PARAMETER.search(said) else errors.ModelBadRequestError
    if status >= 500:
        return errors.ModelInternalServerError
    return _BY_STATUS.get(status, errors.ModelAPIError)


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number of seconds or an HTTP date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value).timestamp()
        except ValueError:
            return None
        return max(0.0, moment - time.time())
