"""Names what an endpoint answers instead of a reply: the kind of error, and the provider's own words."""

import re
from collections.abc import Iterable, Iterator, Mapping

from data_designer import errors
from data_designer.models.bodies import decoded, shown
from data_designer.models.rate_limit_headers import retry_after, retry_in_words
from data_designer.models.rejected_fields import fields_of

_BY_STATUS: dict[int, type[errors.ModelError]] = {
    401: errors.ModelAuthenticationError,
    402: errors.ModelQuotaExceededError,
    403: errors.ModelPermissionDeniedError,
    404: errors.ModelNotFoundError,
    408: errors.ModelTimeoutError,
    409: errors.ModelInternalServerError,
    413: errors.ModelContextWindowExceededError,
    422: errors.ModelUnprocessableEntityError,
    423: errors.ModelInternalServerError,
    424: errors.ModelInternalServerError,
    425: errors.ModelInternalServerError,
    429: errors.ModelRateLimitError,
    460: errors.ModelInternalServerError,
    499: errors.ModelInternalServerError,
}
_STATUS_OF = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "context_length_exceeded": 413,
    "deadline_exceeded": 504,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "resource_exhausted": 429,
    "server_error": 500,
    "timeout_error": 504,
    "too_many_requests": 429,
    "unavailable": 503,
}
"""The HTTP status that belongs to a code or type of an error object which comes without one."""
_LONGEST_QUOTE = 500
_LONGEST_SAID = 10_000
"""Characters of the provider's words that are looked at."""
_PAGE = re.compile(rb"\s*<(!doctype html|html)\b", re.IGNORECASE)
_NO_TEXT = re.compile(r"<(script|style)\b.*?(</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")
_QUOTA = re.compile(r"insufficient[_ ]quota|exceeded your current quota|out of credits|credit balance", re.IGNORECASE)
_COMES_BACK = re.compile(r"(retry|try again) in \d|per[_ -]?minute", re.IGNORECASE)
"""Said, as by Gemini, where the quota that is used up is that of a minute."""
_CONTEXT = re.compile(
    r"context[_ ](length|window|size)|maximum context|too many tokens|prompt is too long", re.IGNORECASE
)
_NEVER_FITS = re.compile(r"request too large", re.IGNORECASE)
"""Said with 429 of a request that is larger than what may be asked in a whole minute."""
_FILTERED = re.compile(r"content[_ ](filter|management|policy)|responsible ?ai", re.IGNORECASE)
_PARAMETER = re.compile(
    r"unsupported (parameter|value)|unrecognized request argument|extra inputs are not", re.IGNORECASE
)
CURES: dict[type[errors.ModelError], str] = {
    errors.ModelAuthenticationError: "check the provider's api_key",
    errors.ModelPermissionDeniedError: "check that the key may use this model",
    errors.ModelNotFoundError: "check the model's name and the provider's endpoint",
    errors.ModelContextWindowExceededError: "shorten the prompt or choose a model that reads more",
    errors.ModelUnsupportedParamsError: "remove the parameter from inference_parameters or extra_body",
    errors.ModelRefusalError: "the model or its filter declined to answer: change the prompt or the model",
    errors.ModelQuotaExceededError: "top up the account or use another provider",
    errors.ModelAPIConnectionError: "is the server running, and is the endpoint right?",
    errors.ModelTimeoutError: "raise inference_parameters.timeout or lower max_parallel_requests",
}
"""What the user can do about a kind of error."""
SERVICE_CURES: dict[type[errors.ModelError], str] = {
    errors.ModelNotFoundError: "check its address",
    errors.ModelAPIConnectionError: "is the server running, and is its address right?",
}
"""The same where it is no model that was asked."""


def kind_of(status: int, said: str) -> type[errors.ModelError]:
    """The kind of a refusal, by its HTTP status and, where several share one, by what it says."""
    if _QUOTA.search(said) and not (status == 429 and _COMES_BACK.search(said)):
        return errors.ModelQuotaExceededError
    if status == 400:
        if _CONTEXT.search(said):
            return errors.ModelContextWindowExceededError
        if _FILTERED.search(said):
            return errors.ModelRefusalError
        return errors.ModelUnsupportedParamsError if _PARAMETER.search(said) else errors.ModelBadRequestError
    if status == 429 and _NEVER_FITS.search(said):
        return errors.ModelContextWindowExceededError
    if status >= 500:
        return errors.ModelInternalServerError
    rejected = 400 <= status < 500
    return _BY_STATUS.get(status, errors.ModelRequestRejectedError if rejected else errors.ModelAPIError)


