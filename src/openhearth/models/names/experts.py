"""Decoders with mixtures of experts, whose other weights are named as Llama's."""

from __future__ import annotations

from openhearth.models.names.llama import HF_LLAMA
from openhearth.models.names.table import Table

HF_MIXTRAL: Table = HF_LLAMA | {
    "blocks.{i}.channel.router": "model.layers.{i}.block_sparse_moe.gate",
    "blocks.{i}.channel.experts.gate": "model.layers.{i}.block_sparse_moe.experts.{e}.w1.weight",
    "blocks.{i}.channel.experts.up": "model.layers.{i}.block_sparse_moe.experts.{e}.w3.weight",
    "blocks.{i}.channel.experts.down": "model.layers.{i}.block_sparse_moe.experts.{e}.w2.weight",
}

HF_QWEN_MOE: Table = HF_LLAMA | {
    "blocks.{i}.channel.router": "model.layers.{i}.mlp.gate",
    "blocks.{i}.channel.experts.gate": "model.layers.{i}.mlp.experts.{e}.gate_proj.weight",
    "blocks.{i}.channel.experts.up": "model.layers.{i}.mlp.experts.{e}.up_proj.weight",
    "blocks.{i}.channel.experts.down": "model.layers.{i}.mlp.experts.{e}.down_proj.weight",
    "blocks.{i}.channel.shared.gate": "model.layers.{i}.mlp.shared_expert.gate_proj",
    "blocks.{i}.channel.shared.up": "model.layers.{i}.mlp.shared_expert.up_proj",
    "blocks.{i}.channel.shared.down": "model.layers.{i}.mlp.shared_expert.down_proj",
    "blocks.{i}.channel.shared_gate": "model.layers.{i}.mlp.shared_expert_gate",
}

HF_DEEPSEEK_MOE: Table = HF_QWEN_MOE | {
    "blocks.{i}.channel.router.bias": "model.layers.{i}.mlp.gate.e_score_correction_bias",
    "blocks.{i}.channel.shared.gate": "model.layers.{i}.mlp.shared_experts.gate_proj",
    "blocks.{i}.channel.shared.up": "model.layers.{i}.mlp.shared_experts.up_proj",
    "blocks.{i}.channel.shared.down": "model.layers.{i}.mlp.shared_experts.down_proj",
}
