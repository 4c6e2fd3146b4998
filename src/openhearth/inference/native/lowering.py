"""A model as a program: each kind of block says once which kernels it becomes.

A new kind is a function in a file of its own, entered in `MIXERS` or `CHANNELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from openhearth.errors import UsageError
from openhearth.inference.native import _engine
from openhearth.inference.native.weights import Rows, pack, vector
from openhearth.models.config import Attention, ModelConfig, SwiGLU
from openhearth.models.rope import Rope
from openhearth.models.weights import Weights

EVERYTHING = 2**31 - 1  # a window without end


@dataclass
class Lowering:
    """A program in the making. `x` is the residual stream, a buffer of the model's width."""

    program: Any
    config: ModelConfig
    weights: Weights
    format: str
    kv: str
    pages: int
    context: int
    x: Any

    def __post_init__(self) -> None:
        self._buffers: dict[tuple[str, int], Any] = {}
        self._angles: dict[Rope, Any] = {}

    def buffer(self, name: str, width: int) -> Any:
        """A buffer that all blocks share."""
        key = (name, width)
        if key not in self._buffers:
            self._buffers[key] = self.program.buffer(width)
        return self._buffers[key]

    def norm(self, name: str) -> tuple[np.ndarray, float]:
        """A norm that a product begins with."""
        return vector(self.weights, f"{name}.weight"), self.config.norm_eps

    def matrices(self, names: list[str], *, paired: bool = False) -> list[tuple[Any, int]]:
        """Matrices with one input as few as their formats allow, each with its first output.

        By `paired` two of them alternate, a panel each.
        """
        rows = [Rows.of(self.weights, f"{name}.weight") for name in names]
        whole = f"{names[0]} and its kin" if len(names) > 1 else names[0]
        if paired:
            number = np.arange(len(rows[0].data))
            place = number // _engine.PANEL * 2 * _engine.PANEL + number % _engine.PANEL
            return [(pack(whole, rows, [place, place + _engine.PANEL], self.format), 0)]
        made, column = [], 0
        for group in _alike(rows):
            sizes = [len(part.data) for part in group]
            begins = np.cumsum([0, *sizes])
            places = [np.arange(n) + b for n, b in zip(sizes, begins[:-1], strict=True)]
            made.append((pack(whole, group, places, self.format), column))
            column += int(begins[-1])
        return made

    def angles(self, rope: Rope) -> Any:
        """The angles of all positions, made once for all blocks."""
        if rope not in self._angles:
            cos, sin = rope.angles(torch.arange(self.context))
            self._angles[rope] = _engine.Angles(*(t[:, 0].contiguous().numpy() for t in (cos, sin)))
        return self._angles[rope]


def _alike(rows: list[Rows]) -> list[list[Rows]]:
    """Neighbours of one type together."""
    groups: list[list[Rows]] = []
    for part in rows:
        if groups and groups[-1][0].source == part.source:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def attention(low: Lowering, name: str, mixer: Attention, norm: Any) -> None:
    """Queries, keys and values in one product; rotation and attention; and the way back."""
    if mixer.head_dim % 32 or mixer.head_dim > 512:
        raise UsageError(f"Heads of {mixer.head_dim} numbers need the torch executor.")
    width = (mixer.heads + 2 * mixer.kv_heads) * mixer.head_dim
    qkv, mixed = low.buffer("qkv", width), low.buffer("mixed", mixer.heads * mixer.head_dim)
    parts = [f"{name}.{part}" for part in "qkv"]
    bias = None
    if mixer.bias:
        bias = np.concatenate([vector(low.weights, f"{part}.bias") for part in parts])
    for matrix, column in low.matrices(parts):
        some = None if bias is None else bias[column : column + matrix.shape[0]].copy()
        low.program.linear(low.x, norm, matrix, some, _engine.Use.STORE, qkv, column)
    rope = Rope(mixer.head_dim, mixer.rope_theta, mixer.rope_factors)
    low.program.attend(
        qkv,
        queries=mixer.heads,
        keys=mixer.kv_heads,
        size=mixer.head_dim,
        scale=mixer.head_dim**-0.5,
        window=EVERYTHING,
        query_norm=None,
        key_norm=None,
        angles=low.angles(rope),
        fp32=low.kv == "fp32",
        pages=low.pages,
        out=mixed,
    )
    ((back, _),) = low.matrices([f"{name}.o"])
    low.program.linear(mixed, None, back, None, _engine.Use.ADD, low.x)


def swiglu(low: Lowering, name: str, channel: SwiGLU, norm: Any) -> None:
    """Gate and up in one product, which are multiplied at once; and the way back."""
    hidden = low.buffer("hidden", channel.hidden)
    ((matrix, _),) = low.matrices([f"{name}.gate", f"{name}.up"], paired=True)
    low.program.linear(low.x, norm, matrix, None, _engine.Use.SILU, hidden)
    ((down, _),) = low.matrices([f"{name}.down"])
    low.program.linear(hidden, None, down, None, _engine.Use.ADD, low.x)


MIXERS: dict[str, Callable[[Lowering, str, Any, Any], None]] = {"attention": attention}
CHANNELS: dict[str, Callable[[Lowering, str, Any, Any], None]] = {"swiglu": swiglu}


def lower(program: Any, config: ModelConfig, weights: Weights, **settings: Any) -> Any:
    """Fill a program with a model; the buffer in which its logits will be.

    Raises:
        UsageError: a layer has no kernel, or a size that the kernels do not take.
        CorruptArtifact: a weight is missing or damaged.
    """
    x = program.buffer(config.width)
    low = Lowering(program, config, weights, x=x, **settings)
    ((embedding, _),) = low.matrices(["embed"])
    program.embed(embedding, 1.0, x)
    for i, block in enumerate(config.blocks):
        name = f"blocks.{i}"
        for part, kinds in ((block.mixer, MIXERS), (block.channel, CHANNELS)):
            if part.name not in kinds:
                raise UsageError(f"The layer {part.name} has no kernel yet: use the torch executor.")
        mixer_norm, channel_norm = low.norm(f"{name}.mixer_norm"), low.norm(f"{name}.channel_norm")
        MIXERS[block.mixer.name](low, f"{name}.mixer", block.mixer, mixer_norm)
        CHANNELS[block.channel.name](low, f"{name}.channel", block.channel, channel_norm)
    last = program.buffer(config.width, wanted=True)
    panel = _engine.PANEL
    logits = program.buffer(-(-config.vocab_size // panel) * panel, wanted=True)
    program.gather(x, last)
    head = embedding if config.tied_head else low.matrices(["head"])[0][0]
    program.linear(last, low.norm("norm"), head, None, _engine.Use.STORE, logits)
    return logits
