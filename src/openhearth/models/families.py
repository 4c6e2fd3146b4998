"""Families of models: our description of what a Hugging Face `config.json` describes."""

from __future__ import annotations

import math
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.channel_config import MLP, SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.mixer_config import Attention
from openhearth.models.part import LARGEST_HEAD, MOST_BLOCKS, bounded

GLOBAL, LOCAL = "full_attention", "sliding_attention"
GATED = {"silu": "silu", "gelu_pytorch_tanh": "gelu_tanh"}
PLAIN = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
GEMMA3: dict[str, Any] = {
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 256,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "sliding_window_pattern": 6,
    "tie_word_embeddings": True,
}
"""What a file may leave out."""


def read_config(raw: dict[str, Any]) -> ModelConfig:
    """Our description of the model that a Hugging Face `config.json` describes.

    Raises:
        UsageError: the family, or a setting of it, is not supported.
    """
    try:
        return describe(raw)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"The model's config.json is incomplete or wrong: {error}.") from error


def describe(raw: dict[str, Any]) -> ModelConfig:
    """`read_config` for settings that may come from elsewhere, and with Python's own errors."""
    family = (raw.get("architectures") or ["(none named)"])[0]
    if family not in FAMILIES:
        raise UsageError(
            f"{family} models are not supported yet: use one of {', '.join(FAMILIES)}."
        )
    return FAMILIES[family](raw)


def _llama(raw: dict[str, Any]) -> ModelConfig:
    return _decoder(raw, [None] * _blocks(raw), _biases(raw))


def _mistral(raw: dict[str, Any]) -> ModelConfig:
    return _decoder(raw, [raw.get("sliding_window")] * _blocks(raw), {})


def _qwen2(raw: dict[str, Any]) -> ModelConfig:
    return _decoder(raw, _late_windows(raw), {"bias": True})


def _qwen3(raw: dict[str, Any]) -> ModelConfig:
    return _decoder(raw, _late_windows(raw), _biases(raw) | {"qk_norm": True})


def _late_windows(raw: dict[str, Any]) -> list[int | None]:
    """Qwen: the blocks from `max_window_layers` on have a window, if that is in use."""
    if not raw.get("use_sliding_window"):
        return [None] * _blocks(raw)
    first, window = raw["max_window_layers"], raw["sliding_window"]
    return _by_kind(raw, [LOCAL if i >= first else GLOBAL for i in range(_blocks(raw))], window)


def _gemma3(raw: dict[str, Any]) -> ModelConfig:
    for name in (
        "final_logit_softcapping",
        "attn_logit_softcapping",
        "use_bidirectional_attention",
    ):
        _refuse_if(raw.get(name), f"Gemma 3 with {name}")
    raw = GEMMA3 | raw
    every = raw["sliding_window_pattern"]
    usual = [LOCAL if (i + 1) % every else GLOBAL for i in range(_blocks(raw))]
    windows = _by_kind(raw, usual, raw["sliding_window"])
    scale = raw["query_pre_attn_scalar"] ** -0.5
    return _decoder(
        raw,
        windows,
        _biases(raw) | {"qk_norm": True, "scale": scale},
        norms="sandwich",
        embed_factor=math.sqrt(raw["hidden_size"]),
        family="gemma3",
    )


def _bert(raw: dict[str, Any]) -> ModelConfig:
    position = raw.get("position_embedding_type", "absolute")
    _refuse_if(position != "absolute", f"BERT with {position} positions")
    _refuse_if(raw.get("is_decoder"), "BERT as a decoder")
    heads = raw["num_attention_heads"]
    mixer = Attention(
        heads=heads,
        kv_heads=heads,
        head_dim=bounded(raw["hidden_size"] // heads, LARGEST_HEAD),
        rope_theta=None,
        bias=True,
        output_bias=True,
        causal=False,
    )
    channel = MLP(hidden=raw["intermediate_size"], activation=_activation(raw, PLAIN))
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm="layer",
        norms="post",
        norm_eps=raw.get("layer_norm_eps", 1e-12),
        positions=True,
        segments=raw.get("type_vocab_size", 2),
        tied_head=True,
        family="bert",
        blocks=(Block(mixer=mixer, channel=channel),) * _blocks(raw),
    )


