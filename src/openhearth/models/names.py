"""What other formats call our weights. Tables, so that adding a format adds no code.

They name matrices, norms and embeddings; `.weight` and `.bias` are the same everywhere.
"""

from __future__ import annotations

import re

# `{i}` is the number of a block.
HF_LLAMA = {
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
HF_GEMMA3 = HF_LLAMA | {
    "blocks.{i}.mixer_post_norm": "model.layers.{i}.post_attention_layernorm",
    "blocks.{i}.channel_norm": "model.layers.{i}.pre_feedforward_layernorm",
    "blocks.{i}.channel_post_norm": "model.layers.{i}.post_feedforward_layernorm",
}

HF_BERT = {
    "embed": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "embed_norm": "embeddings.LayerNorm",
    "blocks.{i}.mixer.q": "encoder.layer.{i}.attention.self.query",
    "blocks.{i}.mixer.k": "encoder.layer.{i}.attention.self.key",
    "blocks.{i}.mixer.v": "encoder.layer.{i}.attention.self.value",
    "blocks.{i}.mixer.o": "encoder.layer.{i}.attention.output.dense",
    "blocks.{i}.mixer_norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "blocks.{i}.channel.up": "encoder.layer.{i}.intermediate.dense",
    "blocks.{i}.channel.down": "encoder.layer.{i}.output.dense",
    "blocks.{i}.channel_norm": "encoder.layer.{i}.output.LayerNorm",
}

HF = {"llama": HF_LLAMA, "gemma3": HF_GEMMA3, "bert": HF_BERT}
"""The table of each family."""

GGUF = {
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

BLOCK = re.compile(r"^blocks\.(\d+)\.")


def translate(name: str, table: dict[str, str]) -> str:
    """Our name for a weight, or for the matrix it belongs to, in the words of another format.

    What another format has no word for keeps our name.

    >>> translate("blocks.3.mixer.q.weight", HF_LLAMA)
    'model.layers.3.self_attn.q_proj.weight'
    """
    block, leaf = BLOCK.match(name), ""
    module = BLOCK.sub("blocks.{i}.", name)
    if module not in table:
        module, dot, last = module.rpartition(".")
        leaf = dot + last
    if module not in table:
        return name
    return table[module].replace("{i}", block[1] if block else "") + leaf
