"""What all decoders that are like Llama have in common; a family adds what it has of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openhearth.models.channel_config import Channel, SwiGLU
from openhearth.models.config import Block, ModelConfig
from openhearth.models.families.rope import rope_of
from openhearth.models.families.settings import GATED, GLOBAL, LOCAL, activation_of
from openhearth.models.mixer_config import Attention, Mixer
from openhearth.models.part import LARGEST_HEAD, bounded


def decoder(
    raw: dict[str, Any],
    windows: Sequence[int | None],
    attention: dict[str, Any],
    channels: Sequence[Channel] | None = None,
    **model: Any,
) -> ModelConfig:
    """A model with these windows and channel mixers, one a block; without the latter it has Llama's
    in all. `attention` and `model` are what a family adds.
    """
    mixers = {window: attention_of(raw, window=window, **attention) for window in set(windows)}
    return stacked(raw, [mixers[window] for window in windows], channels, **model)


def stacked(
    raw: dict[str, Any],
    mixers: Sequence[Mixer],
    channels: Sequence[Channel] | None = None,
    **model: Any,
) -> ModelConfig:
    """`decoder` with any mixers, one a block."""
    chosen = channels or [feed_forward(raw)] * len(mixers)
    return ModelConfig(
        vocab_size=raw["vocab_size"],
        width=raw["hidden_size"],
        context_length=raw["max_position_embeddings"],
        norm_eps=raw["rms_norm_eps"],
        tied_head=raw.get("tie_word_embeddings", False),
        blocks=tuple(
            Block(mixer=mixer, channel=channel)
            for mixer, channel in zip(mixers, chosen, strict=True)
        ),
        **model,
    )


def feed_forward(raw: dict[str, Any]) -> SwiGLU:
    """Llama's."""
    return SwiGLU(
        hidden=raw["intermediate_size"],
        activation=activation_of(raw, GATED),
        bias=raw.get("mlp_bias", False),
    )


def attention_of(raw: dict[str, Any], **settings: Any) -> Attention:
    """The attention, rotated as the file says unless `settings` say it."""
    heads = raw["num_attention_heads"]
    head_dim = bounded(raw.get("head_dim") or raw["hidden_size"] // heads, LARGEST_HEAD)
    kind = LOCAL if settings.get("window") else GLOBAL
    rope = rope_of(raw, kind, settings.get("rotary") or head_dim)
    return Attention(
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        **(rope | settings),
    )
