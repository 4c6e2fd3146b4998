"""Documents by the cosine of their vectors and the question's: ranking without a reranker."""

from __future__ import annotations

from collections.abc import Sequence

from openhearth.platform.embedding.ports import Embedder, Ranking, card_of


class CosineReranker:
    """Ranks by the models of an `Embedder`; scores lie between -1 and 1."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def rank(self, model: str, query: str, documents: Sequence[str]) -> Ranking:
        """Raises what the port says. What is too long is cut: its beginning has to do."""
        longest = card_of(self._embedder, model).context_length
        texts = [self._embedder.tokens(model, text) for text in (query, *documents)]
        # The last token of a framed text is its end.
        fitting = [t if len(t) <= longest else [*t[: longest - 1], t[-1]] for t in texts]
        vectors = self._embedder.embed(model, fitting)
        return Ranking(vectors[1:] @ vectors[0], sum(map(len, fitting)))
