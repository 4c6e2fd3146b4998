"""What the routes need of whoever computes vectors and scores, from any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from openhearth.errors import NotFound

Tokens = Sequence[int]


@dataclass(frozen=True)
class EmbeddingCard:
    """A model that makes vectors of `width` numbers, of texts up to `context_length` tokens. The
    beginnings of its vectors, from `shortest` numbers on, are vectors too if it was trained so.
    """

    name: str
    width: int
    context_length: int
    shortest: int
    digest: str = ""
    license: tuple[str, ...] = ()
    created: int = 0


class Embedder(Protocol):
    """Makes vectors."""

    def models(self) -> Sequence[EmbeddingCard]:
        """The models that do."""
        ...

    def tokens(self, model: str, text: str) -> list[int]:
        """A text as the model reads it, framed as it wants. Raises `NotFound`."""
        ...

    def embed(self, model: str, texts: Sequence[Tokens]) -> np.ndarray:
        """Vectors of length one, fp32 [texts, width].

        Raises:
            NotFound: there is no such model.
            UsageError: a text is empty or too long, or a token is unknown.
        """
        ...


@dataclass(frozen=True)
class Ranking:
    """How much each document matters to a question, fp32 [documents], and the tokens read."""

    scores: np.ndarray
    tokens: int


class Reranker(Protocol):
    """Says how much documents matter to a question."""

    def rank(self, model: str, query: str, documents: Sequence[str]) -> Ranking:
        """The highest score matters most.

        Raises:
            NotFound: there is no such model.
            UsageError: a text is too long.
        """
        ...


def card_of(embedder: Embedder, model: str) -> EmbeddingCard:
    """The card of a model.

    Raises:
        NotFound: there is no such model.
    """
    for card in embedder.models():
        if card.name == model:
            return card
    raise no_such(model)


def no_such(model: str) -> NotFound:
    """The error that a model makes no vectors."""
    return NotFound(
        f"The model {model!r} makes no vectors here: GET /v1/models lists those of type embedding."
    )


class NoEmbedder:
    """An embedder without a model."""

    def models(self) -> Sequence[EmbeddingCard]:
        """None."""
        return ()

    def tokens(self, model: str, text: str) -> list[int]:
        """Raises `NotFound`."""
        raise no_such(model)

    def embed(self, model: str, texts: Sequence[Tokens]) -> np.ndarray:
        """Raises `NotFound`."""
        raise no_such(model)
