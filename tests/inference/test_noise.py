"""Random numbers by counter, and functions that are the same on every machine."""

from __future__ import annotations

import numpy as np

from openhearth.inference.noise import gumbel, logarithm, power, uniform


def philox(seed: int, position: int, counter: int) -> list[int]:
    """Four words of Philox4x64-10, from the paper's definition (Salmon et al. 2011)."""
    x, keys = [counter, 0, 0, 0], [seed, position]
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
        low = 2**64 - 1
        x = [(b >> 64) ^ x[1] ^ keys[0], b & low, (a >> 64) ^ x[3] ^ keys[1], a & low]
        keys = [keys[0] + 0x9E3779B97F4A7C15 & low, keys[1] + 0xBB67AE8584CAA73B & low]
    return x


def test_a_token_has_its_own_three_bytes_of_its_own_counter() -> None:
    numbers = uniform(5, 77, 3000)
    for token in [0, 1, 7, 8, 2999]:
        word = philox(5, 77, token // 8 + 1)[token % 8 // 2]
        assert numbers[token] == (word >> 32 * (token % 2) & 0xFFFFFFFF) // 256 / 2**24
    assert np.array_equal(numbers[:100], uniform(5, 77, 100))
    assert np.array_equal(uniform(-1, 0, 9), uniform(2**64 - 1, 0, 9))


def test_gumbel_noise_is_finite_and_has_the_gumbel_mean() -> None:
    noise = gumbel(1, 2, 200_000)
    assert np.isfinite(noise).all()
    assert abs(noise.mean() - np.euler_gamma) < 0.015  # 5 sigma: 1.28 / sqrt(200000) each


def test_logarithm_and_power_are_right_to_their_last_digits() -> None:
    x = np.concatenate([2.0 ** np.linspace(-126, 20, 5001), 1 - 2.0 ** -np.arange(2.0, 25)])
    assert np.allclose(logarithm(x), np.log(x), rtol=1e-15, atol=0)
    z = np.linspace(0, 126, 20_001, dtype=np.float32)
    assert np.allclose(power(z), 2.0 ** -z.astype(np.float64), rtol=2e-7, atol=0)
    assert power(np.zeros(1, dtype=np.float32)) == 1
