"""How near logits are to those of the weights in the file, computed in fp32, on the same text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from _results import Row
from _sides import Measure
from _smollm import base

from openhearth.data import Tokenizer

MEASURED = 600  # tokens
EIGHT_BITS = 0.01  # nat that eight bits may lose at most


@dataclass(frozen=True)
class Quality:
    """The mean KL in nats of the next token's distribution from the one that is meant, and
    perplexity.
    """

    kl: float
    perplexity: float


def text() -> list[int]:
    """Prose and code, as tokens: the project's README as it once was, the same in every run."""
    page = Path(__file__).with_name("prose.txt").read_text()
    return Tokenizer.load(base()).encode(page)[:MEASURED]


def logits(side: Measure, tokens: list[int], *first: str) -> np.ndarray:
    """A side's logits [tokens, words] after each token."""
    with NamedTemporaryFile(suffix=".npy") as file:
        side("logits", *first, tokens, file.name)
        return np.load(file.name)


def measure(name: str, found: np.ndarray, meant: np.ndarray, tokens: list[int]) -> Quality:
    """Both, which are printed too."""
    quality = Quality(divergence(found, meant), perplexity(found, tokens))
    print(f"{name}: KL {quality.kl:.4f}, perplexity {quality.perplexity:.2f}", flush=True)
    return quality


def rows(dtype: str, ours: Quality, peer: str, theirs: Quality) -> Iterator[Row]:
    """The gate: no worse than a peer with as many bits, and eight bits hardly worse than fp32."""

    def row(work: str, unit: str, mine: float, other: float, name: str) -> Row:
        return Row(f"{work}, {dtype}", unit, mine, other, name, 1.0, less_is_better=True)

    yield row("KL from fp32", "nat", ours.kl, theirs.kl, peer)
    yield row("perplexity", "", ours.perplexity, theirs.perplexity, peer)
    if dtype == "int8":
        yield row("KL from fp32", "nat", ours.kl, EIGHT_BITS, "limit")


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
