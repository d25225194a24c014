"""The chat client: one POST a request, and every way it can fail named."""

import email.utils
import math
import random
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from data_designer import errors
from data_designer.models.draws import distributions
from data_designer.plan.model import Pool
from data_designer.values import Request, Response, Usage

DEFAULT_TIMEOUT = 60.0
"""Seconds until a request is given up, where the alias does not say."""

_LONGEST_QUOTE = 500
_SHORTEST_SECRET = 8
_MAY_ASK_TO_WAIT = (429, 503)
_BY_STATUS: dict[int, type[errors.ModelError]] = {
    401: errors.ModelAuthenticationError,
    402: errors.ModelQuotaExceededError,
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
        self._server = _server(self._url)
        self._session = session
        params = pool.model.inference_parameters
        self._timeout = aiohttp.ClientTimeout(total=float(params.timeout or DEFAULT_TIMEOUT))
        options = params.model_dump(include={"temperature", "top_p", "max_tokens"}, exclude_none=True)
        self._drawn = distributions(pool)
        self._fixed = {"model": self._model, **{k: v for k, v in options.items() if k not in self._drawn}}
        self._extra = {**(params.extra_body or {}), **(pool.provider.extra_body or {})}
        self._extra.pop("n", None)
        key_header = {"authorization": f"Bearer {api_key}"} if api_key else {}
        extra_headers = pool.provider.extra_headers or {}
        # Lower case, so that a provider's own Authorization takes the place of ours instead of joining it.
        self._headers = {
            "content-type": "application/json",
            **key_header,
            **{name.lower(): value for name, value in extra_headers.items()},
        }
        if "authorization" in self._headers:
            # A user and password in the address would contradict the header, and aiohttp refuses both together.
            parts = urlsplit(self._url)
            self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._secrets = _secrets(api_key, extra_headers)

    async def ask(self, request: Request, rng: random.Random) -> Response:
        """Get one completion.

        Args:
            request: what to ask.
            rng: draws the parameters that are distributions and that the request does not give.

        Raises:
            ModelError: the endpoint refused or failed, named by kind.
        """
        body = self._encode(self.body(request, rng))
        try:
            # A redirect would turn the POST into a GET, or carry the prompt to a host nobody named.
            async with self._session.post(
                self._url, data=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
            ) as reply:
                content = await reply.read()
        except TimeoutError:
            raise self._error(errors.ModelTimeoutError, f"no reply within {self._timeout.total:g} s") from None
        except aiohttp.ClientConnectorError as error:
            text = f"nothing answers at {self._server} ({error.os_error.strerror or error.os_error})"
            raise self._error(errors.ModelAPIConnectionError, text) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
            text = f"the connection broke before the reply was complete ({type(error).__name__}: {error})"
            raise self._error(errors.ModelAPIConnectionError, text) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            # Not chained: its text holds the whole address, and with it a password that the address may hold.
            text = "the endpoint is no address; write it as http://host:port/v1 or https://host/v1"
            raise self._error(errors.ModelAPIError, text) from None
        except aiohttp.ClientError as error:
            raise self._error(errors.ModelAPIError, f"{type(error).__name__}: {error}") from error
        if not 200 <= reply.status < 300:
            raise self._refusal(reply.status, content, reply.headers)
        return self._parse(content)

    def body(self, request: Request, rng: random.Random) -> dict[str, Any]:
        """The JSON that is posted."""
        drawn = {name: distribution.sample(rng) for name, distribution in self._drawn.items()}
        given = {name: value for name, value in request.params.items() if value is not None}
        return {**self._fixed, **drawn, "messages": request.messages, **given, **self._extra}

    def _encode(self, body: dict[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise self._error(errors.ModelBadRequestError, f"the request cannot be written as JSON: {error}") from error

    # --- replies -----------------------------------------------------------------------------------------

    def _parse(self, content: bytes) -> Response:
        try:
            data = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise self._error(errors.ModelAPIError, f"the reply is no JSON: {_quoted(content)}") from None
        match data:
            case {"error": said} if said:
                raise self._error(errors.ModelAPIError, f"the reply holds an error: {_quoted(_said(content))}")
            case {"choices": [{"message": {} as message} as choice, *_]}:
                return Response(
                    text=_text(message.get("content")),
                    reasoning=_string(message.get("reasoning")) or _string(message.get("reasoning_content")),
                    finish_reason=_string(choice.get("finish_reason")),
                    tool_calls=_tool_calls(message.get("tool_calls")),
                    usage=_usage(data.get("usage")),
                )
            case _:
                raise self._error(errors.ModelAPIError, f"the reply holds no message: {_quoted(content)}")

    def _refusal(self, status: int, content: bytes, headers: Mapping[str, str]) -> errors.ModelError:
        kind = _kind(status, content.decode("utf-8", "replace"))
        return self._error(kind, f"HTTP {status}: {_quoted(_said(content))}", _retry_after(status, headers), status)

    def _error(
        self,
        kind: type[errors.ModelError],
        what: str,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> errors.ModelError:
        for secret in self._secrets:
            what = what.replace(secret, "***")
        if len(what) > _LONGEST_QUOTE:
            what = f"{what[:_LONGEST_QUOTE]}…"
        cure = _CURES.get(kind)
        where = f"model '{self._model}' (alias '{self._alias}') at {self._server}"
        return kind(f"{where}: {what}{f'; {cure}' if cure else ''}", retry_after, status)


def _server(url: str) -> str:
    """Scheme, host and port, without the credentials that a URL may carry."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url.rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _secrets(api_key: str | None, extra_headers: Mapping[str, str]) -> tuple[str, ...]:
    """What no message may repeat: the key, and headers long enough to be one."""
    found = {value for value in extra_headers.values() if len(value) >= _SHORTEST_SECRET}
    if api_key:
        found.add(api_key)
    return tuple(sorted(found, key=len, reverse=True))


def _quoted(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(b.get("text", "")) for b in content if isinstance(b, dict) and b.get("type") == "text")
    return content if isinstance(content, str) else ""


def _tool_calls(calls: Any) -> tuple[dict[str, Any], ...]:
    return tuple(call for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()


def _usage(data: Any) -> Usage:
    """Tokens, under either of the two sets of names in use; what is missing or no number counts as none."""
    if not isinstance(data, dict):
        return Usage(requests=1)
    details = data.get("completion_tokens_details") or data.get("output_tokens_details")
    reasoning = data.get("reasoning_tokens") or (details.get("reasoning_tokens") if isinstance(details, dict) else 0)
    return Usage(
        requests=1,
        input_tokens=_count(data.get("prompt_tokens") or data.get("input_tokens")),
        output_tokens=_count(data.get("completion_tokens") or data.get("output_tokens")),
        reasoning_tokens=_count(reasoning),
    )


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


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


def _retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to stay away; a date counts from the endpoint's own clock."""
    value = headers.get("Retry-After")
    if status not in _MAY_ASK_TO_WAIT or value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            until, now = (email.utils.parsedate_to_datetime(text) for text in (value, headers.get("Date", "")))
            seconds = (until - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
