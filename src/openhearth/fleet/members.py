"""Who is there: members say so every two seconds, and are believed for six.

A member that dies is missed at once, because the broker tells; the lease is for one that hangs, or
that an interrupted network hides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

BEAT = 2.0  # seconds
LEASE = 6.0


class Beat(Protocol):
    """What a member says."""

    @property
    def id(self) -> str:
        """Which member."""


Said = TypeVar("Said", bound=Beat)


class Members(Generic[Said]):
    """The members of a kind, and what each said last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, Said]] = {}

    def heard(self, beat: Said) -> bool:
        """A member is there; True if it was not before."""
        new = beat.id not in self._heard
        self._heard[beat.id] = self._clock(), beat
        return new

    def left(self, member: str) -> bool:
        """It is gone; True if it was there."""
        return self._heard.pop(member, None) is not None

    def expire(self) -> list[str]:
        """Those who were not heard of for too long, and are no members any more."""
        now = self._clock()
        silent = [one for one, (when, _) in list(self._heard.items()) if now - when > LEASE]
        for member in silent:
            del self._heard[member]
        return silent

    def __contains__(self, member: str) -> bool:
        return member in self._heard

    def all(self) -> list[Said]:
        """What each said last."""
        return [beat for _, beat in list(self._heard.values())]
