"""What headers say about when there is room again: seconds, dates, durations, and nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from data_designer.models.rate_limit_headers import pause, retry_after, retry_in_words

DATE = "Wed, 01 Jan 2025 00:00:00 GMT"
ANTHROPIC_PARTS = ("requests", "tokens", "input-tokens", "output-tokens")


def headers(**named: str) -> CIMultiDict[str]:
    """Headers of a reply, underscores for dashes."""
    return CIMultiDict({name.replace("_", "-"): value for name, value in named.items()})


def none_left(reset: str, part: str = "requests", **more: str) -> CIMultiDict[str]:
    """Headers in OpenAI's manner: nothing left of a part, and when there is more."""
    named = {f"x-ratelimit-remaining-{part}": "0", f"x-ratelimit-reset-{part}": reset}
    return headers(**named, **more)


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "2.5"}, 2.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "-1"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"llm_provider-retry-after": "4"}, 4.0),
        ({"llm_provider-retry-after": "4", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 01 Jan 2025 00:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Wed, 01 Jan 2025 01:00:30 +0100", "date": DATE}, 30.0),
        ({"retry-after": "Tue, 31 Dec 2024 23:59:00 GMT", "date": DATE}, 0.0),
    ],
)
def test_a_refusal_says_how_long_to_stay_away(status: int, asked: dict[str, str], seconds: float) -> None:
    """In seconds, in milliseconds, which are more exact and so come first, or by a date on the endpoint's clock."""
    assert retry_after(status, CIMultiDict(asked)) == seconds


@pytest.mark.parametrize("status", [200, 400, 401, 408, 500, 502])
def test_only_refusals_for_want_of_room_are_heard(status: int) -> None:
    """Other statuses may not ask to wait, whatever their headers hold."""
    said = none_left("5s", Retry_After="3", retry_after_ms="100")
    assert retry_after(status, said) is None


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "-inf", "1 s", "Wed, 99 Jan 2025 00:00:30 GMT"])
def test_nonsense_asks_for_nothing(value: str) -> None:
    """What is neither seconds nor a date counts as not said, under either name."""
    assert retry_after(429, headers(Retry_After=value, Date=DATE)) is None
    assert retry_after(429, headers(retry_after_ms=value, Date=DATE)) is None


def test_a_date_without_a_clock_to_read_it_by_asks_for_nothing() -> None:
    """The endpoint's clock may differ from ours, so a date alone says nothing."""
    assert retry_after(429, headers(Retry_After=DATE)) is None
    assert retry_after(429, headers(Retry_After=DATE, Date="yesterday")) is None


def test_a_refusal_without_a_time_of_its_own_goes_by_the_resets() -> None:
    """A 429 that only has rate limit headers waits for those; its own time, where it has one, comes first."""
    assert retry_after(429, none_left("20s")) == 20.0
    assert retry_after(429, none_left("20s", Retry_After="4")) == 4.0
    assert retry_after(429, headers()) is None


@pytest.mark.parametrize("part", ["requests", "tokens"])
@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("7.66s", 7.66),
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("120ms", 0.12),
        ("1m500ms", 60.5),
        ("0s", 0.0),
        ("12", 12.0),
        ("0.5", 0.5),
        ("-4", 0.0),
    ],
)
def test_durations_are_read_as_openai_writes_them(part: str, reset: str, seconds: float) -> None:
    """Hours, minutes, seconds and milliseconds in one word, or plain seconds."""
    assert pause(none_left(reset, part)) == pytest.approx(seconds)


@pytest.mark.parametrize("reset", ["", "later", "5 s", "s", "1x", "1s?", "m5", "1.2.3s", "-1s", "nan", "inf"])
def test_a_reset_that_is_no_time_is_ignored(reset: str) -> None:
    """Half-readable durations are not guessed at."""
    assert pause(none_left(reset, Date=DATE)) is None


