"""Qwen3-Next and Qwen3.5: Gated DeltaNet, and gated attention in every so many blocks."""

from __future__ import annotations

from typing import Any, Literal

from openhearth.models.channel_config import Channel
from openhearth.models.config import ModelConfig
from openhearth.models.families.decoder import attention_of, stacked
from openhearth.models.families.experts import qwen_channels
from openhearth.models.families.settings import (
    DELTA,
    GLOBAL,
    biases_of,
    blocks_of,
    refuse_if,
    rotary_of,
)
from openhearth.models.mixer_config import GatedDelta, Mixer

QWEN: dict[str, Any] = {
    "head_dim": 256,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "full_attention_interval": 4,
    "rms_norm_eps": 1e-6,
}
"""What files may leave out."""


def qwen3_next(raw: dict[str, Any]) -> ModelConfig:
    """`Qwen3NextForCausalLM`. The layers that predict further tokens are left out."""
    channels = None
    if raw["num_experts"]:
        shared = raw["shared_expert_intermediate_size"]
        channels = qwen_channels(raw, shared=shared, shared_gate=True)
    return _qwen(raw, "by_head", channels, "qwen3_next")


def qwen3_5(raw: dict[str, Any]) -> ModelConfig:
    """`Qwen3_5ForCausalLM`."""
    return _qwen(raw, "joint", None, "qwen3_5")


def qwen3_5_seeing(raw: dict[str, Any]) -> ModelConfig:
    """The part of `Qwen3_5ForConditionalGeneration` that reads and writes text."""
    tied = raw.get("tie_word_embeddings", False)
    text = {"tie_word_embeddings": tied} | raw["text_config"]
    return _qwen(text, "joint", None, "qwen3_5_seeing")


def _qwen(
    raw: dict[str, Any],
    matrices: Literal["by_head", "joint"],
    channels: list[Channel] | None,
    family: str,
) -> ModelConfig:
    raw = QWEN | raw
    delta = delta_of(raw, matrices=matrices)
    attention = attention_of(
        raw, qk_norm=True, gated=True, **biases_of(raw), **rotary_of(raw, 0.25)
    )
    mixers: dict[str, Mixer] = {DELTA: delta, GLOBAL: attention}
    return stacked(raw, [mixers[kind] for kind in kinds_of(raw)], channels, family=family)


def delta_of(raw: dict[str, Any], **more: Any) -> GatedDelta:
    """The gated delta rule, by the names that `transformers` has for its sizes."""
    return GatedDelta(
        heads=raw["linear_num_value_heads"],
        key_heads=raw["linear_num_key_heads"],
        key_dim=raw["linear_key_head_dim"],
        value_dim=raw["linear_value_head_dim"],
        kernel=raw["linear_conv_kernel_dim"],
        **more,
    )


def kinds_of(raw: dict[str, Any]) -> list[str]:
    """That of each block, from a list, or from how often there is attention."""
    every = raw["full_attention_interval"]
    usual = [DELTA if (i + 1) % every else GLOBAL for i in range(blocks_of(raw))]
    kinds = raw.get("layer_types") or usual
    for kind in kinds:
        refuse_if(kind not in (DELTA, GLOBAL), f"A block of kind {kind!r} in this family")
    if len(kinds) != len(usual):
        raise ValueError(f"{len(kinds)} layer_types for {len(usual)} layers")
    return kinds
