"""LFM2 in Hugging Face directories."""

from openhearth.models.names.table import Table

HF_LFM2: Table = {
    "embed": "model.embed_tokens",
    "blocks.{i}.mixer_norm": "model.layers.{i}.operator_norm",
    "blocks.{i}.mixer.q": "model.layers.{i}.self_attn.q_proj",
    "blocks.{i}.mixer.k": "model.layers.{i}.self_attn.k_proj",
    "blocks.{i}.mixer.v": "model.layers.{i}.self_attn.v_proj",
    "blocks.{i}.mixer.o": "model.layers.{i}.self_attn.out_proj",
    "blocks.{i}.mixer.q_norm": "model.layers.{i}.self_attn.q_layernorm",
    "blocks.{i}.mixer.k_norm": "model.layers.{i}.self_attn.k_layernorm",
    "blocks.{i}.mixer.into": "model.layers.{i}.conv.in_proj",
    "blocks.{i}.mixer.conv": "model.layers.{i}.conv.conv",
    "blocks.{i}.mixer.out": "model.layers.{i}.conv.out_proj",
    "blocks.{i}.channel_norm": "model.layers.{i}.ffn_norm",
    "blocks.{i}.channel.gate": "model.layers.{i}.feed_forward.w1",
    "blocks.{i}.channel.up": "model.layers.{i}.feed_forward.w3",
    "blocks.{i}.channel.down": "model.layers.{i}.feed_forward.w2",
    "norm": "model.embedding_norm",
    "head": "lm_head",
}
