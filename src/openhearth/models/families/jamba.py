"""Jamba: Mamba, and attention without positions in every so many blocks."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.mamba import step_rank
from openhearth.models.families.settings import GATED, activation_of, blocks_of, refuse_if
from openhearth.models.mixer_config import Attention, Mamba, Mixer
from openhearth.models.part import LARGEST_HEAD, bounded

JAMBA: dict[str, Any] = {
    "attn_layer_period": 8,
    "attn_layer_offset": 4,
    "num_experts": 16,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_dt_rank": "auto",
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "rms_norm_eps": 1e-6,
}
"""What a file may leave out."""


def jamba(raw: dict[str, Any]) -> ModelConfig:
    """`JambaForCausalLM` whose channel mixers are all plain."""
    raw = JAMBA | raw
    refuse_if(raw["num_experts"] > 1, "Jamba with experts")
    channel = SwiGLU(hidden=raw["intermediate_size"], activation=activation_of(raw, GATED))
    mamba, attention = _mamba(raw), _attention(raw)

    def mixer(i: int) -> Mixer:
        return attention if i % raw["attn_layer_period"] == raw["attn_layer_offset"] else mamba

    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["rms_norm_eps"],
        tied_head=raw.get("tie_word_embeddings", False),
        family="jamba",
        blocks=tuple(Block(mixer=mixer(i), channel=channel) for i in range(blocks_of(raw))),
    )


def _mamba(raw: dict[str, Any]) -> Mamba:
    return Mamba(
        inner=raw["mamba_expand"] * raw["hidden_size"],
        state=raw["mamba_d_state"],
        step_rank=step_rank(raw["mamba_dt_rank"], raw["hidden_size"]),
        kernel=raw["mamba_d_conv"],
        bias=raw["mamba_proj_bias"],
        conv_bias=raw["mamba_conv_bias"],
        norms=True,
    )


def _attention(raw: dict[str, Any]) -> Attention:
    heads = raw["num_attention_heads"]
    return Attention(
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=bounded(raw["hidden_size"] // heads, LARGEST_HEAD),
        rope_theta=None,
    )
