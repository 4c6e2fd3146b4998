"""Models with state spaces, some of whose names stand for single weights."""

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


def _of_layer(prefix: str, names: dict[str, str]) -> Table:
    return {f"blocks.{{i}}.{ours}": f"{prefix}.{theirs}" for ours, theirs in names.items()}


BACKBONE: Table = {
    "embed": "backbone.embeddings",
    "blocks.{i}.mixer_norm": "backbone.layers.{i}.norm",
    "norm": "backbone.norm_f",
    "head": "lm_head",
}
HF_MAMBA: Table = BACKBONE | _of_layer("backbone.layers.{i}.mixer", MAMBA)
HF_MAMBA2: Table = BACKBONE | _of_layer("backbone.layers.{i}.mixer", MAMBA2)

HF_JAMBA: Table = _of_layer("model.layers.{i}.mamba", MAMBA) | {
    "embed": "model.embed_tokens",
    "blocks.{i}.mixer_norm": "model.layers.{i}.input_layernorm",
    "blocks.{i}.mixer.q": "model.layers.{i}.self_attn.q_proj",
    "blocks.{i}.mixer.k": "model.layers.{i}.self_attn.k_proj",
    "blocks.{i}.mixer.v": "model.layers.{i}.self_attn.v_proj",
    "blocks.{i}.mixer.o": "model.layers.{i}.self_attn.o_proj",
    "blocks.{i}.channel_norm": "model.layers.{i}.pre_ff_layernorm",
    "blocks.{i}.channel.gate": "model.layers.{i}.feed_forward.gate_proj",
    "blocks.{i}.channel.up": "model.layers.{i}.feed_forward.up_proj",
    "blocks.{i}.channel.down": "model.layers.{i}.feed_forward.down_proj",
    "norm": "model.final_layernorm",
    "head": "lm_head",
}
