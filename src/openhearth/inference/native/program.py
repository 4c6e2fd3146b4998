"""A model as a program: each kind of block says once which kernels it becomes.

A new kind is a function in a file of its own, entered in `MIXERS` or `CHANNELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openhearth.inference.native import NoKernel, _engine
from openhearth.inference.native.adapters import filled
from openhearth.inference.native.attention import attention
from openhearth.inference.native.feed_forward import mlp, swiglu
from openhearth.inference.native.gated_conv import gated_conv
from openhearth.inference.native.gated_delta import gated_delta
from openhearth.inference.native.lowering import Lowering, Norm, Out
from openhearth.inference.native.mamba import mamba
from openhearth.inference.native.mamba2 import mamba2
from openhearth.inference.native.moe import moe
from openhearth.inference.native.rwkv7 import rwkv7
from openhearth.inference.native.short_conv import short_conv
from openhearth.models.channel_config import Channel
from openhearth.models.config import Block, ModelConfig
from openhearth.models.mixer_config import Mixer, MixerPart
from openhearth.models.weights import Weights

Lowered = Callable[[Lowering, str, Any, Norm | None, Out], None]
MIXERS: dict[str, Lowered] = {
    "attention": attention,
    "gated_conv": gated_conv,
    "gated_delta": gated_delta,
    "mamba": mamba,
    "mamba2": mamba2,
    "rwkv7": rwkv7,
    "short_conv": short_conv,
}
CHANNELS: dict[str, Lowered] = {"mlp": mlp, "moe": moe, "swiglu": swiglu}


def lower(program: Any, config: ModelConfig, weights: Weights, **settings: Any) -> Lowering:
    """Fill a program with a model. What it makes, the logits or of an encoder the hidden states,
    will be in the buffer `made`.

    Raises:
        UsageError: a layer has no kernel, or a size that the kernels do not take.
        CorruptArtifact: a weight is missing or damaged.
    """
    x = program.buffer(config.width)
    low = Lowering(program, config, weights, x=x, **settings)
    embedding = low.matrix("embed")
    program.embed(embedding, config.embed_factor, low.places(), x)
    if config.norms == "post" or config.embed_norm:
        program.normalise(x, low.norm("embed_norm"), x)
    for i, block in enumerate(config.blocks):
        _block(low, f"blocks.{i}", block, is_normed=i == 0 and config.embed_norm)
    norm = None if config.norms == "post" else low.norm("norm")
    last = program.buffer(config.width, wanted=True)
    program.gather(x, last)
    if not config.causal:
        if norm is not None:
            program.normalise(last, norm, last)
        low.made = last
        return low
    logits = program.buffer(filled(config.vocab_size), wanted=True)
    head, bias = (embedding, None) if config.tied_head else (low.matrix("head"), low.head_bias())
    program.linear(last, norm, head, bias, _engine.Use.STORE, logits)
    if config.logit_cap is not None:
        program.cap(logits, config.logit_cap)
    low.made = logits
    return low


def _block(low: Lowering, name: str, block: Block, *, is_normed: bool) -> None:
    """A block's operations, with norms as `norms` says; if what it meets `is_normed`, its mixer has
    none.
    """
    norms = block.norms or low.config.norms
    if norms == "parallel":
        norm = None if is_normed else low.norm(f"{name}.mixer_norm")
        apart = low.buffer("apart", low.config.width)
        _lower(low, f"{name}.mixer", block.mixer, norm, (_engine.Use.STORE, apart))
        if block.channel is not None:
            _lower(low, f"{name}.channel", block.channel, norm, (_engine.Use.ADD, apart))
        low.program.add_norm(apart, None, low.x)
        return
    _sublayer(low, f"{name}.mixer", block.mixer, norms, is_normed=is_normed)
    if block.channel is not None:
        _sublayer(low, f"{name}.channel", block.channel, norms, is_normed=False)


def _sublayer(
    low: Lowering, name: str, part: Mixer | Channel, norms: str, *, is_normed: bool
) -> None:
    """x + f(norm(x)), x + norm(f(x)), x + norm(f(norm(x))), or norm(x + f(x))."""
    norm = None if is_normed or norms == "after" else low.norm(f"{name}_norm")
    if norms == "post":
        _lower(low, name, part, None, (_engine.Use.ADD, low.x))
        if norm is not None:
            low.program.normalise(low.x, norm, low.x)
    elif norms == "pre":
        _lower(low, name, part, norm, (_engine.Use.ADD, low.x))
    else:
        apart = low.buffer("apart", low.config.width)
        _lower(low, name, part, norm, (_engine.Use.STORE, apart))
        low.program.add_norm(apart, low.norm(f"{name}_post_norm"), low.x)


def _lower(low: Lowering, name: str, part: Mixer | Channel, norm: Norm | None, out: Out) -> None:
    kinds = MIXERS if isinstance(part, MixerPart) else CHANNELS
    if part.name not in kinds:
        raise NoKernel(f"The layer {part.name} has no kernel yet: use the torch executor.")
    kinds[part.name](low, name, part, norm, out)
