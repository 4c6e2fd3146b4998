"""Models with state spaces and fading memories, some of whose names stand for single weights."""

from __future__ import annotations

from openhearth.models.names.experts import HF_QWEN_MOE
from openhearth.models.names.llama import HF_LLAMA
from openhearth.models.names.table import Table

MAMBA = {
    "mixer.into": "in_proj",
    "mixer.recent.conv": "conv1d",
    "mixer.choose": "x_proj",
    "mixer.norms.0": "dt_layernorm",
    "mixer.norms.1": "b_layernorm",
    "mixer.norms.2": "c_layernorm",
    "mixer.step_size": "dt_proj",
    "mixer.step_bias": "dt_proj.bias",
    "mixer.A_log": "A_log",
    "mixer.D": "D",
    "mixer.out": "out_proj",
}
MAMBA2 = {
    "mixer.into": "in_proj",
    "mixer.conv": "conv1d",
    "mixer.step_bias": "dt_bias",
    "mixer.A_log": "A_log",
    "mixer.D": "D",
    "mixer.gated_norm": "norm",
    "mixer.out": "out_proj",
}

DELTA = {
    "mixer.into.qkvz": "in_proj_qkvz",  # Qwen3-Next
    "mixer.into.ba": "in_proj_ba",
    "mixer.into.qkv": "in_proj_qkv",  # Qwen3.5
    "mixer.into.z": "in_proj_z",
    "mixer.into.b": "in_proj_b",
    "mixer.into.a": "in_proj_a",
    "mixer.conv": "conv1d",
    "mixer.step_bias": "dt_bias",
    "mixer.A_log": "A_log",
    "mixer.gated_norm": "norm",
    "mixer.out": "out_proj",
}


def of_layer(prefix: str, names: dict[str, str]) -> Table:
    """Those of the parts of a block."""
    return {f"blocks.{{i}}.{ours}": f"{prefix}.{theirs}" for ours, theirs in names.items()}


BACKBONE: Table = {
    "embed": "backbone.embeddings",
    "blocks.{i}.mixer_norm": "backbone.layers.{i}.norm",
    "norm": "backbone.norm_f",
    "head": "lm_head",
}
HF_MAMBA: Table = BACKBONE | of_layer("backbone.layers.{i}.mixer", MAMBA)
HF_MAMBA2: Table = BACKBONE | of_layer("backbone.layers.{i}.mixer", MAMBA2)

FEED_FORWARD = "model.layers.{i}.feed_forward"
AFTER_JAMBA: Table = HF_LLAMA | {
    "blocks.{i}.channel_norm": "model.layers.{i}.pre_ff_layernorm",
    "blocks.{i}.channel.gate": f"{FEED_FORWARD}.gate_proj",
    "blocks.{i}.channel.up": f"{FEED_FORWARD}.up_proj",
    "blocks.{i}.channel.down": f"{FEED_FORWARD}.down_proj",
    "blocks.{i}.channel.router": f"{FEED_FORWARD}.router",
    "blocks.{i}.channel.experts.gate": f"{FEED_FORWARD}.experts.{{e}}.gate_proj.weight",
    "blocks.{i}.channel.experts.up": f"{FEED_FORWARD}.experts.{{e}}.up_proj.weight",
    "blocks.{i}.channel.experts.down": f"{FEED_FORWARD}.experts.{{e}}.down_proj.weight",
    "norm": "model.final_layernorm",
}
HF_JAMBA: Table = AFTER_JAMBA | of_layer("model.layers.{i}.mamba", MAMBA)
HF_BAMBA: Table = AFTER_JAMBA | of_layer("model.layers.{i}.mamba", MAMBA2)

HF_QWEN_HYBRID: Table = HF_QWEN_MOE | of_layer("model.layers.{i}.linear_attn", DELTA)
# Models that see pictures too put this before what reads and writes.
HF_QWEN_SEEING: Table = {
    ours: theirs.replace("model.", "model.language_model.", 1)
    for ours, theirs in HF_QWEN_HYBRID.items()
    if isinstance(theirs, str)
}
