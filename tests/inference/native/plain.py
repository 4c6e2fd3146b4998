"""What the kernels compute, in NumPy and double precision."""

from __future__ import annotations

import math

import numpy as np

BLOCK = 32


def quantised(x: np.ndarray) -> np.ndarray:
    """Rows as the kernels see them: eight bits for each number, by blocks, as floats again."""
    blocks = x.reshape(len(x), -1, BLOCK).astype(np.float32)
    most = np.abs(blocks).max(-1, keepdims=True)
    factor = np.divide(np.float32(127), most, out=np.zeros_like(most), where=most > 0)
    numbers = np.rint(blocks * factor)
    return (numbers.astype(np.float64) * (most / np.float32(127))).reshape(x.shape)


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    x = x.astype(np.float64)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def in_eight_bits(x: np.ndarray) -> np.ndarray:
    """Heads [..., size] as eight bits keep them, with a scale for each."""
    most = np.abs(x).max(-1, keepdims=True).astype(np.float32)
    numbers = np.rint(x.astype(np.float32) * (np.float32(127) / most))
    return numbers * (most.astype(np.float64) / 127)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    x = x.astype(np.float64)
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight + bias


def gelu(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def rotated(heads: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """heads [rows, heads, size] turned by angles [rows, size / 2]."""
    one, other = np.split(heads, 2, axis=-1)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.concatenate([one * cos - other * sin, other * cos + one * sin], -1)


def attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, scale: float, window: int, *, causal: bool = True
) -> np.ndarray:
    """q [rows, heads, size], k and v [rows, kv heads, size] of one sequence -> as q."""
    rows, heads, _ = q.shape
    group = heads // k.shape[1]
    k, v = (np.repeat(x, group, axis=1) for x in (k, v))
    scores = np.einsum("ihd,jhd->hij", q, k) * scale
    place = np.arange(rows)
    apart = place[:, None] - place[None]
    if causal:
        scores = np.where((apart < 0) | (apart >= window), -np.inf, scores)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("hij,jhd->ihd", weights, v)
