"""Mamba and Mamba-2: state spaces only, with no channel mixers and no bound on a text's length."""

from __future__ import annotations

import math
from typing import Any, Literal

from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.settings import blocks_of, refuse_if
from openhearth.models.mixer_config import Mamba, Mamba2, Mixer

UNBOUNDED = 2**20  # tokens: the context of a model that names none, as only ours do
MAMBA: dict[str, Any] = {
    "state_size": 16,
    "expand": 2,
    "conv_kernel": 4,
    "use_bias": False,
    "use_conv_bias": True,
    "hidden_act": "silu",
    "time_step_rank": "auto",
    "layer_norm_epsilon": 1e-5,
}
MAMBA2: dict[str, Any] = MAMBA | {
    "state_size": 128,
    "n_groups": 8,
    "time_step_limit": [0.0, None],
}
"""What files may leave out."""


def mamba(raw: dict[str, Any]) -> ModelConfig:
    """`MambaForCausalLM`."""
    raw = {"tie_word_embeddings": True} | MAMBA | raw
    mixer = Mamba(
        inner=raw.get("intermediate_size") or int(raw["expand"] * raw["hidden_size"]),
        state=raw["state_size"],
        step_rank=step_rank(raw["time_step_rank"], raw["hidden_size"]),
        kernel=raw["conv_kernel"],
        bias=raw["use_bias"],
        conv_bias=raw["use_conv_bias"],
    )
    return _only(raw, mixer, "mamba")


def mamba2(raw: dict[str, Any]) -> ModelConfig:
    """`Mamba2ForCausalLM`."""
    raw = MAMBA2 | raw
    least, most = raw["time_step_limit"]
    inner = int(raw["expand"] * raw["hidden_size"])
    if inner != raw["num_heads"] * raw["head_dim"]:
        raise ValueError(f"num_heads times head_dim is not {inner}")
    mixer = Mamba2(
        heads=raw["num_heads"],
        head_dim=raw["head_dim"],
        state=raw["state_size"],
        groups=raw["n_groups"],
        norm_groups=raw["n_groups"],
        kernel=raw["conv_kernel"],
        bias=raw["use_bias"],
        conv_bias=raw["use_conv_bias"],
        least_step=least,
        most_step=bound(most),
    )
    return _only(raw, mixer, "mamba2")


def step_rank(said: int | str, width: int) -> int:
    """That of Mamba's matrix for the steps, which may be `auto`."""
    return math.ceil(width / 16) if said == "auto" else int(said)


def bound(said: Any) -> float | None:
    """A number, or none for infinity, which newer files say in an object."""
    if isinstance(said, dict):
        said = float(said["__float__"])
    return None if said is None or math.isinf(said) else said


def _only(raw: dict[str, Any], mixer: Mixer, family: Literal["mamba", "mamba2"]) -> ModelConfig:
    refuse_if(raw["hidden_act"] != "silu", f"The activation {raw['hidden_act']!r} in this family")
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw.get("max_position_embeddings", UNBOUNDED),
        norm_eps=raw["layer_norm_epsilon"],
        tied_head=raw.get("tie_word_embeddings", False),
        family=family,
        blocks=(Block(mixer=mixer),) * blocks_of(raw),
    )
