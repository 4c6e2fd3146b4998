"""Decoders whose channel mixers are mixtures of experts."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import Channel, MoE
from openhearth.models.config import ModelConfig
from openhearth.models.families.decoder import decoder, feed_forward
from openhearth.models.families.llama import late_windows
from openhearth.models.families.settings import (
    GATED,
    GLOBAL,
    LOCAL,
    activation_of,
    biases_of,
    blocks_of,
    rotary_of,
    windows_by_kind,
)


def mixtral(raw: dict[str, Any]) -> ModelConfig:
    """`MixtralForCausalLM`."""
    count = blocks_of(raw)
    experts = experts_of(raw, "num_local_experts", hidden=raw["intermediate_size"])
    windows = [raw.get("sliding_window")] * count
    return decoder(raw, windows, {}, [experts] * count, family="mixtral")


def qwen2_moe(raw: dict[str, Any]) -> ModelConfig:
    """`Qwen2MoeForCausalLM`: a token also takes as much of a shared expert as it wants."""
    shared = {"shared": raw["shared_expert_intermediate_size"], "shared_gate": True}
    attention = {"bias": raw.get("qkv_bias", True)}
    return _qwen_moe(raw, attention, **shared)


def qwen3_moe(raw: dict[str, Any]) -> ModelConfig:
    """`Qwen3MoeForCausalLM`."""
    return _qwen_moe(raw, biases_of(raw) | {"qk_norm": True})


def dots1(raw: dict[str, Any]) -> ModelConfig:
    """`Dots1ForCausalLM`: the routing of DeepSeek-V3 with the attention of Qwen3."""
    usual = [LOCAL if i >= raw["max_window_layers"] else GLOBAL for i in range(blocks_of(raw))]
    windows = windows_by_kind(raw, usual, raw["sliding_window"])
    attention = biases_of(raw) | {"qk_norm": True}
    return decoder(raw, windows, attention, _deepseek(raw), family="deepseek_moe")


def glm4_moe(raw: dict[str, Any]) -> ModelConfig:
    """`Glm4MoeForCausalLM`: GLM-4.5. The layers that predict further tokens are left out."""
    attention = {"bias": raw.get("attention_bias", False), "qk_norm": raw.get("use_qk_norm", False)}
    attention |= rotary_of(raw, 0.5)
    windows = [None] * blocks_of(raw)
    return decoder(raw, windows, attention, _deepseek(raw), family="deepseek_moe")


def _qwen_moe(raw: dict[str, Any], attention: dict[str, Any], **more: Any) -> ModelConfig:
    channels = qwen_channels(raw, **more)
    return decoder(raw, late_windows(raw), attention, channels, family="qwen_moe")


def qwen_channels(raw: dict[str, Any], **more: Any) -> list[Channel]:
    """Some blocks may be plain: those that `mlp_only_layers` lists, and all but every n-th."""
    plain, every = raw.get("mlp_only_layers") or [], raw.get("decoder_sparse_step", 1)
    count = "num_experts" if "num_experts" in raw else "num_local_experts"
    hidden = raw["moe_intermediate_size"]
    experts = experts_of(raw, count, hidden=hidden, normalised=raw["norm_topk_prob"], **more)
    return [
        feed_forward(raw) if i in plain or (i + 1) % every else experts
        for i in range(blocks_of(raw))
    ]


def _deepseek(raw: dict[str, Any]) -> list[Channel]:
    """Plain in the first blocks, then DeepSeek-V3's mixture."""
    hidden = raw["moe_intermediate_size"]
    experts = experts_of(
        raw,
        "n_routed_experts",
        hidden=hidden,
        normalised=raw["norm_topk_prob"],
        score="sigmoid",
        biased=True,
        factor=raw.get("routed_scaling_factor", 1.0),
        groups=raw.get("n_group", 1),
        active_groups=raw.get("topk_group", 1),
        shared=hidden * raw["n_shared_experts"],
    )
    first = raw["first_k_dense_replace"]
    return [feed_forward(raw) if i < first else experts for i in range(blocks_of(raw))]


def experts_of(raw: dict[str, Any], count: str, **more: Any) -> MoE:
    """`count` is what the file calls the number of experts."""
    return MoE(
        experts=raw[count],
        active=raw["num_experts_per_tok"],
        activation=activation_of(raw, GATED),
        **more,
    )
