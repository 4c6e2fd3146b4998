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


def relu2(x: np.ndarray) -> np.ndarray:
    return np.square(np.maximum(x.astype(np.float64), 0))


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Each channel of x [rows, channels] with its filter, weight [taps, channels], oldest first."""
    taps = len(weight)
    padded = np.concatenate([np.zeros((taps - 1, x.shape[1])), x.astype(np.float64)])
    return bias + sum(weight[i] * padded[i : i + len(x)] for i in range(taps))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x.astype(np.float64))


def remembered(
    key: np.ndarray,
    query: np.ndarray,
    value: np.ndarray,
    decay: np.ndarray,
    share: np.ndarray,
    *,
    corrects: bool,
) -> np.ndarray:
    """What the memory of one head says: key and query [rows, keys], value [rows, values]."""
    memory, said = np.zeros((key.shape[1], value.shape[1])), []
    for k, q, v, d, s in zip(key, query, value, decay, share, strict=True):
        memory = d * memory
        memory = memory + np.outer(k, s * (v - k @ memory if corrects else v))
        said.append(q @ memory)
    return np.array(said)


def selected(
    x: np.ndarray, step: np.ndarray, logs: np.ndarray, write: np.ndarray, read: np.ndarray
) -> np.ndarray:
    """A selective state space: x and step [rows, channels], logs [numbers, channels]."""
    state, made = np.zeros(logs.shape), []
    for u, s, w, r in zip(x, step, write, read, strict=True):
        state = np.exp(s * logs) * state + w[:, None] * s * u
        made.append(r @ state)
    return np.array(made)


def rung(x: np.ndarray, poles: np.ndarray, residues: np.ndarray) -> np.ndarray:
    """Filters that are sums of complex modes: x [rows, channels], the others [modes, channels]."""
    state, made = np.zeros(poles.shape, complex), []
    for u in x:
        state = poles * state + u
        made.append((residues * state).sum(0).real)
    return np.array(made)


def replaced(
    asked: np.ndarray,
    decay: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    put: np.ndarray,
    taken: np.ndarray,
) -> np.ndarray:
    """What the memory of a head of RWKV-7 says, all [rows, size]."""
    memory, said = np.zeros((key.shape[1], value.shape[1])), []
    for a, d, k, v, p, t in zip(asked, decay, key, value, put, taken, strict=True):
        memory = d[:, None] * memory - np.outer(p, t @ memory) + np.outer(k, v)
        said.append(a @ memory)
    return np.array(said)


def routed(
    logits: np.ndarray,
    active: int,
    bias: np.ndarray | None,
    *,
    groups: int,
    active_groups: int,
    softmax: bool,
    normalised: bool,
    factor: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The experts of each row in the order of their numbers, and their weights, [rows, active]."""
    logits = logits.astype(np.float64)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    scores = powers / powers.sum(-1, keepdims=True) if softmax else 1 / (1 + np.exp(-logits))
    good = scores if bias is None else scores + bias
    grouped = good.reshape(len(good), groups, -1)
    best = np.sort(grouped, -1)[..., -2:].sum(-1).argsort(-1)[:, :-active_groups]
    np.put_along_axis(grouped, best[..., None], -np.inf, axis=1)
    chosen = np.sort((-grouped.reshape(good.shape)).argsort(-1, kind="stable")[:, :active], -1)
    weights = np.take_along_axis(scores, chosen, -1)
    if normalised:
        weights = weights / weights.sum(-1, keepdims=True)
    return chosen, weights * factor


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
