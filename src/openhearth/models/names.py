"""What other formats call our weights. Tables, so that adding a format adds no code."""

from __future__ import annotations

import re

# `{i}` is the number of a block.
HF_LLAMA = {
    "embed.weight": "model.embed_tokens.weight",
    "blocks.{i}.mixer_norm.weight": "model.layers.{i}.input_layernorm.weight",
    "blocks.{i}.mixer.q": "model.layers.{i}.self_attn.q_proj",
    "blocks.{i}.mixer.k": "model.layers.{i}.self_attn.k_proj",
    "blocks.{i}.mixer.v": "model.layers.{i}.self_attn.v_proj",
    "blocks.{i}.mixer.o": "model.layers.{i}.self_attn.o_proj",
    "blocks.{i}.channel_norm.weight": "model.layers.{i}.post_attention_layernorm.weight",
    "blocks.{i}.channel.gate": "model.layers.{i}.mlp.gate_proj",
    "blocks.{i}.channel.up": "model.layers.{i}.mlp.up_proj",
    "blocks.{i}.channel.down": "model.layers.{i}.mlp.down_proj",
    "norm.weight": "model.norm.weight",
    "head": "lm_head",
}

GGUF_LLAMA = {
    "embed.weight": "token_embd.weight",
    "blocks.{i}.mixer_norm.weight": "blk.{i}.attn_norm.weight",
    "blocks.{i}.mixer.q": "blk.{i}.attn_q",
    "blocks.{i}.mixer.k": "blk.{i}.attn_k",
    "blocks.{i}.mixer.v": "blk.{i}.attn_v",
    "blocks.{i}.mixer.o": "blk.{i}.attn_output",
    "blocks.{i}.channel_norm.weight": "blk.{i}.ffn_norm.weight",
    "blocks.{i}.channel.gate": "blk.{i}.ffn_gate",
    "blocks.{i}.channel.up": "blk.{i}.ffn_up",
    "blocks.{i}.channel.down": "blk.{i}.ffn_down",
    "norm.weight": "output_norm.weight",
    "head": "output",
}

BLOCK = re.compile(r"^blocks\.(\d+)\.")


def translate(name: str, table: dict[str, str]) -> str:
    """Our name for a weight, or for the matrix it belongs to, in the words of another format.

    >>> translate("blocks.3.mixer.q.weight", HF_LLAMA)
    'model.layers.3.self_attn.q_proj.weight'
    """
    block = BLOCK.match(name)
    pattern = BLOCK.sub("blocks.{i}.", name)
    if pattern in table:
        theirs, rest = table[pattern], ""
    else:
        module, _, leaf = pattern.rpartition(".")
        theirs, rest = table[module], f".{leaf}"
    return (theirs + rest).replace("{i}", block[1] if block else "")
