"""A model as a program: each kind of block says once which kernels it becomes.

A new kind is a function in a file of its own, entered in `MIXERS` or `CHANNELS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from openhearth.inference.native import NoKernel, _engine
from openhearth.inference.native.adapters import Part, Slot, filled
from openhearth.inference.native.weights import pack, rows_of, vector
from openhearth.models.config import Attention, ModelConfig, SwiGLU
from openhearth.models.rope import Rope
from openhearth.models.weights import Packed, Weights

EVERYTHING = 2**31 - 1  # a window without end
LONGEST_HEAD = 512
Out = tuple[Any, Any]  # what becomes of a product, and where


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

    def buffer(self, name: str, width: int) -> Any:
        """A buffer that all blocks share."""
        key = (name, width)
        if key not in self._buffers:
            self._buffers[key] = self.program.buffer(width)
        return self._buffers[key]

    def matrix(self, name: str) -> Any:
        """A matrix by itself."""
        rows = rows_of(self.weights, f"{name}.weight")
        return pack(name, [rows], [np.arange(len(rows.data))], self.dtype)

    def norm(self, name: str) -> tuple[np.ndarray, float]:
        """A norm that a product begins with."""
        return vector(self.weights, f"{name}.weight"), self.config.norm_eps

    def linear(
        self, names: list[str], x: Any, norm: Any, use: Any, out: Any, *, bias: bool
    ) -> None:
        """Products of one input with some matrices, as few as their formats allow, side by side."""
        rows = [rows_of(self.weights, f"{name}.weight") for name in names]
        column = 0
        for some in _alike(rows):
            group = [(names[i], rows[i]) for i in some]
            begins = np.cumsum([0, *(len(part.data) for _, part in group)])
            parts = [
                Part(name, np.arange(begin, end))
                for (name, _), begin, end in zip(group, begins, begins[1:], strict=False)
            ]
            self._product(parts, [part for _, part in group], x, norm, use, out, column, bias)
            column += int(begins[-1])

    def gated(
        self, names: tuple[str, str], x: Any, norm: Any, use: Any, out: Any, *, bias: bool
    ) -> None:
        """The products with a gate and with what it gates, which alternate, a panel each."""
        rows = [rows_of(self.weights, f"{name}.weight") for name in names]
        number = np.arange(len(rows[0].data))
        place = number // _engine.PANEL * 2 * _engine.PANEL + number % _engine.PANEL
        parts = [Part(names[0], place), Part(names[1], place + _engine.PANEL)]
        self._product(parts, rows, x, norm, use, out, 0, bias)

    def _product(
        self,
        parts: list[Part],
        rows: list[Packed],
        x: Any,
        norm: Any,
        use: Any,
        out: Any,
        column: int,
        biased: bool,
    ) -> None:
        name = " and ".join(part.name for part in parts)
        matrix = pack(name, rows, [part.places for part in parts], self.dtype)
        bias = self._bias(parts) if biased else None
        self.slots.append(Slot(self.program.linear(x, norm, matrix, bias, use, out, column), parts))

    def _bias(self, parts: list[Part]) -> np.ndarray:
        """Of all outputs, those that fill up the last panel too."""
        size = sum(len(part.places) for part in parts)
        values = np.zeros(filled(size), np.float32)
        for part in parts:
            values[part.places] = vector(self.weights, f"{part.name}.bias")
        return values

    def angles(self, rope: Rope) -> Any:
        """The angles of all positions, made once for all blocks."""
        if rope not in self._angles:
            angles = np.arange(self.context, dtype=np.float32)[:, None] * rope.frequencies()
            self._angles[rope] = _engine.Angles(np.cos(angles), np.sin(angles))
        return self._angles[rope]


def _alike(rows: list[Packed]) -> list[list[int]]:
    """The numbers of parts, neighbours of one type together."""
    numbers = groupby(range(len(rows)), key=lambda i: rows[i].source)
    return [list(group) for _, group in numbers]


def attention(low: Lowering, name: str, mixer: Attention, norm: Any, out: Out) -> None:
    """Queries, keys and values in one product; rotation and attention; and the way back."""
    rope = Rope.of(mixer)
    if mixer.head_dim % 32 or mixer.head_dim > LONGEST_HEAD or rope is None or not mixer.causal:
        raise NoKernel("This model's attention has no kernel yet: use the torch executor.")
    width = (mixer.heads + 2 * mixer.kv_heads) * mixer.head_dim
    qkv, mixed = low.buffer("qkv", width), low.buffer("mixed", mixer.heads * mixer.head_dim)
    parts = [f"{name}.{part}" for part in "qkv"]
    low.linear(parts, low.x, norm, _engine.Use.STORE, qkv, bias=mixer.bias)
    low.program.attend(
        qkv,
        queries=mixer.heads,
        keys=mixer.kv_heads,
        size=mixer.head_dim,
        scale=mixer.scale or mixer.head_dim**-0.5,
        window=mixer.window or EVERYTHING,
        query_norm=low.norm(f"{name}.q_norm") if mixer.qk_norm else None,
        key_norm=low.norm(f"{name}.k_norm") if mixer.qk_norm else None,
        angles=low.angles(rope),
        fp32=low.dtype == "float32",
        pages=low.pages,
        out=mixed,
    )
    low.linear([f"{name}.o"], mixed, None, *out, bias=mixer.output_bias)


def swiglu(low: Lowering, name: str, channel: SwiGLU, norm: Any, out: Out) -> None:
    """Gate and up in one product, which are multiplied at once; and the way back."""
    use = {"silu": _engine.Use.SILU, "gelu_tanh": _engine.Use.GELU}[channel.activation]
    hidden = low.buffer("hidden", channel.hidden)
    low.gated((f"{name}.gate", f"{name}.up"), low.x, norm, use, hidden, bias=channel.bias)
    low.linear([f"{name}.down"], hidden, None, *out, bias=channel.bias)


Lowered = Callable[[Lowering, str, Any, Any, Out], None]
MIXERS: dict[str, Lowered] = {"attention": attention}
CHANNELS: dict[str, Lowered] = {"swiglu": swiglu}


def lower(
    program: Any, config: ModelConfig, weights: Weights, **settings: Any
) -> tuple[Any, list[Slot]]:
    """Fill a program with a model: the buffer in which its logits will be, and its products.

    Raises:
        UsageError: a layer has no kernel, or a size that the kernels do not take.
        CorruptArtifact: a weight is missing or damaged.
    """
    if config.norm != "rms" or config.norms == "post" or config.positions or config.segments:
        raise NoKernel("Encoders have no kernels yet: use the torch executor.")
    x = program.buffer(config.width)
    low = Lowering(program, config, weights, x=x, **settings)
    embedding = low.matrix("embed")
    program.embed(embedding, config.embed_factor, x)
    for i, block in enumerate(config.blocks):
        _sublayer(low, f"blocks.{i}.mixer", block.mixer, MIXERS)
        _sublayer(low, f"blocks.{i}.channel", block.channel, CHANNELS)
    last = program.buffer(config.width, wanted=True)
    logits = program.buffer(filled(config.vocab_size), wanted=True)
    program.gather(x, last)
    head = embedding if config.tied_head else low.matrix("head")
    program.linear(last, low.norm("norm"), head, None, _engine.Use.STORE, logits)
    return logits, low.slots


def _sublayer(low: Lowering, name: str, part: Any, kinds: dict[str, Lowered]) -> None:
    """x + f(norm(x)), or x + norm(f(norm(x)))."""
    if part.name not in kinds:
        raise NoKernel(f"The layer {part.name} has no kernel yet: use the torch executor.")
    before = low.norm(f"{name}_norm")
    if low.config.norms == "pre":
        kinds[part.name](low, name, part, before, (_engine.Use.ADD, low.x))
        return
    made = low.buffer("made", low.config.width)
    kinds[part.name](low, name, part, before, (_engine.Use.STORE, made))
    low.program.add_norm(made, low.norm(f"{name}_post_norm"), low.x)
