"""Limits of keys: what is refused, what the headers say, and what a correction does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from openhearth.platform.caller import SCOPES, Caller, Limits
from openhearth.platform.errors import ApiError
from openhearth.platform.limits import RateLimits
from openhearth.platform.limits.rates import REQUESTS, TOKENS, duration


class Clock:
    """A clock that is set by hand, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def caller(key: str = "key", requests: int | None = None, tokens: int | None = None) -> Caller:
    limits = Limits(requests_per_minute=requests, tokens_per_minute=tokens)
    return Caller(key, "proj", "org", None, "owner", SCOPES, limits)


def refused(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str | None, str | None]:
    detail = error.value.reply.error
    return error.value.status, detail.code, error.value.headers.get("retry-after")


def test_requests_beyond_the_limit_have_to_wait() -> None:
    clock = Clock()
    limits, who = RateLimits(clock), caller(requests=2)
    limits.request(who)
    clock.now += 10
    limits.request(who)
    with pytest.raises(ApiError, match="2 requests a minute") as error:
        limits.request(who)
    # The first request comes back when its slot is a minute old: 50.25 seconds from now.
    assert refused(error) == (429, "rate_limit_exceeded", "51")
    limits.request(caller("another", requests=2))
    clock.now += 51
    limits.request(who)


def test_tokens_are_taken_and_corrected() -> None:
    clock = Clock()
    limits, who = RateLimits(clock), caller(tokens=100)
    taken = limits.take(who, 80)
    with pytest.raises(ApiError, match="100 tokens a minute"):
        limits.take(who, 30)
    limits.correct(taken, 20)
    assert limits.headers(who)["x-ratelimit-remaining-tokens"] == "80"
    limits.correct(limits.take(who, 10), 200)
    assert limits.headers(who)["x-ratelimit-remaining-tokens"] == "0"
    clock.now += 61
    assert limits.headers(who)["x-ratelimit-remaining-tokens"] == "100"


def test_what_could_never_be_is_refused_for_good() -> None:
    with pytest.raises(ApiError, match="may need 101 tokens") as error:
        RateLimits().take(caller(tokens=100), 101)
    assert refused(error) == (400, "request_too_large", None)


def test_headers_of_both_apis() -> None:
    clock = Clock()
    limits, who = RateLimits(clock), caller(requests=60, tokens=1000)
    limits.request(who)
    limits.take(who, 400)
    clock.now += 54.25
    assert limits.headers(who) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "6s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "600",
        "x-ratelimit-reset-tokens": "6s",
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": "59",
        "x-ratelimit-reset": "6",
    }


def test_keys_without_limits_have_those_of_the_server() -> None:
    headers = RateLimits().headers(caller())
    assert headers["x-ratelimit-limit-requests"] == str(REQUESTS)
    assert headers["x-ratelimit-limit-tokens"] == str(TOKENS)
    assert headers["x-ratelimit-reset-requests"] == "0s"


# The examples of https://platform.openai.com/docs/guides/rate-limits, and others in that form.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1s"), (360, "6m0s"), (0.012, "12ms"), (0, "0s"), (59.2, "1m0s"), (61, "1m1s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_threads_take_no_more_than_there_is() -> None:
    limits, who = RateLimits(), caller(requests=100)

    def try_once(_: int) -> bool:
        try:
            limits.request(who)
        except ApiError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_once, range(400))) == 100
