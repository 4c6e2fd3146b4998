"""Jamba and Bamba: a state space in most blocks, and attention in a few."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import Channel
from openhearth.models.config import ModelConfig
from openhearth.models.families.decoder import attention_of, feed_forward, stacked
from openhearth.models.families.experts import experts_of
from openhearth.models.families.mamba import bound, step_rank
from openhearth.models.families.settings import biases_of, blocks_of, rotary_of
from openhearth.models.mixer_config import Mamba, Mamba2

JAMBA: dict[str, Any] = {
    "attn_layer_period": 8,
    "attn_layer_offset": 4,
    "num_experts": 16,
    "num_experts_per_tok": 2,
    "expert_layer_period": 2,
    "expert_layer_offset": 1,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_dt_rank": "auto",
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "rms_norm_eps": 1e-6,
}
BAMBA: dict[str, Any] = {
    "mamba_n_groups": 1,
    "mamba_d_state": 256,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "rms_norm_eps": 1e-5,
    "time_step_limit": [0.0, None],
}
"""What files may leave out."""


def jamba(raw: dict[str, Any]) -> ModelConfig:
    """`JambaForCausalLM`, whose attention knows no positions."""
    raw = JAMBA | raw
    mamba = Mamba(
        inner=raw["mamba_expand"] * raw["hidden_size"],
        state=raw["mamba_d_state"],
        step_rank=step_rank(raw["mamba_dt_rank"], raw["hidden_size"]),
        kernel=raw["mamba_d_conv"],
        bias=raw["mamba_proj_bias"],
        conv_bias=raw["mamba_conv_bias"],
        norms=True,
    )
    attention = attention_of(raw, rope_theta=None)
    period, offset = raw["attn_layer_period"], raw["attn_layer_offset"]
    mixers = [attention if i % period == offset else mamba for i in range(blocks_of(raw))]
    return stacked(raw, mixers, _channels(raw), family="jamba")


def _channels(raw: dict[str, Any]) -> list[Channel]:
    """Mixtures of experts in every so many blocks, unless there is no choice of them."""
    plain, count = feed_forward(raw), blocks_of(raw)
    if raw["num_experts"] <= 1:
        return [plain] * count
    hidden = raw["intermediate_size"]
    experts = experts_of(raw, "num_experts", hidden=hidden, normalised=False)
    period, offset = raw["expert_layer_period"], raw["expert_layer_offset"]
    return [experts if i % period == offset else plain for i in range(count)]


def bamba(raw: dict[str, Any]) -> ModelConfig:
    """`BambaForCausalLM`."""
    raw = BAMBA | raw
    least, most = raw["time_step_limit"]
    heads, groups = raw["mamba_n_heads"], raw["mamba_n_groups"]
    mamba = Mamba2(
        heads=heads,
        head_dim=int(raw["mamba_expand"] * raw["hidden_size"]) // heads,
        state=raw["mamba_d_state"],
        groups=groups,
        norm_groups=groups,
        kernel=raw["mamba_d_conv"],
        bias=raw["mamba_proj_bias"],
        conv_bias=raw["mamba_conv_bias"],
        least_step=least,
        most_step=bound(most),
    )
    attention = attention_of(raw, **biases_of(raw), **rotary_of(raw, 0.5))
    full = raw.get("attn_layer_indices") or []
    mixers = [attention if i in full else mamba for i in range(blocks_of(raw))]
    return stacked(raw, mixers, family="bamba")
