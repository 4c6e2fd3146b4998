"""Encoders of the store behind the port `Embedder`: a vector is the mean of the tokens' states.

Each is opened when it is first asked for. Names are read again when they have changed, so that a
new model, or a new version under an old name, is there at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from threading import Lock

import numpy as np

from openhearth.data import Tokenizer
from openhearth.errors import HearthError
from openhearth.inference import Encoder, open_encoder
from openhearth.models import config_of, writes_text
from openhearth.platform.embedding.ports import EmbeddingCard, Tokens, no_such
from openhearth.store import Artifact, Store, Watch

log = logging.getLogger(__name__)


class EncoderEmbedder:
    """All encoders that have a name in a store. One that is damaged is told of and left out."""

    def __init__(self, store: Store, executor: str = "auto") -> None:
        self._store = store
        self._executor = executor
        self._lock = Lock()
        self._names = Watch(store.refs)
        self._models: dict[str, _Model] = {}

    def models(self) -> list[EmbeddingCard]:
        """The cards of all."""
        return [model.card for model in self._served().values()]

    def tokens(self, model: str, text: str) -> list[int]:
        """The tokens of a text, with those that frame it. Raises `NotFound`."""
        return self._get(model).tokenizer.encode_framed(text)

    def embed(self, model: str, texts: Sequence[Tokens]) -> np.ndarray:
        """Vectors of length one, fp32 [texts, width]. Raises what the port says."""
        return self._get(model).embed(texts)

    def _get(self, name: str) -> _Model:
        served = self._served()
        if name not in served:
            raise no_such(name)
        return served[name]

    def _served(self) -> dict[str, _Model]:
        with self._lock:
            if (names := self._names.news()) is not None:
                found = {name: self._model(name, digest) for name, digest in names.items()}
                self._models = {name: model for name, model in found.items() if model is not None}
            return self._models

    def _model(self, name: str, digest: str) -> _Model | None:
        """The model that a name means, if it is an encoder; the one that is open already."""
        known = self._models.get(name)
        if known is not None and known.card.digest == digest:
            return known
        try:
            artifact = self._store.load(digest)
            return _Model(name, artifact, self._executor) if is_encoder(artifact) else None
        except (HearthError, OSError) as error:
            log.warning("%s is not served: %s", name, error)
            return None


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
