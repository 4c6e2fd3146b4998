"""A model as a program: each kind of block says once which kernels it becomes.

A new kind is a function in a file of its own, entered in `MIXERS` or `CHANNELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch

from openhearth.inference.native import NoKernel, _engine
from openhearth.inference.native.adapters import Part, Slot
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
    dtype: str
    pages: int
    context: int
    x: Any

    def __post_init__(self) -> None:
        self._buffers: dict[tuple[str, int], Any] = {}
        self._angles: dict[Rope, Any] = {}
        self.slots: list[Slot] = []
        self.biased: set[str] = set()  # matrices that have a bias

    def buffer(self, name: str, width: int) -> Any:
        """A buffer that all blocks share."""
        key = (name, width)
        if key not in self._buffers:
            self._buffers[key] = self.program.buffer(width)
        return self._buffers[key]

    def matrix(self, name: str) -> Any:
        """A matrix by itself."""
        rows = Rows.of(self.weights, f"{name}.weight")
        return pack(name, [rows], [np.arange(len(rows.data))], self.dtype)

    def norm(self, name: str) -> tuple[np.ndarray, float]:
        """A norm that a product begins with."""
        return vector(self.weights, f"{name}.weight"), self.config.norm_eps

    def linear(self, names: list[str], x: Any, norm: Any, use: Any, out: Any) -> None:
        """Products of one input with some matrices, as few as their formats allow, side by side."""
        rows = [Rows.of(self.weights, f"{name}.weight") for name in names]
        column = 0
        for some in _alike(rows):
            group = [(names[i], rows[i]) for i in some]
            begins = np.cumsum([0, *(len(part.data) for _, part in group)])
            parts = [
                Part(name, np.arange(begin, end))
                for (name, _), begin, end in zip(group, begins, begins[1:], strict=False)
            ]
            self._product(parts, [part for _, part in group], x, norm, use, out, column)
            column += int(begins[-1])

    def gated(self, names: tuple[str, str], x: Any, norm: Any, use: Any, out: Any) -> None:
        """The products with a gate and with what it gates, which alternate, a panel each."""
        rows = [Rows.of(self.weights, f"{name}.weight") for name in names]
        number = np.arange(len(rows[0].data))
        place = number // _engine.PANEL * 2 * _engine.PANEL + number % _engine.PANEL
        parts = [Part(names[0], place), Part(names[1], place + _engine.PANEL)]
        self._product(parts, rows, x, norm, use, out, 0)

    def _product(
        self,
        parts: list[Part],
        rows: list[Rows],
        x: Any,
        norm: Any,
        use: Any,
        out: Any,
        column: int,
    ) -> None:
        name = " and ".join(part.name for part in parts)
        matrix = pack(name, rows, [part.places for part in parts], self.dtype)
        bias = self._bias(parts)
        self.slots.append(Slot(self.program.linear(x, norm, matrix, bias, use, out, column), parts))

    def _bias(self, parts: list[Part]) -> np.ndarray | None:
        named = [f"{part.name}.bias" for part in parts if part.name in self.biased]
        return np.concatenate([vector(self.weights, name) for name in named]) if named else None

    def angles(self, rope: Rope) -> Any:
        """The angles of all positions, made once for all blocks."""
        if rope not in self._angles:
            cos, sin = rope.angles(torch.arange(self.context))
            self._angles[rope] = _engine.Angles(*(t[:, 0].contiguous().numpy() for t in (cos, sin)))
        return self._angles[rope]


def _alike(rows: list[Rows]) -> list[list[int]]:
    """The numbers of parts, neighbours of one type together."""
    numbers = groupby(range(len(rows)), key=lambda i: rows[i].source)
    return [list(group) for _, group in numbers]


def attention(low: Lowering, name: str, mixer: Attention, norm: Any) -> None:
    """Queries, keys and values in one product; rotation and attention; and the way back."""
    if mixer.head_dim % 32 or mixer.head_dim > 512:
        raise NoKernel(f"Heads of {mixer.head_dim} numbers need the torch executor.")
    width = (mixer.heads + 2 * mixer.kv_heads) * mixer.head_dim
    qkv, mixed = low.buffer("qkv", width), low.buffer("mixed", mixer.heads * mixer.head_dim)
    parts = [f"{name}.{part}" for part in "qkv"]
    if mixer.bias:
        low.biased.update(parts)
    low.linear(parts, low.x, norm, _engine.Use.STORE, qkv)
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
        fp32=low.dtype == "float32",
        pages=low.pages,
        out=mixed,
    )
    low.linear([f"{name}.o"], mixed, None, _engine.Use.ADD, low.x)


def swiglu(low: Lowering, name: str, channel: SwiGLU, norm: Any) -> None:
    """Gate and up in one product, which are multiplied at once; and the way back."""
    hidden = low.buffer("hidden", channel.hidden)
    low.gated((f"{name}.gate", f"{name}.up"), low.x, norm, _engine.Use.SILU, hidden)
    low.linear([f"{name}.down"], hidden, None, _engine.Use.ADD, low.x)


MIXERS: dict[str, Callable[[Lowering, str, Any, Any], None]] = {"attention": attention}
CHANNELS: dict[str, Callable[[Lowering, str, Any, Any], None]] = {"swiglu": swiglu}


def lower(
    program: Any, config: ModelConfig, weights: Weights, **settings: Any
) -> tuple[Any, list[Slot]]:
    """Fill a program with a model: the buffer in which its logits will be, and its products.

    Raises:
        UsageError: a layer has no kernel, or a size that the kernels do not take.
        CorruptArtifact: a weight is missing or damaged.
    """
    x = program.buffer(config.width)
    low = Lowering(program, config, weights, x=x, **settings)
    embedding = low.matrix("embed")
    program.embed(embedding, 1.0, x)
    for i, block in enumerate(config.blocks):
        name = f"blocks.{i}"
        for part, kinds in ((block.mixer, MIXERS), (block.channel, CHANNELS)):
            if part.name not in kinds:
                raise NoKernel(f"The layer {part.name} has no kernel yet: use the torch executor.")
        mixer_norm, channel_norm = low.norm(f"{name}.mixer_norm"), low.norm(f"{name}.channel_norm")
        MIXERS[block.mixer.name](low, f"{name}.mixer", block.mixer, mixer_norm)
        CHANNELS[block.channel.name](low, f"{name}.channel", block.channel, channel_norm)
    last = program.buffer(config.width, wanted=True)
    panel = _engine.PANEL
    logits = program.buffer(-(-config.vocab_size // panel) * panel, wanted=True)
    program.gather(x, last)
    head = embedding if config.tied_head else low.matrix("head")
    program.linear(last, low.norm("norm"), head, None, _engine.Use.STORE, logits)
    return logits, low.slots
