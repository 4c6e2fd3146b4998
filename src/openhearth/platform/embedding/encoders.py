"""Encoders of the store behind the port `Embedder`: a vector is the mean of the tokens' states.

Each is opened when it is first asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock

import numpy as np

from openhearth.data import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference import Encoder, open_encoder
from openhearth.models import config_of, writes_text
from openhearth.platform.embedding.ports import EmbeddingCard, Tokens, card_of
from openhearth.store import Artifact, Store

log = logging.getLogger(__name__)


class EncoderEmbedder:
    """Encoders by the names under which they are served."""

    def __init__(self, encoders: Mapping[str, Artifact], executor: str = "auto") -> None:
        self._models = {name: _Model(name, one, executor) for name, one in encoders.items()}

    @classmethod
    def of(cls, store: Store, executor: str = "auto") -> EncoderEmbedder:
        """All encoders that have a name in a store. One that is damaged is told of and left out."""
        found: dict[str, Artifact] = {}
        for name in store.refs.all():
            try:
                artifact = store.get(name)
                if is_encoder(artifact):
                    config_of(artifact)
                    found[name] = artifact
            except (HearthError, OSError) as error:
                log.warning("%s is not served: %s", name, error)
        return cls(found, executor)

    def models(self) -> list[EmbeddingCard]:
        """The cards of all."""
        return [model.card for model in self._models.values()]

    def tokens(self, model: str, text: str) -> list[int]:
        """The tokens of a text, with those that frame it. Raises `NotFound`."""
        return self._get(model).tokenizer.encode_framed(text)

    def embed(self, model: str, texts: Sequence[Tokens]) -> np.ndarray:
        """Vectors of length one, fp32 [texts, width]. Raises what the port says."""
        return self._get(model).embed(texts)

    def _get(self, name: str) -> _Model:
        return self._models[card_of(self, name).name]


def is_encoder(artifact: Artifact) -> bool:
    """Whether it makes vectors of texts."""
    return artifact.kind == "model" and not writes_text(artifact)


class _Model:
    def __init__(self, name: str, artifact: Artifact, executor: str) -> None:
        config = config_of(artifact)
        self._artifact, self._executor, self._lock = artifact, executor, Lock()
        self.card = EmbeddingCard(
            name=name,
            width=config.width,
            context_length=config.context_length,
            shortest=config.width,
            digest=artifact.digest,
            license=tuple(artifact.manifest.license),
            created=artifact.created,
        )

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.load(self._artifact)

    @cached_property
    def _encoder(self) -> Encoder:
        return open_encoder(self._executor, self._artifact)

    def embed(self, texts: Sequence[Tokens]) -> np.ndarray:
        if not texts:
            return np.empty((0, self.card.width), np.float32)
        with self._lock:  # an encoder computes for one caller at a time
            states = self._encoder.hidden(texts)
        lengths = np.array([len(text) for text in texts])
        sums = np.add.reduceat(states, np.concatenate([[0], np.cumsum(lengths)[:-1]]))
        return normalised(sums / lengths[:, None])


def normalised(vectors: np.ndarray) -> np.ndarray:
    """The same of length one, fp32; nothing stays nothing."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
