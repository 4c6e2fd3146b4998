"""Llama, and decoders that name their weights as it does."""

from __future__ import annotations

from openhearth.models.names.table import Table

HF_LLAMA: Table = {
    "embed": "model.embed_tokens",
    "blocks.{i}.mixer_norm": "model.layers.{i}.input_layernorm",
    "blocks.{i}.mixer.q": "model.layers.{i}.self_attn.q_proj",
    "blocks.{i}.mixer.k": "model.layers.{i}.self_attn.k_proj",
    "blocks.{i}.mixer.v": "model.layers.{i}.self_attn.v_proj",
    "blocks.{i}.mixer.o": "model.layers.{i}.self_attn.o_proj",
    "blocks.{i}.mixer.q_norm": "model.layers.{i}.self_attn.q_norm",
    "blocks.{i}.mixer.k_norm": "model.layers.{i}.self_attn.k_norm",
    "blocks.{i}.channel_norm": "model.layers.{i}.post_attention_layernorm",
    "blocks.{i}.channel.gate": "model.layers.{i}.mlp.gate_proj",
    "blocks.{i}.channel.up": "model.layers.{i}.mlp.up_proj",
    "blocks.{i}.channel.down": "model.layers.{i}.mlp.down_proj",
    "norm": "model.norm",
    "head": "lm_head",
}

# What stands after the mixer in Gemma has the name of what stands before the channel in Llama.
HF_GEMMA: Table = HF_LLAMA | {
    "blocks.{i}.mixer_post_norm": "model.layers.{i}.post_attention_layernorm",
    "blocks.{i}.channel_norm": "model.layers.{i}.pre_feedforward_layernorm",
    "blocks.{i}.channel_post_norm": "model.layers.{i}.post_feedforward_layernorm",
}
