"""NemotronH: Mamba-2, few layers of attention without positions, and channel mixers after some."""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import MLP
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.decoder import attention_of
from openhearth.models.families.settings import (
    DELTA,
    GLOBAL,
    PLAIN,
    RELU2,
    activation_of,
    refuse_if,
)
from openhearth.models.mixer_config import Mamba2, Mixer
from openhearth.models.part import MOST_BLOCKS, bounded

MLP_LAYER = "mlp"
LETTERS = {"M": DELTA, "*": GLOBAL, "-": MLP_LAYER, "E": "moe"}
OLDER = {"mamba": DELTA, "attention": GLOBAL}
NEMOTRON_H: dict[str, Any] = {
    "conv_kernel": 4,
    "head_dim": 128,
    "layer_norm_epsilon": 1e-5,
    "mamba_head_dim": 64,
    "mlp_bias": False,
    "mlp_hidden_act": RELU2,
    "n_groups": 8,
    "ssm_state_size": 128,
    "time_step_min": 0.001,
    "use_bias": False,
    "use_conv_bias": True,
}
"""What a file may leave out."""


def nemotron_h(raw: dict[str, Any]) -> ModelConfig:
    """`NemotronHForCausalLM` (arXiv:2504.03624), without mixtures of experts."""
    raw = NEMOTRON_H | raw
    inner = raw.get("mamba_hidden_act", "silu")
    refuse_if(inner != "silu", f"The activation {inner!r} in NemotronH")
    mamba = Mamba2(
        heads=raw["mamba_num_heads"],
        head_dim=raw["mamba_head_dim"],
        state=raw["ssm_state_size"],
        groups=raw["n_groups"],
        norm_groups=raw["n_groups"],
        kernel=raw["conv_kernel"],
        bias=raw["use_bias"],
        conv_bias=raw["use_conv_bias"],
        least_step=raw["time_step_min"],
    )
    mixers: dict[str, Mixer] = {DELTA: mamba, GLOBAL: attention_of(raw, rope_theta=None)}
    channel = MLP(
        hidden=raw["intermediate_size"],
        activation=activation_of({"hidden_act": raw["mlp_hidden_act"]}, PLAIN | {RELU2: RELU2}),
        bias=raw["mlp_bias"],
    )
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["layer_norm_epsilon"],
        tied_head=raw.get("tie_word_embeddings", False),
        family="nemotron_h",
        blocks=_blocks(_kinds(raw), mixers, channel),
    )


def _kinds(raw: dict[str, Any]) -> list[str]:
    """That of each layer, which is a mixer or a channel mixer; older files have letters."""
    kinds = raw.get("layers_block_type")
    if kinds is None:
        kinds = [LETTERS.get(letter, letter) for letter in raw["hybrid_override_pattern"]]
    bounded(len(kinds), MOST_BLOCKS)
    return [OLDER.get(kind, kind) for kind in kinds]


def _blocks(kinds: list[str], mixers: dict[str, Mixer], channel: MLP) -> tuple[Block, ...]:
    """A channel mixer belongs to the block of the mixer before it."""
    blocks: list[Block] = []
    for kind in kinds:
        if kind == MLP_LAYER:
            is_first = not blocks or blocks[-1].channel is not None
            refuse_if(is_first, "A channel mixer that follows no mixer in NemotronH")
            blocks[-1] = Block(mixer=blocks[-1].mixer, channel=channel)
        else:
            refuse_if(kind not in mixers, f"A layer of kind {kind!r} in NemotronH")
            blocks.append(Block(mixer=mixers[kind]))
    return tuple(blocks)
