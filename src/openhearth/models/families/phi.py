"""Phi, whose two layers of a block read the same norm, and Phi-3, which is like Llama."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import MLP
from openhearth.models.config import ModelConfig
from openhearth.models.families.decoder import decoder
from openhearth.models.families.settings import (
    PLAIN,
    activation_of,
    blocks_of,
    refuse_if,
    rotary_of,
)


def phi(raw: dict[str, Any]) -> ModelConfig:
    """`PhiForCausalLM`: Phi-1, 1.5 and 2."""
    refuse_if(raw.get("qk_layernorm"), "Phi with qk_layernorm")
    channel = MLP(hidden=raw["intermediate_size"], activation=activation_of(raw, PLAIN))
    return decoder(
        raw | {"rms_norm_eps": raw.get("layer_norm_eps", 1e-5)},
        [None] * blocks_of(raw),
        {"bias": True, "output_bias": True} | rotary_of(raw, 0.5),
        [channel] * blocks_of(raw),
        norm="layer",
        norms="parallel",
        head_bias=True,
        family="phi",
    )


def phi3(raw: dict[str, Any]) -> ModelConfig:
    """`Phi3ForCausalLM`: Phi-3 and 4, with rotations that are not stretched."""
    windows = [raw.get("sliding_window")] * blocks_of(raw)
    return decoder(raw, windows, rotary_of(raw, 1.0), family="phi3")
