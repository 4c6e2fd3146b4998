"""Matrices that a family's files keep as one: which of its rows each of ours is."""

from __future__ import annotations

from openhearth.models.config import ModelConfig
from openhearth.models.mixer_config import Attention

JOINED = {"stripedhyena"}  # families whose files keep q, k and v below each other


def rows_of(config: ModelConfig) -> dict[str, slice]:
    """The rows of our weights and biases, by name; of what is a tensor of its own, none."""
    rows: dict[str, slice] = {}
    for i, block in enumerate(config.blocks if config.family in JOINED else ()):
        if isinstance(block.mixer, Attention):
            queries = block.mixer.heads * block.mixer.head_dim
            keys = queries + block.mixer.kv_heads * block.mixer.head_dim
            for leaf in ("weight", "bias"):
                rows[f"blocks.{i}.mixer.q.{leaf}"] = slice(0, queries)
                rows[f"blocks.{i}.mixer.k.{leaf}"] = slice(queries, keys)
                rows[f"blocks.{i}.mixer.v.{leaf}"] = slice(keys, None)
    return rows