def refusal_of(
    status: int, headers: Mapping[str, str], content: bytes
) -> tuple[type[errors.ModelError], str, float | None]:
    """What a reply says whose status is an error: its kind, in words, and for how many seconds to stay away."""
    signs = signs_of(content)
    wait = retry_after(status, headers)
    wait = retry_in_words(status, signs) if wait is None else wait
    return kind_of(status, signs), f"HTTP {status}: {words_of(content)}{fields_of(content)}", wait


def worded(where: str, what: str, cure: str | None, secrets: Iterable[str]) -> str:
    """The text of an error: where, what happened and what can be done; without secrets, of which none may be empty."""
    for secret in secrets:
        what = what.replace(secret, "***")
    if len(what) > _LONGEST_QUOTE:
        what = f"{what[:_LONGEST_QUOTE]}…"
    return f"{where}: {what}{f'; {cure}' if cure else ''}"


def signs_of(content: bytes) -> str:
    """What a kind is told by: the provider's own words and codes, and nothing of the request that is repeated."""
    data = _read(content)
    return " ".join([_said(data) or _raw(content), *(code for code in _codes(data) if isinstance(code, str))])


def words_of(content: bytes) -> str:
    """The provider's own words, wherever in the body they stand, on one line; of a web page its text."""
    if _PAGE.match(content):
        return f"a web page: {quoted(_TAG.sub(' ', _NO_TEXT.sub(' ', _raw(content))))}"
    return quoted(_said(_read(content)) or content)


def quoted(said: bytes | str) -> str:
    """The beginning of a text, on one line."""
    text = _raw(said) if isinstance(said, bytes) else said
    return " ".join(text[:_LONGEST_SAID].split())


class UnreadableError(ValueError):
    """What came back is JSON, but no reply.

    Attributes:
        kind: what that counts as.
        status: the HTTP status that it should have had, where it says.
    """

    kind: type[errors.ModelError] = errors.ModelInvalidReplyError
    status: int | None = None


class ErrorInReplyError(UnreadableError):
    """The HTTP status is good, and the reply holds an error or ended with one, which counts as one with a status."""

    def __init__(self, error: object) -> None:
        data = {"error": error}
        said = (_said(data) or shown(error))[:_LONGEST_SAID]
        super().__init__(f"HTTP 200 with an error: {quoted(said)}")
        codes = list(_codes(data))
        signs = " ".join([said, *(code for code in codes if isinstance(code, str))])
        self.status = next(filter(None, map(_status, codes)), None)
        kind = kind_of(self.status or 400, signs)
        is_clear = self.status is not None or kind is not errors.ModelBadRequestError
        self.kind = kind if is_clear else errors.ModelInvalidReplyError


def error_of(data: object) -> object:
    """What a body holds instead of a reply, in any of the forms that are in use; None where it holds none."""
    match data:
        case {"error": error} if error:
            return error
        case {"type": "error"} | {"object": "error"}:
            return data
        case [{"error": error}, *_] if error:  # Google's
            return error
        case {"choices": _} | {"content": _}:
            return None
        case {"errors": [error, *_]}:
            return error
        case _:
            return None


def _status(code: object) -> int | None:
    """The HTTP status of an error that a code stands for."""
    if isinstance(code, str):
        code = _STATUS_OF.get(code.lower()) or (int(code) if re.fullmatch("[45][0-9][0-9]", code) else None)
    return code if isinstance(code, int) and 400 <= code <= 599 else None


def _codes(data: object) -> Iterator[object]:
    """What error objects call themselves."""
    if isinstance(data, dict):
        for place in (data.get("error"), data):
            if isinstance(place, dict):
                yield from (place.get(name) for name in ("code", "status", "type"))


def _read(content: bytes) -> object:
    try:
        return decoded(content)
    except ValueError:
        return None


def _raw(content: bytes) -> str:
    return content[: 4 * _LONGEST_SAID].decode("utf-8", "replace")


def _said(data: object) -> str | None:
    if not isinstance(data, dict):
        return data if isinstance(data, str) else None
    for key in ("error", "message", "detail"):
        found = data.get(key)
        if isinstance(found, dict):
            found = found.get("message")
        if isinstance(found, list):
            found = "; ".join(filter(None, map(_item, found[:20])))
        if found and isinstance(found, str):
            return found
    return None


def _item(item: object) -> str:
    """One of several errors."""
    said = item.get("msg", item.get("message")) if isinstance(item, dict) else item
    return said if isinstance(said, str) else shown(item)
