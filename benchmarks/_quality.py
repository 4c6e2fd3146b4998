"""How near logits are to those of the weights in the file, computed in fp32, on the same texts."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from _results import Row
from _sides import Measure
from _smollm import base

from openhearth.data import Tokenizer
from openhearth.models.quantize import PROSE, Quality, kl, surprise

LENGTH, TEXTS = 600, 6  # tokens of each
EIGHT_BITS = 0.01  # nat that eight bits may lose at most


def texts() -> list[list[int]]:
    """Prose and code, as tokens: the project's README and two of its pages as they once were, the
    same in every run.
    """
    tokens = Tokenizer.load(base()).encode(PROSE.read_text())
    return [tokens[i * LENGTH : (i + 1) * LENGTH] for i in range(TEXTS)]


def logits(side: Measure, tokens: list[int], *first: str) -> torch.Tensor:
    """The logarithms of what a side expects after each token, [tokens, words]."""
    with NamedTemporaryFile(suffix=".npy") as file:
        side("logits", *first, tokens, file.name)
        return torch.from_numpy(np.load(file.name)).double().log_softmax(-1)


def measure(name: str, side: Measure, *first: str, ours: Measure) -> Quality:
    """Both of all texts, which are printed too; what is meant is what our side says in fp32."""
    kls, nats = [], []
    for tokens in texts():
        meant, found = logits(ours, tokens, "float32"), logits(side, tokens, *first)
        kls.append(kl(meant, found).mean())
        nats.append(surprise(found, tokens[1:]).mean())
    quality = Quality(float(torch.stack(kls).mean()), float(torch.stack(nats).mean().exp()))
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
