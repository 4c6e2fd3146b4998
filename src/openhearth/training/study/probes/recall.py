"""In-context recall, plain and among noise (MAD; Poli et al. 2024, arXiv:2403.17844).

A sequence is pairs of a key and a value. Which value a key has is drawn for each sequence anew, and
is to be told whenever a key comes that came before; the last pair's always is one.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from openhearth.training.study.probes.base import IGNORED, Probe, Sequences, shifted


class InContextRecall(Probe):
    """Keys are the lower half of the vocabulary, values the upper."""

    name: Literal["in_context_recall"] = "in_context_recall"
    length: Annotated[int, Field(ge=4, multiple_of=2)] = 128

    @property
    def noises(self) -> int:
        """How many tokens, the last of the vocabulary, are only noise."""
        return 0

    @property
    def share(self) -> float:
        """What share of the pairs is noise."""
        return 0.0

    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        pairs, known = self.length // 2, self.vocabulary - self.noises
        half = known // 2
        keys = generator.integers(0, half, (count, pairs))
        values = generator.integers(half, known, (count, half))
        noise = self._noise(count, pairs, generator)
        keys[:, -1] = self._probed(keys, noise, generator)
        tokens = np.stack((keys, np.take_along_axis(values, keys, 1)), axis=2)
        tokens[noise] = generator.integers(known, known + max(1, self.noises), (noise.sum(), 2))
        labels = np.full_like(tokens, IGNORED)
        again = _again(keys, noise)
        labels[again, 1] = tokens[again, 1]
        flat = (count, self.length)
        return shifted(tokens.reshape(flat), labels.reshape(flat), test=test)

    def _noise(self, count: int, pairs: int, generator: np.random.Generator) -> np.ndarray:
        """bool [count, pairs]: which pairs are; never one of them at random, nor the last."""
        noise = generator.random((count, pairs)) < self.share
        noise[np.arange(count), generator.integers(0, pairs - 1, count)] = False
        noise[:, -1] = False
        return noise

    def _probed(
        self, keys: np.ndarray, noise: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """[count]: in each row a key that came, each of those as likely."""
        came = np.zeros((len(keys), self.vocabulary), bool)
        rows, places = np.nonzero(~noise[:, :-1])
        came[rows, keys[rows, places]] = True
        return (came * generator.random(came.shape)).argmax(1)


class NoisyRecall(InContextRecall):
    """With a `noise` share of the pairs replaced by two of `noise_vocabulary` tokens, which are
    part of the vocabulary.
    """

    name: Literal["noisy_recall"] = "noisy_recall"  # type: ignore[assignment]
    vocabulary: Annotated[int, Field(ge=4)] = 32
    noise_vocabulary: Annotated[int, Field(gt=0)] = 16
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @property
    def noises(self) -> int:
        return self.noise_vocabulary

    @property
    def share(self) -> float:
        return self.noise

    @model_validator(mode="after")
    def _fits(self) -> NoisyRecall:
        if self.vocabulary - self.noise_vocabulary < 4:
            raise ValueError("too few tokens are left for keys and values")
        return self


def _again(keys: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """bool [count, pairs]: whether a pair's key came in an earlier pair of its row."""
    again = np.zeros(keys.shape, bool)
    came = np.zeros((len(keys), keys.max() + 1), bool)
    rows = np.arange(len(keys))
    for place in range(keys.shape[1]):
        at = keys[:, place]
        again[:, place] = came[rows, at] & ~noise[:, place]
        came[rows, at] |= ~noise[:, place]
    return again