FAMILIES = {
    "LlamaForCausalLM": _llama,
    "MistralForCausalLM": _mistral,
    "Qwen2ForCausalLM": _qwen2,
    "Qwen3ForCausalLM": _qwen3,
    "Gemma3ForCausalLM": _gemma3,
    "BertModel": _bert,
}


def _decoder(
    raw: dict[str, Any], windows: list[int | None], attention: dict[str, Any], **model: Any
) -> ModelConfig:
    """What all decoders have in common; `attention` and `model` are what a family adds."""
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw.get("head_dim") or raw["hidden_size"] // heads, LARGEST_HEAD)
    channel = SwiGLU(
        hidden=raw["intermediate_size"],
        activation=_activation(raw, GATED),
        bias=raw.get("mlp_bias", False),
    )

    def block(window: int | None) -> Block:
        mixer = Attention(
            heads=heads,
            kv_heads=raw.get("num_key_value_heads") or heads,
            head_dim=head_dim,
            window=window,
            **_rope(raw, LOCAL if window else GLOBAL, head_dim),
            **attention,
        )
        return Block(mixer=mixer, channel=channel)

    kinds = {window: block(window) for window in set(windows)}
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["rms_norm_eps"],
        tied_head=raw.get("tie_word_embeddings", False),
        blocks=tuple(kinds[window] for window in windows),
        **model,
    )


def _biases(raw: dict[str, Any]) -> dict[str, Any]:
    biased = raw.get("attention_bias", False)
    return {"bias": biased, "output_bias": biased}


def _blocks(raw: dict[str, Any]) -> int:
    return bounded(raw["num_hidden_layers"], MOST_BLOCKS)


def _by_kind(raw: dict[str, Any], usual: list[str], window: int) -> list[int | None]:
    """The window of each block, from the kinds that newer files list, or from the usual ones."""
    kinds = raw.get("layer_types") or usual
    for kind in kinds:
        _refuse_if(kind not in (GLOBAL, LOCAL), f"Attention of kind {kind!r}")
    if len(kinds) != len(usual):
        raise ValueError(f"{len(kinds)} layer_types for {len(usual)} layers")
    return [window if kind == LOCAL else None for kind in kinds]


def _activation(raw: dict[str, Any], known: dict[str, str]) -> Any:
    """Our name of the activation."""
    theirs = raw.get("hidden_activation") or raw.get("hidden_act", "silu")
    _refuse_if(theirs not in known, f"The activation {theirs!r} in this family")
    return known[theirs]


def _rope(raw: dict[str, Any], kind: str, head_dim: int) -> dict[str, Any]:
    """Base and factors of the rotary frequencies, from the three static kinds of scaling.

    Newer files list them by kind of block, older ones name those of Gemma's local blocks apart.
    """
    settings = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if kind in settings:
        settings = settings[kind]
    elif kind == LOCAL and "rope_local_base_freq" in raw:
        settings = {"rope_theta": raw["rope_local_base_freq"]}
    theta = settings.get("rope_theta") or raw.get("rope_theta", 10000.0)
    return {"rope_theta": theta, "rope_factors": _rope_factors(settings, theta, head_dim)}


def _rope_factors(
    settings: dict[str, Any], theta: float, head_dim: int
) -> tuple[float, ...] | None:
    """What each rotary frequency is divided by."""
    kind = settings.get("rope_type", settings.get("type", "default"))
    if kind == "default":
        return None
    if kind == "given":
        return settings["factors"]
    if kind == "linear":
        return (float(settings["factor"]),) * (head_dim // 2)
    if kind == "llama3":
        return tuple(
            _llama3_factor(settings, theta ** (2 * i / head_dim)) for i in range(head_dim // 2)
        )
    raise UsageError(f"RoPE scaling of type {kind!r} is not supported yet.")


def _llama3_factor(rope: dict[str, Any], inverse_frequency: float) -> float:
    """Llama 3.1: long waves are stretched by `factor`, short ones not, those between smoothly."""
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    turns = rope["original_max_position_embeddings"] / (2 * math.pi * inverse_frequency)
    if turns < low:
        return factor
    if turns > high:
        return 1.0
    smooth = (turns - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)


def _refuse_if(condition: object, what: str) -> None:
    if condition:
        raise UsageError(f"{what} is not supported yet.")
