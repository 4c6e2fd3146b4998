"""BERT: an encoder with learned positions and a norm after each layer."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import MLP
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.settings import PLAIN, activation_of, blocks_of, refuse_if
from openhearth.models.mixer_config import Attention
from openhearth.models.part import LARGEST_HEAD, bounded


def bert(raw: dict[str, Any]) -> ModelConfig:
    """`BertModel`."""
    position = raw.get("position_embedding_type", "absolute")
    refuse_if(position != "absolute", f"BERT with {position} positions")
    refuse_if(raw.get("is_decoder"), "BERT as a decoder")
    heads = raw["num_attention_heads"]
    mixer = Attention(
        heads=heads,
        kv_heads=heads,
        head_dim=bounded(raw["hidden_size"] // heads, LARGEST_HEAD),
        rope_theta=None,
        bias=True,
        output_bias=True,
        causal=False,
    )
    channel = MLP(hidden=raw["intermediate_size"], activation=activation_of(raw, PLAIN))
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm="layer",
        norms="post",
        norm_eps=raw.get("layer_norm_eps", 1e-12),
        positions=True,
        segments=raw.get("type_vocab_size", 2),
        tied_head=True,
        family="bert",
        blocks=(Block(mixer=mixer, channel=channel),) * blocks_of(raw),
    )
