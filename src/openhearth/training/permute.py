"""A shuffle of any size that is never stored: position in, number out, by a keyed Feistel network.

Luby & Rackoff 1988. Numbers beyond the size are sent through again until they fall inside (cycle
walking), so every number comes exactly once. Whoever knows the seed can compute any position.
"""

from __future__ import annotations

import hashlib

ROUNDS = 6


def permuted(position: int, size: int, seed: int, epoch: int) -> int:
    """Which of `size` numbers stands at `position` in the shuffle of this seed and epoch.

    Raises:
        IndexError: the position is not below the size.
    """
    if not 0 <= position < size:
        raise IndexError(f"There is no position {position} among {size}.")
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    number = position
    while True:
        number = _feistel(number, half, seed, epoch)
        if number < size:
            return number


def _feistel(number: int, half: int, seed: int, epoch: int) -> int:
    """A bijection of numbers of 2 * `half` bits."""
    mask = (1 << half) - 1
    left, right = number >> half, number & mask
    for turn in range(ROUNDS):
        left, right = right, left ^ (mixed(right, turn, seed, epoch) & mask)
    return left << half | right


def mixed(*numbers: int) -> int:
    """64 bits that look random, of these numbers alone."""
    words = b"".join(n.to_bytes(8, "little") for n in numbers)
    return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little")
