"""What an endpoint's headers, and its words where these are silent, say about when it has room again.

Sources: RFC 9110 10.2.3 (`Retry-After`); the `x-ratelimit-*` headers of OpenAI and of those that follow it; the
`anthropic-ratelimit-*` headers of Anthropic; LiteLLM's proxy; the words of OpenAI and Groq ("try again in 6m0s") and of
Gemini ("retry in 31.2s").
"""

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

MAY_ASK_TO_WAIT = (429, 503, 529)
_RELAYED = "llm_provider-retry-after"
"""LiteLLM's name for what the server behind it says, where that is all there is."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_IN_WORDS = re.compile(r"\b(?:retry|try again) in ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|h|m|s)){1,3})\b", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_WAIT = 86_400.0
"""Seconds beyond which nobody means it."""
_LONGEST_HEADER = 64
"""Characters of a header that says a time."""
_NAMES = tuple(
    (f"{family}-{part}", f"{family.replace('remaining', 'reset')}-{part}")
    for family, parts in {"x-ratelimit-remaining": ("requests", "tokens")}.items()
    for part in parts
) + tuple(
    (f"anthropic-ratelimit-{part}-remaining", f"anthropic-ratelimit-{part}-reset")
    for part in ("requests", "tokens", "input-tokens", "output-tokens")
)
"""Header that counts what is left, and the one that says when there is more."""


def retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds that a refusal asks to stay away; a date counts from the endpoint's own clock."""
    if status not in MAY_ASK_TO_WAIT:
        return None
    asked = _number(headers.get("retry-after-ms"))
    if asked is not None:
        return _believed(asked / 1000)
    value = (headers.get("Retry-After") or headers.get(_RELAYED) or "")[:_LONGEST_HEADER]
    seconds = _number(value)
    if seconds is None and value:
        seconds = _until(_http_date(value), headers)
    return pause(headers) if seconds is None else _believed(seconds)


def retry_in_words(status: int, said: str) -> float | None:
    """Seconds that the words of a refusal ask to stay away."""
    found = _IN_WORDS.search(said) if status in MAY_ASK_TO_WAIT else None
    return None if found is None else _believed(_duration(found[1].lower()))


def pause(headers: Mapping[str, str]) -> float | None:
    """Seconds until there is room again, where an endpoint says that none is left."""
    waits = [
        _reset(headers.get(reset, ""), headers) for remaining, reset in _NAMES if headers.get(remaining) in ("0", "0.0")
    ]
    return max((wait for wait in map(_believed, waits) if wait is not None), default=None)


def _believed(seconds: float | None) -> float | None:
    """Nothing is waited for that is past, and what is absurd says nothing."""
    return None if seconds is None or not seconds <= _LONGEST_WAIT else max(0.0, seconds)


def _reset(value: str, headers: Mapping[str, str]) -> float | None:
    if len(value) > _LONGEST_HEADER:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    if (duration := _duration(value)) is not None:
        return duration
    try:
        return _until(datetime.fromisoformat(value), headers)
    except ValueError:
        return None


def _duration(value: str) -> float | None:
    parts = _DURATION.findall(value)
    is_whole = "".join(number + unit for number, unit in parts) == value
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts and is_whole else None


def _until(moment: datetime | None, headers: Mapping[str, str]) -> float | None:
    now = _http_date(headers.get("Date", ""))
    if moment is None or now is None:
        return None
    moment, now = (one if one.tzinfo else one.replace(tzinfo=UTC) for one in (moment, now))
    return (moment - now).total_seconds()


def _http_date(value: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(value[:_LONGEST_HEADER])
    except (ValueError, TypeError, OverflowError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
