"""What was taken within the last minute, which comes back a minute after it was taken.

A bucket that fills up evenly would let twice its size through within a minute: all that is in it,
and what flows in meanwhile. Here no minute, wherever it begins, ever sees more than the limit.
Takings are kept by slots of time, so that a busy key costs little memory; a slot comes back as a
whole, when the youngest that could be in it is a minute old.
"""

from __future__ import annotations

from math import floor

SECONDS = 60
GRAIN = 0.25  # seconds of a slot
SLOTS = round(SECONDS / GRAIN)


class Window:
    """A sliding window. `now` is of a clock that never goes back, in seconds."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}  # amounts by slot, oldest first
        self._taken = 0

    def taken(self, now: float) -> int:
        """What has not come back yet."""
        last = floor(now / GRAIN) - SLOTS
        while self._slots and (oldest := next(iter(self._slots))) < last:
            self._taken -= self._slots.pop(oldest)
        return self._taken

    def take(self, amount: int, limit: int, now: float) -> int | None:
        """Take, and return the slot for `give_back`; None if that were too much."""
        if self.taken(now) + amount > limit:
            return None
        return self.add(amount, now)

    def add(self, amount: int, now: float) -> int:
        """Take without asking, as after the fact."""
        slot = floor(now / GRAIN)
        self._slots[slot] = self._slots.get(slot, 0) + amount
        self._taken += amount
        return slot

    def give_back(self, slot: int, amount: int) -> None:
        """Return what was not used, unless it has come back by itself."""
        if slot in self._slots:
            self._slots[slot] -= amount
            self._taken -= amount
            if not self._slots[slot]:
                del self._slots[slot]

    def wait(self, amount: int, limit: int, now: float) -> float:
        """Seconds until so much can be taken, if nobody takes more meanwhile; infinite if never."""
        missing = self.taken(now) + amount - limit
        if missing <= 0:
            return 0.0
        for slot, held in self._slots.items():
            missing -= held
            if missing <= 0:
                return _until(slot, now)
        return float("inf")

    def reset(self, now: float) -> float:
        """Seconds until all has come back."""
        return _until(next(reversed(self._slots)), now) if self.taken(now) else 0.0


def _until(slot: int, now: float) -> float:
    return (slot + 1 + SLOTS) * GRAIN - now
