"""StripedHyena's checkpoints, whose parameters are not all called weight and bias.

They keep q, k and v as one matrix; adapters of ours are for each of the three.
"""

from openhearth.models.names.table import Table, fused

QKV = "backbone.blocks.{i}.inner_mha_cls.Wqkv."

HF_STRIPED_HYENA: Table = {
    **fused(QKV + "weight", *(f"blocks.{{i}}.mixer.{part}.weight" for part in "qkv")),
    **fused(QKV + "bias", *(f"blocks.{{i}}.mixer.{part}.bias" for part in "qkv")),
    "embed": "backbone.embedding_layer",
    "blocks.{i}.mixer_norm.weight": "backbone.blocks.{i}.pre_norm.scale",
    "blocks.{i}.mixer.q": "backbone.blocks.{i}.inner_mha_cls.q_proj",
    "blocks.{i}.mixer.k": "backbone.blocks.{i}.inner_mha_cls.k_proj",
    "blocks.{i}.mixer.v": "backbone.blocks.{i}.inner_mha_cls.v_proj",
    "blocks.{i}.mixer.o": "backbone.blocks.{i}.inner_mha_cls.out_proj",
    "blocks.{i}.mixer.into": "backbone.blocks.{i}.projections",
    "blocks.{i}.mixer.conv.weight": "backbone.blocks.{i}.filter.short_filter_weight",
    "blocks.{i}.mixer.conv.bias": "backbone.blocks.{i}.filter.short_filter_bias",
    "blocks.{i}.mixer.poles": "backbone.blocks.{i}.filter.poles",
    "blocks.{i}.mixer.residues": "backbone.blocks.{i}.filter.residues",
    "blocks.{i}.mixer.direct": "backbone.blocks.{i}.filter.D",
    "blocks.{i}.mixer.out": "backbone.blocks.{i}.out_filter_dense",
    "blocks.{i}.channel_norm.weight": "backbone.blocks.{i}.post_norm.scale",
    "blocks.{i}.channel.gate": "backbone.blocks.{i}.mlp.l1",
    "blocks.{i}.channel.up": "backbone.blocks.{i}.mlp.l2",
    "blocks.{i}.channel.down": "backbone.blocks.{i}.mlp.l3",
    "norm.weight": "backbone.norm.scale",
    "head": "backbone.unembed",
}
