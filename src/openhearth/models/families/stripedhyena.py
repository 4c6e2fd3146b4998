"""StripedHyena: gated convolutions with modal filters, and attention in every other block.

The settings are those of github.com/togethercomputer/stripedhyena, `configs/*.yml`, which the
models' `config.json` repeats.
"""

from __future__ import annotations

from typing import Any

from openhearth.models.channel_config import SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.settings import refuse_if
from openhearth.models.mixer_config import Attention, GatedConv
from openhearth.models.part import LARGEST_HEAD, MOST_BLOCKS, bounded

STRIPED_HYENA: dict[str, Any] = {
    "column_split_hyena": True,
    "final_norm": True,
    "hyena_filter_groups": 1,
    "inner_size_multiple_of": 64,
    "max_seqlen": 8192,
    "mha_out_proj_bias": True,
    "mlp_activation": "silu",
    "model_parallel_size": 1,
    "proj_groups": 1,
    "qkv_proj_bias": True,
    "rotary_emb_base": 10000,
    "short_filter_bias": True,
    "smeared_gqa": False,
}
"""What a file may leave out."""


def striped_hyena(raw: dict[str, Any]) -> ModelConfig:
    """`StripedHyenaModelForCausalLM`."""
    raw = STRIPED_HYENA | raw
    width = raw["hidden_size"]
    refuse_if(raw.get("num_filters", width) != width, "StripedHyena with shared filters")
    refuse_if(raw["hyena_filter_groups"] != 1, "StripedHyena with hyena_filter_groups")
    refuse_if(raw["smeared_gqa"], "StripedHyena with smeared_gqa")
    refuse_if(not raw["short_filter_bias"], "StripedHyena without short_filter_bias")
    refuse_if(not raw["final_norm"], "StripedHyena without final_norm")
    refuse_if(raw["mlp_activation"] != "silu", f"StripedHyena with {raw['mlp_activation']}")
    channel = SwiGLU(hidden=_hidden(raw))
    attention = Block(mixer=_attention(raw), channel=channel)
    conv = GatedConv(
        modes=raw["state_size"],
        kernel=raw["short_filter_length"],
        heads=raw["num_attention_heads"] if raw["column_split_hyena"] else 1,
    )
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=width,
        context_length=raw["max_seqlen"],
        norm="rms" if raw.get("use_flash_rmsnorm") else "rms_outside",
        norm_eps=raw["eps"],
        tied_head=raw.get("tie_embeddings", False),
        family="stripedhyena",
        blocks=tuple(
            attention if i in raw["attn_layer_idxs"] else Block(mixer=conv, channel=channel)
            for i in range(bounded(raw["num_layers"], MOST_BLOCKS))
        ),
    )


def _attention(raw: dict[str, Any]) -> Attention:
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw["hidden_size"] // heads, LARGEST_HEAD)
    factors = None
    if raw.get("use_interpolated_rotary_pos_emb"):
        factors = (float(raw.get("rotary_emb_scaling_factor", 1.0)),) * (head_dim // 2)
    return Attention(
        heads=heads,
        kv_heads=heads // raw["proj_groups"],
        head_dim=head_dim,
        rope_theta=raw["rotary_emb_base"],
        rope_factors=factors,
        bias=raw["qkv_proj_bias"],
        output_bias=raw["mha_out_proj_bias"],
    )


def _hidden(raw: dict[str, Any]) -> int:
    """The width of the feed-forward layers: eight thirds of the model's, if the file is silent."""
    if raw.get("inner_mlp_size") is not None:
        return raw["inner_mlp_size"]
    multiple = raw["inner_size_multiple_of"] * raw["model_parallel_size"]
    return -(-int(8 * raw["hidden_size"] / 3) // multiple) * multiple
