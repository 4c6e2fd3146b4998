"""Gemma: norms on both sides of a layer, and windows in most blocks."""

from __future__ import annotations

import math
from typing import Any

from openhearth.models.config import ModelConfig
from openhearth.models.families.decoder import decoder
from openhearth.models.families.settings import (
    GLOBAL,
    LOCAL,
    biases_of,
    blocks_of,
    refuse_if,
    windows_by_kind,
)

GEMMA2: dict[str, Any] = {
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
    "tie_word_embeddings": True,
}
GEMMA3: dict[str, Any] = {
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 256,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "sliding_window_pattern": 6,
    "tie_word_embeddings": True,
}
"""What files may leave out."""


def gemma2(raw: dict[str, Any]) -> ModelConfig:
    """`Gemma2ForCausalLM`, whose scores and logits have soft caps."""
    raw = GEMMA2 | raw
    return _gemma(
        raw,
        every=2,
        attention={"softcap": raw["attn_logit_softcapping"]},
        logit_cap=raw["final_logit_softcapping"],
        family="gemma2",
    )


def gemma3(raw: dict[str, Any]) -> ModelConfig:
    """`Gemma3ForCausalLM`, the part of Gemma 3 that reads and writes text."""
    for name in ("final_logit_softcapping", "attn_logit_softcapping"):
        refuse_if(raw.get(name), f"Gemma 3 with {name}")
    raw = GEMMA3 | raw
    every = raw["sliding_window_pattern"]
    return _gemma(raw, every, attention={"qk_norm": True}, family="gemma3")


def _gemma(raw: dict[str, Any], every: int, attention: dict[str, Any], **model: Any) -> ModelConfig:
    """One block of `every` has no window, unless the file lists them."""
    name = "use_bidirectional_attention"
    refuse_if(raw.get(name), f"Gemma with {name}")
    usual = [LOCAL if (i + 1) % every else GLOBAL for i in range(blocks_of(raw))]
    return decoder(
        raw,
        windows_by_kind(raw, usual, raw["sliding_window"]),
        biases_of(raw) | {"scale": raw["query_pre_attn_scalar"] ** -0.5} | attention,
        norms="sandwich",
        embed_factor=math.sqrt(raw["hidden_size"]),
        **model,
    )
