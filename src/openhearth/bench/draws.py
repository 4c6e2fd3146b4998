"""Random numbers of the bench: all of them follow from one seed (rule 9)."""

from __future__ import annotations

import hashlib
from random import Random


def stream(seed: int, *labels: str | int) -> Random:
    """The random numbers that a seed has for one purpose, independent of those for any other.

    Equal in every process and on every machine: the state is a SHA-256 of seed and labels.
    """
    told = "/".join(str(part) for part in (seed, *labels))
    return Random(hashlib.sha256(told.encode()).digest())  # noqa: S311 - to be foreseen, not secret


def fair(rng: Random, count: int, share: float) -> list[bool]:
    """Which of so many have something that a share of them has: exactly that share, shuffled."""
    have = round(count * share)
    chosen = [True] * have + [False] * (count - have)
    rng.shuffle(chosen)
    return chosen
