"""The way back: a Hugging Face `config.json` from our description.

Everything that any family reads is written down, and each family is asked whether it reads our
description in it. So what is written is what is read, and there is one place for each setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openhearth.errors import UsageError
from openhearth.models.channel_config import MLP, MoE, SwiGLU
from openhearth.models.config import ModelConfig
from openhearth.models.families import FAMILIES
from openhearth.models.families.rope import written_rope
from openhearth.models.families.settings import GATED, GLOBAL, LOCAL
from openhearth.models.mixer_config import Attention

MODEL_TYPES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3_text",
    "PhiForCausalLM": "phi",
    "Phi3ForCausalLM": "phi3",
    "MixtralForCausalLM": "mixtral",
    "Qwen2MoeForCausalLM": "qwen2_moe",
    "Qwen3MoeForCausalLM": "qwen3_moe",
    "Dots1ForCausalLM": "dots1",
    "Glm4MoeForCausalLM": "glm4_moe",
    "BertModel": "bert",
    "ModernBertModel": "modernbert",
}
"""Families that can be written, and what `transformers` calls them."""
OURS_TO_THEIRS = {ours: theirs for theirs, ours in GATED.items()}
ROPE_BY_KIND = {"gemma3", "modernbert", "modernbert_mlm"}


class Noted(dict[str, Any]):
    """A dictionary that remembers what was asked of it, also after it was merged with another."""

    def __init__(self, values: dict[str, Any], asked: set[str]) -> None:
        super().__init__(values)
        self.asked = asked

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __or__(self, other: Any) -> Noted:  # type: ignore[override]
        return Noted(dict(self) | other, self.asked)

    def __ror__(self, other: Any) -> Noted:  # type: ignore[override]
        return Noted(other | dict(self), self.asked)


def write_config(config: ModelConfig) -> tuple[dict[str, Any], ModelConfig]:
    """A `config.json` that describes this model, and what `read_config` reads in it: `config`, but
    of the family whose names the weights must get.

    Raises:
        UsageError: no family is like this model.
    """
    found = list(_candidates(config))
    if not found:
        raise UsageError(
            "No family of models in Hugging Face's layout has these layers and settings, so that "
            "nothing else could read the files: use the artifact itself."
        )
    return next((each for each in found if each[1].family == config.family), found[0])


def _candidates(config: ModelConfig) -> Iterator[tuple[dict[str, Any], ModelConfig]]:
    everything = _everything(config)
    for name, model_type in MODEL_TYPES.items():
        asked = {"architectures", "model_type", "hidden_act"}
        raw = everything | {"architectures": [name], "model_type": model_type}
        try:
            read = FAMILIES[name](Noted(raw, asked))
        except (UsageError, LookupError, TypeError, ValueError, ArithmeticError):
            continue
        if read == config.model_copy(update={"family": read.family}):
            yield {key: value for key, value in raw.items() if key in asked}, read


def _everything(config: ModelConfig) -> dict[str, Any]:
    """All that a family may read; what this model lacks is missing or None."""
    attentions = [b.mixer for b in config.blocks if isinstance(b.mixer, Attention)]
    if len(attentions) < len(config.blocks):
        return {}
    raw = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": len(config.blocks),
        "max_position_embeddings": config.context_length,
        **dict.fromkeys(("rms_norm_eps", "layer_norm_eps", "norm_eps"), config.norm_eps),
        "norm_bias": config.norm_bias,
        "type_vocab_size": config.segments,
        "tie_word_embeddings": config.tied_head,
        "final_logit_softcapping": config.logit_cap,
    }
    return raw | _attention(config, attentions) | _channels(config)


def _attention(config: ModelConfig, mixers: list[Attention]) -> dict[str, Any]:
    one, windows = mixers[0], [mixer.window for mixer in mixers]
    window = max((w for w in windows if w), default=None)
    late = next((i for i, w in enumerate(windows) if w), len(windows))
    raw: dict[str, Any] = {
        "num_attention_heads": one.heads,
        "num_key_value_heads": one.kv_heads,
        "head_dim": one.head_dim,
        "attention_bias": one.bias,
        "qkv_bias": one.bias,
        "use_qk_norm": one.qk_norm,
        "query_pre_attn_scalar": None if one.scale is None else _square(one.scale),
        "attn_logit_softcapping": one.softcap,
        "sliding_window": window,
        "use_sliding_window": window is not None,
        "max_window_layers": late,
        "local_attention": window and 2 * (window - 1),
        "layer_types": [LOCAL if w else GLOBAL for w in windows],
        "position_embedding_type": "absolute",
    }
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


def _channels(config: ModelConfig) -> dict[str, Any]:
    raw: dict[str, Any] = {"first_k_dense_replace": 0, "decoder_sparse_step": 1}
    channels = [block.channel for block in config.blocks]
    for channel in channels:
        if isinstance(channel, SwiGLU | MLP):
            raw |= {"intermediate_size": channel.hidden, "mlp_bias": channel.bias}
        elif isinstance(channel, MoE):
            raw = {"intermediate_size": channel.hidden} | raw | _experts(channel)
        if isinstance(channel, SwiGLU | MLP | MoE):
            theirs = OURS_TO_THEIRS.get(channel.activation)
            raw |= {"hidden_act": theirs, "hidden_activation": theirs}
    plain = [i for i, channel in enumerate(channels) if not isinstance(channel, MoE)]
    return raw | {"mlp_only_layers": plain, "first_k_dense_replace": len(plain)}


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
