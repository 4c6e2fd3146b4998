"""OLMo 2 and 3, whose norms come after the layers, and OLMo-hybrid, with Gated DeltaNet too."""

from __future__ import annotations

from typing import Any

from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.decoder import attention_of, decoder, feed_forward
from openhearth.models.families.qwen_hybrid import delta_of, kinds_of
from openhearth.models.families.settings import (
    DELTA,
    GLOBAL,
    LOCAL,
    biases_of,
    blocks_of,
    windows_by_kind,
)

OLMO3: dict[str, Any] = {"rms_norm_eps": 1e-5, "rope_theta": 5e5, "sliding_window": 4096}
HYBRID: dict[str, Any] = {
    "full_attention_interval": 4,
    "linear_allow_neg_eigval": True,
    "linear_conv_kernel_dim": 4,
    "rms_norm_eps": 1e-6,
}
"""What files may leave out."""
INNER_EPS = 1e-5  # of the norm in a delta rule, whatever that of the others is


def olmo2(raw: dict[str, Any]) -> ModelConfig:
    """`Olmo2ForCausalLM`."""
    return _decoder(raw, [None] * blocks_of(raw), "olmo2")


def olmo3(raw: dict[str, Any]) -> ModelConfig:
    """`Olmo3ForCausalLM`."""
    raw = OLMO3 | raw
    if raw.get("rope_scaling") and not raw.get("rope_parameters"):  # older files, of few blocks
        raw |= {"rope_parameters": {GLOBAL: raw["rope_scaling"], LOCAL: {}}}
    usual = [LOCAL if (i + 1) % 4 else GLOBAL for i in range(blocks_of(raw))]
    return _decoder(raw, windows_by_kind(raw, usual, raw["sliding_window"]), "olmo3")


def _decoder(raw: dict[str, Any], windows: list[int | None], family: str) -> ModelConfig:
    attention = biases_of(raw) | {"qk_norm": "joint"}
    return decoder(raw, windows, attention, norms="after", family=family)


def olmo_hybrid(raw: dict[str, Any]) -> ModelConfig:
    """`OlmoHybridForCausalLM`, whose attention knows no positions if `rope_theta` is null."""
    raw = HYBRID | raw
    delta = delta_of(
        raw, negative=raw["linear_allow_neg_eigval"], matrices="apart", norm_eps=INNER_EPS
    )
    rope = raw.get("rope_parameters") or {"rope_theta": 1e4}
    still = {"rope_theta": None} if rope["rope_theta"] is None else {}
    attention = attention_of(raw, qk_norm="joint", **biases_of(raw), **still)
    channel = feed_forward(raw)
    blocks = {
        DELTA: Block(mixer=delta, channel=channel),
        GLOBAL: Block(mixer=attention, channel=channel, norms="after"),
    }
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["rms_norm_eps"],
        tied_head=raw.get("tie_word_embeddings", False),
        family="olmo_hybrid",
        blocks=tuple(blocks[kind] for kind in kinds_of(raw)),
    )
