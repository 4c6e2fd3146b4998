"""All that a `config.json` of any family says of a model: its settings, under every name that some
family has for them.

Names mean the same in all families, except for a few whose layers no family has together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openhearth.models.channel_config import MLP, MoE, SwiGLU
from openhearth.models.config import ModelConfig
from openhearth.models.families.rope import written_rope
from openhearth.models.families.settings import CONV, DELTA, GATED, GLOBAL, LOCAL, RELU2
from openhearth.models.mixer_config import (
    Attention,
    GatedConv,
    GatedDelta,
    Mamba,
    Mamba2,
    ShortConv,
)

OURS_TO_THEIRS = {ours: theirs for theirs, ours in GATED.items()} | {RELU2: RELU2}
ROPE_BY_KIND = {"gemma3", "modernbert", "modernbert_mlm", "olmo3"}
# In `layer_types`, beside those of attention.
KINDS = {ShortConv: CONV, GatedDelta: DELTA, Mamba: DELTA, Mamba2: DELTA}
CHANNELS = {MoE: "moe", type(None): None}  # in `layers_block_type`, beside plain ones
INFINITE = {"__float__": "Infinity"}  # which JSON has no number for


def everything(config: ModelConfig) -> dict[str, Any]:
    """All that a family may read; what this model lacks is missing or None."""
    raw = _model(config)
    for kind, settings in MIXERS.items():
        mixers = [b.mixer for b in config.blocks if isinstance(b.mixer, kind)]
        if mixers:
            raw |= settings(config, mixers[0])
    return raw | _layers(config) | _channels(config)


def _model(config: ModelConfig) -> dict[str, Any]:
    count, context = len(config.blocks), config.context_length
    eps = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "eps")
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_filters": config.width,
        **dict.fromkeys(("num_hidden_layers", "num_layers"), count),
        **dict.fromkeys(("max_position_embeddings", "max_seqlen"), context),
        **dict.fromkeys(eps, config.norm_eps),
        "use_flash_rmsnorm": config.norm == "rms",
        "final_norm": True,
        "norm_bias": config.norm_bias,
        "type_vocab_size": config.segments,
        **dict.fromkeys(("tie_word_embeddings", "tie_embeddings"), config.tied_head),
        "final_logit_softcapping": config.logit_cap,
    }


def _attention(config: ModelConfig, one: Attention) -> dict[str, Any]:
    mixers = [b.mixer for b in config.blocks if isinstance(b.mixer, Attention)]
    window = max((mixer.window for mixer in mixers if mixer.window), default=None)
    biases = ("attention_bias", "qkv_bias", "qkv_proj_bias")
    raw: dict[str, Any] = {
        "num_attention_heads": one.heads,
        "num_key_value_heads": one.kv_heads,
        "proj_groups": one.heads // one.kv_heads,
        "head_dim": one.head_dim,
        **dict.fromkeys(biases, one.bias),
        "mha_out_proj_bias": one.output_bias,
        "use_qk_norm": one.qk_norm is True,
        "query_pre_attn_scalar": None if one.scale is None else _square(one.scale),
        "attn_logit_softcapping": one.softcap,
        "sliding_window": window,
        "use_sliding_window": window is not None,
        "local_attention": window and 2 * (window - 1),
        "position_embedding_type": "absolute",
        "rotary_emb_base": one.rope_theta,
    }
    if one.rope_factors is not None:
        raw["use_interpolated_rotary_pos_emb"] = True
        raw["rotary_emb_scaling_factor"] = one.rope_factors[0]
    by_kind = {LOCAL if mixer.window else GLOBAL: written_rope(mixer) for mixer in mixers}
    one_rope = written_rope(one)
    raw["rope_parameters"] = one_rope
    if (len(by_kind) > 1 and by_kind[LOCAL] != by_kind[GLOBAL]) or config.family in ROPE_BY_KIND:
        raw["rope_parameters"] = {LOCAL: one_rope, GLOBAL: one_rope} | by_kind
    return raw


def _square(scale: float) -> float:
    """The scalar whose root divides, a whole number if that gives the very same scale."""
    scalar = scale**-2
    return round(scalar) if round(scalar) ** -0.5 == scale else scalar


def _mamba(config: ModelConfig, one: Mamba) -> dict[str, Any]:
    return _state_space(config, one) | {
        "intermediate_size": one.inner,
        **dict.fromkeys(("time_step_rank", "mamba_dt_rank"), one.step_rank),
    }


def _mamba2(config: ModelConfig, one: Mamba2) -> dict[str, Any]:
    most = INFINITE if one.most_step is None else one.most_step
    return _state_space(config, one) | {
        **dict.fromkeys(("num_heads", "mamba_n_heads", "mamba_num_heads"), one.heads),
        **dict.fromkeys(("head_dim", "mamba_head_dim"), one.head_dim),
        **dict.fromkeys(("n_groups", "mamba_n_groups"), one.groups),
        "time_step_limit": [one.least_step, most],
        "time_step_min": one.least_step,
    }


def _state_space(config: ModelConfig, one: Mamba | Mamba2) -> dict[str, Any]:
    return {
        **dict.fromkeys(("expand", "mamba_expand"), one.inner // config.width),
        **dict.fromkeys(("state_size", "mamba_d_state", "ssm_state_size"), one.state),
        **dict.fromkeys(("conv_kernel", "mamba_d_conv"), one.kernel),
        **dict.fromkeys(("use_bias", "mamba_proj_bias"), one.bias),
        **dict.fromkeys(("use_conv_bias", "mamba_conv_bias"), one.conv_bias),
    }


def _gated_delta(config: ModelConfig, one: GatedDelta) -> dict[str, Any]:
    return {
        "linear_num_value_heads": one.heads,
        "linear_num_key_heads": one.key_heads,
        "linear_key_head_dim": one.key_dim,
        "linear_value_head_dim": one.value_dim,
        "linear_conv_kernel_dim": one.kernel,
        "linear_allow_neg_eigval": one.negative,
    }


def _short_conv(config: ModelConfig, one: ShortConv) -> dict[str, Any]:
    return {"conv_L_cache": one.kernel, "conv_bias": one.bias}


def _gated_conv(config: ModelConfig, one: GatedConv) -> dict[str, Any]:
    return {
        "num_attention_heads": one.heads,
        "state_size": one.modes,
        "short_filter_length": one.kernel,
        "short_filter_bias": one.bias,
        "column_split_hyena": one.heads > 1,
        "hyena_filter_groups": 1,
    }


MIXERS: dict[type, Callable[[ModelConfig, Any], dict[str, Any]]] = {
    GatedConv: _gated_conv,
    GatedDelta: _gated_delta,
    Mamba: _mamba,
    Mamba2: _mamba2,
    ShortConv: _short_conv,
    Attention: _attention,  # whose heads and their sizes are meant where there are others too
}


def _layers(config: ModelConfig) -> dict[str, Any]:
    """Which blocks have which mixers, in each of the ways that families have to say it."""
    mixers = [block.mixer for block in config.blocks]
    full = [i for i, mixer in enumerate(mixers) if isinstance(mixer, Attention)]
    local = [i for i in full if getattr(mixers[i], "window", None)]
    usual = [LOCAL if i in local else GLOBAL for i in range(len(mixers))]
    kinds = [KINDS.get(type(mixer), kind) for mixer, kind in zip(mixers, usual, strict=True)]
    return {
        "layer_types": kinds,
        "layers_block_type": [
            layer
            for kind, block in zip(kinds, config.blocks, strict=True)
            for layer in (kind, CHANNELS.get(type(block.channel), "mlp"))
            if layer
        ],
        "max_window_layers": local[0] if local else len(mixers),
        **dict.fromkeys(("attn_layer_indices", "attn_layer_idxs"), full),
        "hyena_layer_idxs": [i for i, mixer in enumerate(mixers) if isinstance(mixer, GatedConv)],
        **_every("attn_layer", full, len(mixers)),
    }


def _every(name: str, numbers: list[int], count: int) -> dict[str, int]:
    """Blocks as the first of them, and from it on every so many; beyond the last if there are none.

    Which blocks that are, not all lists of numbers can say.
    """
    first = numbers[0] if numbers else count
    step = numbers[1] - first if len(numbers) > 1 else count + 1
    return {f"{name}_period": step, f"{name}_offset": first}


def _channels(config: ModelConfig) -> dict[str, Any]:
    raw: dict[str, Any] = {"num_experts": 0, "decoder_sparse_step": 1}
    channels = [block.channel for block in config.blocks]
    for channel in channels:
        if isinstance(channel, SwiGLU | MLP):
            hidden = dict.fromkeys(("intermediate_size", "inner_mlp_size"), channel.hidden)
            raw |= {**hidden, "mlp_bias": channel.bias}
        elif isinstance(channel, MoE):
            raw = {"intermediate_size": channel.hidden} | raw | _experts(channel)
        if isinstance(channel, SwiGLU | MLP | MoE):
            theirs = OURS_TO_THEIRS.get(channel.activation)
            names = ("hidden_act", "hidden_activation", "mlp_activation", "mlp_hidden_act")
            raw |= dict.fromkeys(names, theirs)
    plain = [i for i, channel in enumerate(channels) if not isinstance(channel, MoE)]
    experts = [i for i in range(len(channels)) if i not in plain]
    return raw | {
        "block_auto_adjust_ff_dim": False,
        "mlp_only_layers": plain,
        "first_k_dense_replace": len(plain),
        **_every("expert_layer", experts, len(channels)),
    }


def _experts(channel: MoE) -> dict[str, Any]:
    counts = ("num_experts", "num_local_experts", "n_routed_experts")
    return {
        **dict.fromkeys(counts, channel.experts),
        "moe_intermediate_size": channel.hidden,
        "num_experts_per_tok": channel.active,
        "norm_topk_prob": channel.normalised,
        "routed_scaling_factor": channel.factor,
        "n_group": channel.groups,
        "topk_group": channel.active_groups,
        "n_shared_experts": channel.shared // channel.hidden,
        "shared_expert_intermediate_size": channel.shared,
    }
