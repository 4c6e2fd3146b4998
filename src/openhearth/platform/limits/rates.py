"""The windows of every key, and what they say to its callers.

The guard counts each request. A route takes the tokens that it could need at most when it accepts a
request, and corrects that when it knows how many there were:

    taken = limits.take(caller, prompt_tokens + max_tokens)
    ...
    limits.correct(taken, used)
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from openhearth.platform.caller import Caller, Limits
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.limits.window import Window

# Of keys that have none of their own: more than one machine can do.
REQUESTS, TOKENS = 600_000, 1_000_000_000


@dataclass(frozen=True)
class Taken:
    """Tokens that a request took when it was accepted."""

    key: str
    slot: int
    tokens: int


class RateLimits:
    """What each key took. Its methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._requests: defaultdict[str, Window] = defaultdict(Window)
        self._tokens: defaultdict[str, Window] = defaultdict(Window)
        self._lock = threading.Lock()

    def request(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            ApiError: 429, the key made as many within this minute as it may.
        """
        self._take(self._requests, caller.key, 1, _requests(caller.limits), "requests")

    def take(self, caller: Caller, tokens: int) -> Taken:
        """Take as many tokens as a request could need.

        Raises:
            ApiError: 429, the key has to wait; 400, it could never have so many.
        """
        limit = _tokens(caller.limits)
        if tokens > limit:
            raise bad_request(
                f"This request may need {tokens} tokens, and this key has {limit} a minute: send a "
                "shorter prompt, or ask for fewer with max_tokens.",
                "max_tokens",
                "request_too_large",
            )
        slot = self._take(self._tokens, caller.key, tokens, limit, "tokens")
        return Taken(caller.key, slot, tokens)

    def correct(self, taken: Taken, used: int) -> None:
        """Give back what was not used, or take what was used beyond it; call it once."""
        with self._lock:
            window = self._tokens[taken.key]
            if used > taken.tokens:
                window.add(used - taken.tokens, self._clock())
            else:
                window.give_back(taken.slot, taken.tokens - used)

    def headers(self, caller: Caller) -> dict[str, str]:
        """OpenAI's headers, and Together's, which are about requests, in seconds.

        Sources: https://platform.openai.com/docs/guides/rate-limits (headers),
        https://docs.together.ai/docs/rate-limits
        """
        with self._lock:
            now = self._clock()
            limit, left, reset = _state(self._requests[caller.key], _requests(caller.limits), now)
            token_limit, tokens_left, token_reset = _state(
                self._tokens[caller.key], _tokens(caller.limits), now
            )
        return {
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": duration(reset),
            "x-ratelimit-limit-tokens": str(token_limit),
            "x-ratelimit-remaining-tokens": str(tokens_left),
            "x-ratelimit-reset-tokens": duration(token_reset),
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str(ceil(reset)),
        }

    def _take(
        self, windows: dict[str, Window], key: str, amount: int, limit: int, what: str
    ) -> int:
        with self._lock:
            now = self._clock()
            window = windows[key]
            slot = window.take(amount, limit, now)
            if slot is not None:
                return slot
            wait = window.wait(amount, limit, now)
        raise too_many(f"This key may use {limit} {what} a minute, and has used them", wait)


def too_many(what: str, wait: float) -> ApiError:
    """A 429 that says when to come again; `wait` in seconds."""
    seconds = max(1, ceil(wait))
    return ApiError(
        429,
        f"{what}: try again in {duration(seconds)}.",
        kind="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after=seconds,
    )


def duration(seconds: float) -> str:
    """As OpenAI writes it, which is Go's way: `6m0s`, `1s`, `120ms`."""
    if seconds < 1:
        return f"{ceil(seconds * 1000)}ms" if seconds else "0s"
    whole = ceil(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _requests(limits: Limits) -> int:
    return REQUESTS if limits.requests_per_minute is None else limits.requests_per_minute


def _tokens(limits: Limits) -> int:
    return TOKENS if limits.tokens_per_minute is None else limits.tokens_per_minute


def _state(window: Window, limit: int, now: float) -> tuple[int, int, float]:
    return limit, max(0, limit - window.taken(now)), window.reset(now)
