"""GGUF, whose names are the same for all families."""

from __future__ import annotations

from openhearth.models.names.table import Table

GGUF: Table = {
    "embed": "token_embd",
    "blocks.{i}.mixer_norm": "blk.{i}.attn_norm",
    "blocks.{i}.mixer.q": "blk.{i}.attn_q",
    "blocks.{i}.mixer.k": "blk.{i}.attn_k",
    "blocks.{i}.mixer.v": "blk.{i}.attn_v",
    "blocks.{i}.mixer.o": "blk.{i}.attn_output",
    "blocks.{i}.mixer.q_norm": "blk.{i}.attn_q_norm",
    "blocks.{i}.mixer.k_norm": "blk.{i}.attn_k_norm",
    "blocks.{i}.mixer_post_norm": "blk.{i}.post_attention_norm",
    "blocks.{i}.channel_norm": "blk.{i}.ffn_norm",
    "blocks.{i}.channel.gate": "blk.{i}.ffn_gate",
    "blocks.{i}.channel.up": "blk.{i}.ffn_up",
    "blocks.{i}.channel.down": "blk.{i}.ffn_down",
    "blocks.{i}.channel_post_norm": "blk.{i}.post_ffw_norm",
    "norm": "output_norm",
    "head": "output",
}