def test_a_reset_that_is_missing_is_ignored() -> None:
    """Nothing left, and nothing said of when there is more: there is no pause to be known."""
    assert pause(headers(x_ratelimit_remaining_requests="0")) is None


@pytest.mark.parametrize("part", ANTHROPIC_PARTS)
@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("2025-01-01T00:00:09Z", 9.0),
        ("2025-01-01T00:00:09.250Z", 9.25),
        ("2025-01-01T01:01:00+01:00", 60.0),
        ("2024-12-31T23:59:00Z", 0.0),
    ],
)
def test_moments_are_read_as_anthropic_writes_them(part: str, reset: str, seconds: float) -> None:
    """An RFC 3339 time counts from the endpoint's own clock; one that has passed asks for nothing."""
    named = {f"anthropic-ratelimit-{part}-remaining": "0", f"anthropic-ratelimit-{part}-reset": reset}
    assert pause(headers(**named, Date=DATE)) == pytest.approx(seconds)
    assert pause(headers(**named)) is None


@pytest.mark.parametrize("left", ["1", "59", "", "none", "00:00"])
def test_while_something_is_left_there_is_no_pause(left: str) -> None:
    """A reset is when all is there again, not a reason to wait for it."""
    assert pause(headers(x_ratelimit_remaining_tokens=left, x_ratelimit_reset_tokens="6m0s")) is None


def test_the_longest_of_several_resets_counts() -> None:
    """With neither requests nor tokens left it takes both; what is left of, or unreadable, does not count."""
    both = {**none_left("1s"), **none_left("6m0s", "tokens")}
    assert pause(CIMultiDict(both)) == 360.0
    one = {**both, "x-ratelimit-remaining-tokens": "3"}
    assert pause(CIMultiDict(one)) == 1.0
    odd = {**both, "x-ratelimit-reset-tokens": "whenever"}
    assert pause(CIMultiDict(odd)) == 1.0


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["requests", "tokens"]))
def test_no_short_text_breaks_anything(value: str, clock: str, part: str) -> None:
    """Whatever a proxy writes into headers, the wait is none or a number of seconds that is not negative."""
    named = none_left(value, part, Date=clock, Retry_After=value, retry_after_ms=value)
    assert (retry_after(429, named) or 0.0) >= 0.0
    assert (pause(named) or 0.0) >= 0.0


@pytest.mark.parametrize(
    ("value", "clock"),
    [
        ("1e30", DATE),
        ("86401", DATE),
        ("9" * 5000, DATE),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DATE),
        ("Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"),
        (DATE, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_what_is_absurd_asks_for_nothing(value: str, clock: str) -> None:
    """Whoever means more than a day is asked again sooner, as where nothing is said; what is past is now."""
    assert retry_after(429, headers(Retry_After=value, Date=clock)) in (None, 0.0)
    assert pause(none_left(value)) is None


@pytest.mark.parametrize(
    "reset", ["9" * 400 + "h", "99999h", "1e30", "9999-12-31T23:59:59-23:59", "1" * 8000], ids=range(5)
)
def test_no_reset_is_longer_than_a_day(reset: str) -> None:
    """In whatever form."""
    assert pause(none_left(reset, Date=DATE)) is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Rate limit reached for requests. Please try again in 6m0s.", 360.0),
        ("Please try again in 1.242s. Visit https://example.org", 1.242),
        ("Please try again in 850ms.", 0.85),
        ("Quota exceeded for metric: requests, limit: 15\nPlease retry in 31.2s.", 31.2),
        ("Try again in a while", None),
        ("try again in 99999999999999999999s", None),
        ("Please retry in 999999999h", None),
    ],
)
def test_words_say_how_long_to_stay_away(said: str, seconds: float | None) -> None:
    """Where a refusal for want of room says so; nothing else is heard."""
    assert retry_in_words(429, said) == seconds
    assert retry_in_words(500, said) is None
