"""BERT, and ModernBERT, whose masked language models have one more prefix and a head."""

from __future__ import annotations

from openhearth.models.names.table import Fused, Table, fused

HF_BERT: Table = {
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

HF_MODERNBERT: Table = (
    {
        "embed": "embeddings.tok_embeddings",
        "embed_norm": "embeddings.norm",
        "blocks.{i}.mixer_norm": "layers.{i}.attn_norm",
        "blocks.{i}.mixer.o": "layers.{i}.attn.Wo",
        "blocks.{i}.channel_norm": "layers.{i}.mlp_norm",
        "blocks.{i}.channel.down": "layers.{i}.mlp.Wo",
        "norm": "final_norm",
    }
    | fused(
        "layers.{i}.attn.Wqkv", "blocks.{i}.mixer.q", "blocks.{i}.mixer.k", "blocks.{i}.mixer.v"
    )
    | fused("layers.{i}.mlp.Wi", "blocks.{i}.channel.gate", "blocks.{i}.channel.up")
)

HF_MODERNBERT_MLM: Table = {
    ours: Fused(f"model.{theirs.name}", theirs.parts)
    if isinstance(theirs, Fused)
    else f"model.{theirs}"
    for ours, theirs in HF_MODERNBERT.items()
}
