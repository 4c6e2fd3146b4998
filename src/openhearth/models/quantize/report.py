"""What a model lost and saved by being quantised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch

from openhearth.models.build import build, shapes_of
from openhearth.models.config import ModelConfig
from openhearth.models.gguf_types import Choice
from openhearth.models.part import Part
from openhearth.models.quantize.quality import Predictions, compare
from openhearth.models.weights import PLAIN, Weights
from openhearth.progress import Progress
from openhearth.store import Artifact

METRIC = "quantized"  # of the artifact
SHOWN = 5  # of the worst tensors


class TensorError(Part):
    """A tensor's type, and the length of what it differs by over its own length."""

    name: str
    type: str
    error: float


class Side(Part):
    """The weights before or after: their bytes, bits for each, and perplexity on the text."""

    bytes: int
    bits: float
    perplexity: float


class Report(Part):
    """`kl` is the mean over `tokens` of the KL, in nats, of the next token's distribution from that
    of the weights before, in fp32. `types` counts tensors by type; `instead` counts those whose
    rows are no whole blocks of the type that they should have, by the type that they have.
    `requantized` tells that the weights before were in blocks themselves.
    """

    before: Side
    after: Side
    kl: float
    tokens: int
    types: dict[str, int]
    instead: dict[str, int]
    requantized: bool
    worst: tuple[TensorError, ...]

    @classmethod
    def of(cls, artifact: Artifact) -> Report:
        """That of a model that `quantize` made."""
        return cls.model_validate(artifact.manifest.metrics[METRIC])


def report(
    config: ModelConfig,
    before: Weights,
    after: Weights,
    choices: Mapping[str, Choice],
    texts: Sequence[Sequence[int]],
    progress: Progress,
) -> Report:
    """Compare the weights, and what they predict on texts of tokens.

    Raises:
        CorruptArtifact: files are damaged.
    """
    errors = [_error(name, before, after, choice) for name, choice in choices.items()]
    meant = Predictions(build(config, before, torch.float32), texts, progress)
    found = Predictions(build(config, after, torch.float32), texts, progress)
    as_meant, as_found = compare(meant, found, texts)
    instead = [choice.kind for choice in choices.values() if choice.kind != choice.wanted]
    return Report(
        before=_side(config, before, as_meant.perplexity),
        after=_side(config, after, as_found.perplexity),
        kl=_short(as_found.kl),
        tokens=sum(map(len, texts)),
        types=dict(Counter(choice.kind for choice in choices.values())),
        instead=dict(Counter(instead)),
        requantized=any(before.packed(name).source not in PLAIN.values() for name in choices),
        worst=tuple(sorted(errors, key=lambda e: (-e.error, e.name))[:SHOWN]),
    )


def bits(config: ModelConfig, size: int) -> float:
    """Bits for each weight of a model whose weights take so many bytes."""
    return _short(8 * size / sum(map(prod, shapes_of(config).values())))


def bytes_of(config: ModelConfig, weights: Weights) -> int:
    """What all weights take in their file."""
    return sum(weights.packed(name).data.nbytes for name in shapes_of(config))


def _side(config: ModelConfig, weights: Weights, perplexity: float) -> Side:
    size = bytes_of(config, weights)
    return Side(bytes=size, bits=bits(config, size), perplexity=_short(perplexity))


def _error(name: str, before: Weights, after: Weights, choice: Choice) -> TensorError:
    values = before.values(name)
    length = float(np.linalg.norm(values))
    error = float(np.linalg.norm(after.values(name) - values)) / (length or 1.0)
    return TensorError(name=name, type=choice.kind, error=_short(error))


def _short(value: float) -> float:
    """Four digits, so that two machines come to the same report."""
    return float(f"{value:.4g}")
