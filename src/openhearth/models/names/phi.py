"""Phi, and Phi-3, which keeps what reads the same input in one matrix."""

from __future__ import annotations

from openhearth.models.names.llama import HF_LLAMA
from openhearth.models.names.table import Table, fused

HF_PHI: Table = HF_LLAMA | {
    "blocks.{i}.mixer.o": "model.layers.{i}.self_attn.dense",
    "blocks.{i}.channel.up": "model.layers.{i}.mlp.fc1",
    "blocks.{i}.channel.down": "model.layers.{i}.mlp.fc2",
    "norm": "model.final_layernorm",
}

HF_PHI3: Table = (
    HF_LLAMA
    | fused(
        "model.layers.{i}.self_attn.qkv_proj",
        "blocks.{i}.mixer.q",
        "blocks.{i}.mixer.k",
        "blocks.{i}.mixer.v",
    )
    | fused("model.layers.{i}.mlp.gate_up_proj", "blocks.{i}.channel.gate", "blocks.{i}.channel.up")
)
