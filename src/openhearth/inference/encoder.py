"""What computes the hidden states of texts: encoders, beside the executors of models that write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from openhearth.errors import UsageError
from openhearth.inference.executor import KINDS, PAGE, prefers_gpu
from openhearth.models.config import ModelConfig
from openhearth.store import Artifact

MOST_TOKENS = 2048  # computed together, so that what is between the layers stays in a core's cache

Text = Sequence[int]  # token ids, with those that frame a text


class Encoder(ABC):
    """A model of which texts get a vector for each token; pooling is up to the caller."""

    def __init__(self, config: ModelConfig) -> None:
        self.width, self.context_length = config.width, config.context_length
        self._vocab_size = config.vocab_size

    def hidden(self, texts: Sequence[Text]) -> np.ndarray:
        """Hidden states after the last norm, fp32 [tokens of all texts, width], text after text.

        Each text sees itself alone, so that its states do not depend on the others.

        Raises:
            UsageError: a text is empty or too long, or a token is unknown.
        """
        for text in texts:
            self._check(text)
        parts = [self._step(some) for some in _steps(texts)]
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32)

    def _check(self, text: Text) -> None:
        if not 0 < len(text) <= self.context_length:
            raise UsageError(
                f"A text has {len(text)} tokens, but this model takes 1 to {self.context_length}: "
                "cut it."
            )
        if min(text) < 0 or max(text) >= self._vocab_size:
            raise UsageError(
                f"A text has tokens from {min(text)} to {max(text)}, but this model knows 0 to "
                f"{self._vocab_size - 1}: use its own tokenizer."
            )

    @abstractmethod
    def _step(self, texts: Sequence[Text]) -> np.ndarray:
        """The states of texts that fit one step."""


def _steps(texts: Sequence[Text]) -> Iterator[list[Text]]:
    """Texts in their order, as many together as fit `MOST_TOKENS` in whole pages, at least one."""
    some: list[Text] = []
    room = MOST_TOKENS
    for text in texts:
        tokens = pages_of(text) * PAGE
        if some and tokens > room:
            yield some
            some, room = [], MOST_TOKENS
        some.append(text)
        room -= tokens
    if some:
        yield some


def pages_of(text: Text) -> int:
    """Pages that the keys and values of a text take."""
    return -(-len(text) // PAGE)


def open_encoder(
    kind: str, base: Artifact, *, dtype: str = "auto", threads: int | None = None
) -> Encoder:
    """An encoder in memory.

    `kind` and `dtype` are those of `open_executor`, but by `auto` native weights have eight bits.

    Raises:
        UsageError: there is no such kind, or the artifact is no encoder.
        CorruptArtifact: weights are damaged.
    """
    if kind not in KINDS:
        raise UsageError(f"There is no executor {kind!r}: use one of {', '.join(KINDS)}.")
    if kind == "native" or (kind == "auto" and not prefers_gpu(dtype)):
        from openhearth.inference.native import NoKernel, load_encoder

        try:
            return load_encoder(base, dtype=dtype, threads=threads)
        except NoKernel:
            if kind == "native":
                raise
    from openhearth.inference.torch_encoder import TorchEncoder

    return TorchEncoder.load(base, dtype=dtype, threads=threads)
