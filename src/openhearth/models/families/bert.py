"""BERT, an encoder with learned positions and a norm after each layer, and ModernBERT, without."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import MLP, SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.rope import rope_of
from openhearth.models.families.settings import (
    GLOBAL,
    LOCAL,
    PLAIN,
    activation_of,
    blocks_of,
    refuse_if,
    windows_by_kind,
)
from openhearth.models.mixer_config import Attention
from openhearth.models.part import LARGEST_HEAD, bounded

MLM = "ModernBertForMaskedLM"
MODERNBERT: dict[str, Any] = {
    "hidden_activation": "gelu",
    "global_attn_every_n_layers": 3,
    "local_attention": 128,
    "global_rope_theta": 160_000.0,
    "local_rope_theta": 10_000.0,
    "norm_eps": 1e-5,
    "norm_bias": False,
    "attention_bias": False,
    "mlp_bias": False,
}
"""What a file may leave out."""


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


def modernbert(raw: dict[str, Any]) -> ModelConfig:
    """`ModernBertModel` (arXiv:2412.13663), and the encoder of `ModernBertForMaskedLM`."""
    raw = MODERNBERT | raw
    every = raw["global_attn_every_n_layers"]
    usual = [LOCAL if i % every else GLOBAL for i in range(blocks_of(raw))]
    channel = SwiGLU(
        hidden=raw["intermediate_size"],
        activation=activation_of(raw, PLAIN),
        bias=raw["mlp_bias"],
    )
    # Half of the `local_attention` tokens that are seen are on either side.
    windows = windows_by_kind(raw, usual, raw["local_attention"] // 2 + 1)
    mixers = {window: _modernbert_mixer(raw, window) for window in set(windows)}
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm="layer",
        norm_eps=raw["norm_eps"],
        norm_bias=raw["norm_bias"],
        embed_norm=True,
        tied_head=True,
        family="modernbert_mlm" if raw["architectures"][0] == MLM else "modernbert",
        blocks=tuple(Block(mixer=mixers[window], channel=channel) for window in windows),
    )


def _modernbert_mixer(raw: dict[str, Any], window: int | None) -> Attention:
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw["hidden_size"] // heads, LARGEST_HEAD)
    # Older files name the bases apart, and know no other rotation.
    kind, theta = (LOCAL, "local_rope_theta") if window else (GLOBAL, "global_rope_theta")
    return Attention(
        heads=heads,
        kv_heads=heads,
        head_dim=head_dim,
        bias=raw["attention_bias"],
        output_bias=raw["attention_bias"],
        causal=False,
        window=window,
        **rope_of({"rope_theta": raw[theta]} | raw, kind, head_dim),
    )
