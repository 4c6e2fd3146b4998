"""OLMo 2 and 3, whose norms come after the layers, and OLMo-hybrid, where some come before."""

from __future__ import annotations

from openhearth.models.names.llama import HF_LLAMA
from openhearth.models.names.state_space import of_layer
from openhearth.models.names.table import Table

HF_OLMO: Table = HF_LLAMA | {
    "blocks.{i}.mixer_post_norm": "model.layers.{i}.post_attention_layernorm",
    "blocks.{i}.channel_post_norm": "model.layers.{i}.post_feedforward_layernorm",
}
DELTA = {
    "mixer.into.q": "q_proj",
    "mixer.into.k": "k_proj",
    "mixer.into.v": "v_proj",
    "mixer.into.z": "g_proj",
    "mixer.into.b": "b_proj",
    "mixer.into.a": "a_proj",
    "mixer.conv": "{qkv}_conv1d",
    "mixer.step_bias": "dt_bias",
    "mixer.A_log": "A_log",
    "mixer.gated_norm": "o_norm",
    "mixer.out": "o_proj",
}
HF_OLMO_HYBRID: Table = (
    HF_OLMO
    | {
        "blocks.{i}.mixer_norm": "model.layers.{i}.attention_layer_norm",
        "blocks.{i}.channel_norm": "model.layers.{i}.feedforward_layer_norm",
    }
    | of_layer("model.layers.{i}.linear_attn", DELTA)
)
