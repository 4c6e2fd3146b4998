"""What the families' files have in common: sizes, kinds of attention, activations."""

from __future__ import annotations

from typing import Any

from openhearth.errors import UsageError
from openhearth.models.part import MOST_BLOCKS, bounded

GLOBAL, LOCAL = "full_attention", "sliding_attention"
CONV, DELTA = "conv", "linear_attention"
RELU2 = "relu2"
PLAIN = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
GATED = PLAIN | {"silu": "silu"}


def blocks_of(raw: dict[str, Any]) -> int:
    """How many there are."""
    return bounded(raw["num_hidden_layers"], MOST_BLOCKS)


def biases_of(raw: dict[str, Any]) -> dict[str, Any]:
    """Those of Llama's attention: on all four matrices or on none."""
    biased = raw.get("attention_bias", False)
    return {"bias": biased, "output_bias": biased}


def rotary_of(raw: dict[str, Any], usual: float) -> dict[str, Any]:
    """How many numbers of a head rotate, if not all."""
    rope = raw.get("rope_parameters") or {}
    share = rope.get("partial_rotary_factor", raw.get("partial_rotary_factor", usual))
    head_dim = raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"]
    return {"rotary": None if share == 1 else int(head_dim * share)}


def windows_by_kind(raw: dict[str, Any], usual: list[str], window: int) -> list[int | None]:
    """The window of each block, from the kinds that newer files list, or from the usual ones."""
    kinds = raw.get("layer_types") or usual
    for kind in kinds:
        refuse_if(kind not in (GLOBAL, LOCAL), f"Attention of kind {kind!r}")
    if len(kinds) != len(usual):
        raise ValueError(f"{len(kinds)} layer_types for {len(usual)} layers")
    return [window if kind == LOCAL else None for kind in kinds]


def activation_of(raw: dict[str, Any], known: dict[str, str]) -> Any:
    """Our name of the activation."""
    theirs = raw.get("hidden_activation") or raw.get("hidden_act", "silu")
    refuse_if(theirs not in known, f"The activation {theirs!r} in this family")
    return known[theirs]


def refuse_if(condition: object, what: str) -> None:
    """Raises:
    UsageError: there is something that we do not have.
    """
    if condition:
        raise UsageError(f"{what} is not supported yet.")
