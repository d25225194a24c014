"""Names what an endpoint answers instead of a reply: the kind of error, and the provider's own words."""

import re

import orjson

from data_designer import errors

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


def kind_of(status: int, said: str) -> type[errors.ModelError]:
    """The kind of a refusal, by its HTTP status and, where several share one, by what it says."""
    if _QUOTA.search(said):
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
    return _BY_STATUS.get(status, errors.ModelAPIError)


def signs_of(content: bytes) -> str:
    """What a kind is told by: the provider's own words and codes, and nothing of the request that is repeated."""
    said = _said(content)
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError:
        return said
    places = [data, data.get("error")] if isinstance(data, dict) else []
    codes = [place.get(name) for place in places if isinstance(place, dict) for name in ("code", "type")]
    return " ".join([said, *(code for code in codes if isinstance(code, str))])


def words_of(content: bytes) -> str:
    """The provider's own words, wherever in the body they stand, on one line."""
    return quoted(_said(content))


def quoted(said: bytes | str) -> str:
    """Text on one line."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())


def _said(content: bytes) -> str:
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
