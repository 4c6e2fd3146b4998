"""LFM2: short convolutions, and attention in some blocks."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.rope import rope_of
from openhearth.models.families.settings import CONV, GLOBAL, blocks_of, refuse_if
from openhearth.models.mixer_config import Attention, ShortConv
from openhearth.models.part import LARGEST_HEAD, bounded

LFM2: dict[str, Any] = {
    "block_auto_adjust_ff_dim": True,
    "block_ffn_dim_multiplier": 1.0,
    "block_multiple_of": 256,
    "conv_L_cache": 3,
    "conv_bias": False,
    "norm_eps": 1e-5,
    "rope_theta": 1e6,
    "tie_word_embeddings": True,
}
"""What a file may leave out."""


def lfm2(raw: dict[str, Any]) -> ModelConfig:
    """`Lfm2ForCausalLM`."""
    raw = LFM2 | raw
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw.get("head_dim") or raw["hidden_size"] // heads, LARGEST_HEAD)
    channel = SwiGLU(hidden=_hidden(raw))
    mixers: dict[str, Any] = {
        CONV: ShortConv(kernel=raw["conv_L_cache"], bias=raw["conv_bias"]),
        GLOBAL: Attention(
            heads=heads,
            kv_heads=raw["num_key_value_heads"],
            head_dim=head_dim,
            qk_norm=True,
            **rope_of(raw, GLOBAL, head_dim),
        ),
    }
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["norm_eps"],
        tied_head=raw.get("tie_embedding", raw["tie_word_embeddings"]),
        family="lfm2",
        blocks=tuple(Block(mixer=mixers[kind], channel=channel) for kind in _kinds(raw)),
    )


def _kinds(raw: dict[str, Any]) -> list[str]:
    """That of each block; older files number those with attention, and by default all have it."""
    count = blocks_of(raw)
    full = raw.get("full_attn_idxs")
    usual = [GLOBAL if full is None or i in full else CONV for i in range(count)]
    kinds = raw.get("layer_types") or usual
    for kind in kinds:
        refuse_if(kind not in (CONV, GLOBAL), f"A block of kind {kind!r} in LFM2")
    if len(kinds) != count:
        raise ValueError(f"{len(kinds)} layer_types for {count} layers")
    return kinds


def _hidden(raw: dict[str, Any]) -> int:
    """The width of the feed-forward layers: two thirds of what the file says, rounded up."""
    hidden = raw.get("block_ff_dim", raw["intermediate_size"])
    if not raw["block_auto_adjust_ff_dim"]:
        return hidden
    hidden = 2 * hidden // 3
    if raw["block_ffn_dim_multiplier"] is None:
        return hidden
    multiple = raw["block_multiple_of"]
    return -(-int(raw["block_ffn_dim_multiplier"] * hidden) // multiple) * multiple
