"""BERT."""

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
