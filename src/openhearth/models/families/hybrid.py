"""What models with attention in some blocks only have in common; else they are like Llama."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openhearth.models.channel_config import SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.rope import rope_of
from openhearth.models.families.settings import GATED, GLOBAL, activation_of
from openhearth.models.mixer_config import Attention, Mixer
from openhearth.models.part import LARGEST_HEAD, bounded


def hybrid(raw: dict[str, Any], mixers: Sequence[Mixer], **model: Any) -> ModelConfig:
    """A model with these mixers, one a block; `model` is what a family adds."""
    channel = SwiGLU(
        hidden=raw["intermediate_size"],
        activation=activation_of(raw, GATED),
        bias=raw.get("mlp_bias", False),
    )
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["rms_norm_eps"],
        tied_head=raw.get("tie_word_embeddings", False),
        blocks=tuple(Block(mixer=mixer, channel=channel) for mixer in mixers),
        **model,
    )


def attention_of(raw: dict[str, Any], **settings: Any) -> Attention:
    """The attention, rotated as the file says unless `settings` do."""
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw.get("head_dim") or raw["hidden_size"] // heads, LARGEST_HEAD)
    rope = rope_of(raw, GLOBAL, settings.get("rotary") or head_dim)
    return Attention(
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        **(rope | settings),
    )
