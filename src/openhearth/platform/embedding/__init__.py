"""Vectors of texts, and documents in the order in which they matter to a question.

In: texts or tokens for a model by name. Out: vectors, or documents with scores. What computes them
comes through two ports, `Embedder` and `Reranker`; here they are filled by encoders of the store
and by the cosines of their vectors.
"""

from openhearth.platform.embedding import embeddings, rerank
from openhearth.platform.embedding.cosine import CosineReranker
from openhearth.platform.embedding.encoders import EncoderEmbedder
from openhearth.platform.embedding.pool import Pool
from openhearth.platform.embedding.ports import Embedder, EmbeddingCard, NoEmbedder, Reranker

__all__ = [
    "CosineReranker",
    "Embedder",
    "EmbeddingCard",
    "EncoderEmbedder",
    "NoEmbedder",
    "Pool",
    "Reranker",
    "embeddings",
    "rerank",
]
