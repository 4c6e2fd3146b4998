"""Matrices in two of ggml's K-quants, which the `gguf` package can expand but not make.

A block of 256 numbers has parts, each with a scale, and the scales are whole numbers times one of
the block. Layouts and the search for scales are those of `ggml-quants.c`: of several scales by
which to round, the one that leaves the least weighted square of errors after it was fitted anew to
what was rounded.
"""

from __future__ import annotations

import numpy as np

BLOCK = 256
AT_ONCE = 2048  # blocks: a few megabytes for each array on the way
TINY = np.float32(1e-30)
LINE_TOPS = np.linspace(14, 16, 21, dtype=np.float32)  # tried as the level of the largest number
SCALE_TOPS = np.linspace(31.1, 32.9, 19, dtype=np.float32)


def quantize(values: np.ndarray, kind: str) -> np.ndarray:
    """fp32 [..., n], n a multiple of 256, as uint8 [..., bytes] of type `Q4_K` or `Q6_K`."""
    blocks = np.ascontiguousarray(values, np.float32).reshape(-1, BLOCK)
    pieces = np.array_split(blocks, -(-len(blocks) // AT_ONCE))
    packed = np.concatenate([K_QUANTS[kind](piece) for piece in pieces])
    return packed.reshape(*values.shape[:-1], -1)


def _q4_k(blocks: np.ndarray) -> np.ndarray:
    """[n, 256] -> [n, 144]: eight parts of numbers step * level - low, with levels to 15."""
    parts = blocks.reshape(-1, 8, 32)
    (step, steps), (low, lows) = (_six_bits(found) for found in _fit_line(parts))
    levels = np.rint(_over(parts + low * lows, step * steps)).clip(0, 15).astype(np.uint8)
    pairs = levels.reshape(-1, 4, 2, 32)
    return _joined(
        step.astype(np.float16),
        low.astype(np.float16),
        _woven(steps.astype(np.uint8), lows.astype(np.uint8)),
        pairs[:, :, 0] | pairs[:, :, 1] << 4,
    )


def _q6_k(blocks: np.ndarray) -> np.ndarray:
    """[n, 256] -> [n, 210]: sixteen parts of numbers scale * level, with levels from -32 to 31."""
    parts = blocks.reshape(-1, 16, 16)
    found = _fit_scale(parts)
    unit = _half(_peak(found, axis=1) / -128)
    scales = np.rint(_over(found, unit)).clip(-128, 127)
    levels = np.rint(_over(parts, unit * scales)).clip(-32, 31) + 32
    quarters = levels.astype(np.uint8).reshape(-1, 2, 4, 32)
    low, high = quarters & 15, quarters >> 4
    return _joined(
        low[:, :, :2] | low[:, :, 2:] << 4,
        high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6,
        scales.astype(np.int8),
        unit.astype(np.float16),
    )


K_QUANTS = {"Q4_K": _q4_k, "Q6_K": _q6_k}


def _fit_line(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[..., n] -> step and low [..., 1] of x = step * level - low, levels to 15, low >= 0."""
    weight = np.sqrt((x * x).mean(-1, keepdims=True)) + np.abs(x)
    bottom = np.minimum(x.min(-1, keepdims=True), 0)
    span = np.maximum(x.max(-1, keepdims=True) - bottom, TINY)
    step, low, error = np.zeros_like(span), -bottom, np.full_like(span, np.inf)
    for top in LINE_TOPS:
        levels = np.rint((x - bottom) * (top / span)).clip(0, 15)
        new_step, new_low = _solve(x, levels, weight)
        left = _sum(weight * (new_step * levels - new_low - x) ** 2)
        better = left < error
        step, low = np.where(better, new_step, step), np.where(better, new_low, low)
        error = np.where(better, left, error)
    return step, low


def _solve(x: np.ndarray, levels: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step and low of the least weighted squares."""
    by_level = weight * levels
    one, of_level, of_square = _sum(weight), _sum(by_level), _sum(by_level * levels)
    of_x, of_both = _sum(weight * x), _sum(by_level * x)
    spread = one * of_square - of_level**2
    step = _over(one * of_both - of_level * of_x, spread)
    low = -_over(of_x - step * of_level, one)
    return np.where(low < 0, _over(of_both, of_square), step), np.maximum(low, 0)


def _fit_scale(x: np.ndarray) -> np.ndarray:
    """[..., n] -> scale [..., 1] of x = scale * level, levels from -32, which the peak gets."""
    weight, peak = x * x, _peak(x, axis=-1)
    scale, gain = np.zeros_like(peak), np.zeros_like(peak)
    for top in SCALE_TOPS:
        levels = np.rint(_over(x * -top, peak)).clip(-32, 31)
        of_both, of_square = _sum(weight * levels * x), _sum(weight * levels * levels)
        found = _over(of_both, of_square)
        better = found * of_both > gain
        scale, gain = np.where(better, found, scale), np.where(better, found * of_both, gain)
    return scale


def _peak(x: np.ndarray, axis: int) -> np.ndarray:
    """The number that is farthest from zero."""
    return np.take_along_axis(x, np.abs(x).argmax(axis, keepdims=True), axis)


def _six_bits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[n, 8, 1] -> what one unit is [n, 1, 1], a half, and how many units each is, up to 63."""
    unit = _half(values.max(1, keepdims=True) / 63)
    return unit, np.rint(_over(values, unit)).clip(0, 63)


def _woven(steps: np.ndarray, lows: np.ndarray) -> np.ndarray:
    """Two times eight numbers of six bits [n, 8, 1] in twelve bytes."""
    first, last = slice(0, 4), slice(4, 8)
    return np.concatenate(
        [
            steps[:, first] | steps[:, last] >> 4 << 6,
            lows[:, first] | lows[:, last] >> 4 << 6,
            steps[:, last] & 15 | lows[:, last] << 4,
        ],
        axis=1,
    )


def _half(values: np.ndarray) -> np.ndarray:
    """fp32 numbers as they are after they were halves."""
    return values.astype(np.float16).astype(np.float32)


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and zero where b is."""
    return np.divide(a, b, out=np.zeros_like(a + b), where=b != 0)


def _sum(x: np.ndarray) -> np.ndarray:
    return x.sum(-1, keepdims=True)


def _joined(*parts: np.ndarray) -> np.ndarray:
    """The bytes of each block's parts, one after another."""
    rows = [np.ascontiguousarray(part).reshape(len(part), -1).view(np.uint8) for part in parts]
    return np.concatenate(rows, axis=1)
