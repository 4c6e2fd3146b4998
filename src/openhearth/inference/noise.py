"""Random numbers that depend on a seed and a position alone, and on no machine.

Philox4x64-10 (Salmon et al. 2011) is counter based: the number of one token is had without the
others. Logarithms and powers are polynomials, since those of libraries differ in their last digit.
`native/inference/noise.h` computes the same numbers bit for bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# 2^-f = 1 + f * (c0 + c1 f + ...) for f in [0, 1], to 2e-7: a Chebyshev fit.
POWER = np.array(
    [-0.693147182, 0.24022609, -0.0554992296, 0.00959703512, -0.00129163684, 0.000114919952],
    dtype=np.float32,
)


def uniform(seed: int, position: int, size: int) -> Floats:
    """`size` numbers in [0, 1), multiples of 2^-24; number i is the i-th token's."""
    key = np.array([seed % 2**64, position], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(size, dtype=np.float32)


def gumbel(seed: int, position: int, size: int) -> Doubles:
    """`size` numbers of the standard Gumbel distribution; a uniform 0 counts as 2^-126."""
    numbers = np.maximum(uniform(seed, position, size), np.float32(2.0**-126))
    return -logarithm(-logarithm(numbers.astype(np.float64)))


def logarithm(x: Doubles) -> Doubles:
    """Natural logarithm of positive numbers: 2 atanh((m - 1) / (m + 1)) + e ln 2, m near 1."""
    m, exponent = np.frexp(x)
    low = m < 0.7071067811865476
    m, exponent = np.where(low, m * 2, m), exponent - low
    t = (m - 1) / (m + 1)
    square = t * t
    total = np.full_like(t, 1 / 23)
    for k in range(21, 0, -2):
        total = total * square + 1 / k
    return exponent * 0.6931471805599453 + 2 * t * total


def power(z: Floats) -> Floats:
    """2^-z for z from 0 to 126, to 2e-7 of itself."""
    whole = z.astype(np.int32)
    part = z - whole.astype(np.float32)
    total = np.full_like(part, POWER[-1])
    for c in POWER[-2::-1]:
        total = total * part + c
    return np.ldexp(total * part + np.float32(1), -whole)
