"""How near logits are to those of the weights in the file, computed in fp32, on the same text."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from _sides import Measure
from _smollm import base

from openhearth.data import Tokenizer

MEASURED = 600  # tokens


def text() -> list[int]:
    """Prose and code, as tokens."""
    root = Path(__file__).parents[1]
    pages = [root / "README.md", root / "docs" / "explanation" / "architecture.md"]
    return Tokenizer.load(base()).encode("\n".join(p.read_text() for p in pages))[:MEASURED]


def logits(side: Measure, tokens: list[int], *first: str) -> np.ndarray:
    """A side's logits [tokens, words] after each token."""
    with NamedTemporaryFile(suffix=".npy") as file:
        side("logits", *first, tokens, file.name)
        return np.load(file.name)


def report(name: str, found: np.ndarray, meant: np.ndarray, tokens: list[int]) -> None:
    """Print both measures of it."""
    kl, surprise = divergence(found, meant), perplexity(found, tokens)
    print(f"{name}: KL {kl:.4f}, perplexity {surprise:.2f}", flush=True)


def divergence(logits: np.ndarray, meant: np.ndarray) -> float:
    """The mean KL in nats of rows of logits from those that are meant."""
    p, q = log_softmax(meant), log_softmax(logits)
    return float((np.exp(p) * (p - q)).sum(-1).mean())


def perplexity(logits: np.ndarray, tokens: list[int]) -> float:
    found = log_softmax(logits)[np.arange(len(tokens) - 1), tokens[1:]]
    return float(np.exp(-found.mean()))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
