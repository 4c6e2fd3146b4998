"""A program in the making, and what layers of several kinds need to become operations of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from openhearth.inference.native import NoKernel, _engine
from openhearth.inference.native.adapters import Part, Product, alternating, filled
from openhearth.inference.native.weights import MIXED, pack, rows_of, vector
from openhearth.models.config import ModelConfig
from openhearth.models.mixer_config import Attention
from openhearth.models.rope import Rope
from openhearth.models.weights import Packed, Weights

LARGEST = float(np.finfo(np.float32).max)

Out = tuple[Any, Any]  # what becomes of a product, and where
Norm = tuple[np.ndarray, np.ndarray | None, float]  # weights, biases, what is added to the square


@dataclass
class Lowering:
    """A program in the making. `x` is the residual stream, a buffer of the model's width."""

    program: Any
    config: ModelConfig
    weights: Weights
    dtype: str
    kept: Any  # how keys and values are
    pages: int
    slots: int  # of recurrent states
    x: Any

    def __post_init__(self) -> None:
        self.body, self._head = MIXED.get(self.dtype, (self.dtype, self.dtype))
        self._buffers: dict[tuple[str, int], Any] = {}
        self._angles: dict[tuple[Rope, int], Any] = {}
        self._memories: dict[tuple[int, int], Any] = {}
        self.made: Any = None
        self.products: list[Product] = []
        self.states: list[Any] = []
        self.routes = _engine.Routes()  # of rows to experts, in the layer that is computed

    def buffer(self, name: str, width: int) -> Any:
        """A buffer that all blocks share."""
        key = (name, width)
        if key not in self._buffers:
            self._buffers[key] = self.program.buffer(width)
        return self._buffers[key]

    def memory(self, mixer: Attention) -> Any:
        """Pages for keys and values: of this block alone, but encoders need them no longer than a
        block takes.
        """
        size = (mixer.kv_heads, mixer.head_dim)
        if mixer.causal:
            return _engine.KeyValues(self.kept, self.pages, *size)
        if size not in self._memories:
            self._memories[size] = _engine.KeyValues(self.kept, self.pages, *size)
        return self._memories[size]

    def state(self, numbers: int) -> Any:
        """Room for so many numbers of every sequence."""
        self.states.append(_engine.States(self.slots, numbers))
        return self.states[-1]

    def convolve(
        self,
        name: str,
        x: Any,
        column: int,
        out: Any,
        *,
        bias: bool,
        before: int | None = None,
        after: int | None = None,
        silu: bool = False,
        order: np.ndarray | slice = slice(None),
    ) -> None:
        """A causal convolution of what begins at a column of `x`, its gates at other columns. The
        channels come in `order`, if not as they are in the file.
        """
        weight = np.ascontiguousarray(vector(self.weights, f"{name}.weight")[order, 0].T)
        taps, channels = weight.shape
        self.check_panels(name, channels)
        biases = vector(self.weights, f"{name}.bias")[order] if bias else None
        state = self.state((taps - 1) * channels)
        self.program.convolve(x, weight, biases, column, before, after, silu, state, out)

    def pace(
        self,
        name: str,
        x: Any,
        column: int,
        out: Any,
        *,
        decays: bool = True,
        least: float = 0.0,
        most: float | None = None,
    ) -> None:
        """The sizes of a recurrence's steps, from what begins at a column of `x`, and behind them
        in `out` the decays.
        """
        bias = vector(self.weights, f"{name}.step_bias")
        fill = (0, filled(len(bias)) - len(bias))
        logs = None
        if decays:
            logs = np.pad(-np.exp(vector(self.weights, f"{name}.A_log")), fill)
        most = LARGEST if most is None else most
        self.program.pace(x, column, np.pad(bias, fill), logs, least, most, out)

    def check_panels(self, name: str, *sizes: int) -> None:
        """Raises:
        NoKernel: one of these sizes of a layer is no multiple of what kernels take at once.
        """
        for size in sizes:
            if size % _engine.PANEL:
                raise NoKernel(
                    f"{name} has no kernel, as {size} is no multiple of {_engine.PANEL}: use the "
                    "torch executor."
                )

    def matrix(self, name: str) -> Any:
        """The embedding or the head."""
        rows = rows_of(self.weights, f"{name}.weight")
        count = len(rows.data)
        return pack(name, [rows], [np.arange(count)], count, self._head)

    def head_bias(self) -> np.ndarray | None:
        """Of all outputs of the head, those that fill up the last panel too."""
        if not self.config.head_bias:
            return None
        bias = vector(self.weights, "head.bias")
        return np.pad(bias, (0, filled(len(bias)) - len(bias)))

    def norm(self, name: str) -> Norm:
        """A norm of rows. With biases, if only of nothing, it is a layer norm."""
        if self.config.norm not in ("rms", "layer"):
            raise NoKernel(f"The norm {self.config.norm} has no kernel: use the torch executor.")
        weight, bias = vector(self.weights, f"{name}.weight"), None
        if self.config.norm == "layer":
            biased = self.config.norm_bias
            bias = vector(self.weights, f"{name}.bias") if biased else np.zeros_like(weight)
        return weight, bias, self.config.norm_eps

    def normed(self, norm: Norm | None) -> Any:
        """The residual stream after a norm: for what several operations read."""
        if norm is None:
            return self.x
        normed = self.buffer("normed", self.config.width)
        self.program.normalise(self.x, norm, normed)
        return normed

    def linear(
        self,
        names: Sequence[str],
        x: Any,
        norm: Norm | None,
        use: Any,
        out: Any,
        *,
        bias: bool,
        places: Mapping[str, tuple[np.ndarray, int]] | None = None,
        inputs: int | None = None,
        column: int = 0,
        dtype: str | None = None,
    ) -> None:
        """Products of one input with some matrices, as few as their formats allow, side by side
        from a column of `out` on.

        `places` are where a matrix's outputs stand in so many, if not one after another. Rows of so
        many `inputs`, if that is said, are filled up with zeros to whole blocks.
        """
        room = None if inputs is None else -(-inputs // _engine.BLOCK) * _engine.BLOCK
        rows = [rows_of(self.weights, f"{name}.weight", room) for name in names]
        for some in _alike(rows):
            end, parts = 0, []
            for i in some:
                count = len(rows[i].data)
                place, room = places[names[i]] if places else (np.arange(count), count)
                parts.append(Part(names[i], end + place))
                end += room
            matrix = self._matrix(parts, [rows[i] for i in some], end, dtype or self.body)
            self._product(parts, matrix, x, norm, use, out, column, bias, inputs)
            column += end

    def gated(
        self, names: tuple[str, str], x: Any, norm: Norm | None, use: Any, out: Any, *, bias: bool
    ) -> None:
        """The products with a gate and with what it gates, which alternate, a panel each."""
        rows = [rows_of(self.weights, f"{name}.weight") for name in names]
        count = len(rows[0].data)
        parts = [Part(*part) for part in zip(names, alternating(count), strict=True)]
        matrix = self._matrix(parts, rows, 2 * filled(count), self.body)
        self._product(parts, matrix, x, norm, use, out, 0, bias, None)

    def _matrix(self, parts: list[Part], rows: list[Packed], outputs: int, dtype: str) -> Any:
        name = " and ".join(part.name for part in parts)
        return pack(name, rows, [part.places for part in parts], outputs, dtype)

    def _product(
        self,
        parts: list[Part],
        matrix: Any,
        x: Any,
        norm: Norm | None,
        use: Any,
        out: Any,
        column: int,
        biased: bool,
        inputs: int | None,
    ) -> None:
        outputs, room = matrix.shape
        bias = self._bias(parts, outputs) if biased else None
        linear = self.program.linear(x, norm, matrix, bias, use, out, column)
        self.products.append(Product(linear, parts, inputs or room))

    def _bias(self, parts: list[Part], outputs: int) -> np.ndarray:
        """Of all outputs, those that fill up the last panel too."""
        values = np.zeros(filled(outputs), np.float32)
        for part in parts:
            values[part.places] = vector(self.weights, f"{part.name}.bias")
        return values

    def angles(self, rope: Rope | None, room: int) -> Any:
        """The angles of all positions for heads with so much room, made once for all blocks."""
        if rope is None:
            return None
        if (rope, room) not in self._angles:
            places = np.arange(self.config.context_length, dtype=np.float32)
            frequencies = np.zeros(room // 2, np.float32)
            frequencies[: rope.size // 2] = rope.frequencies()
            angles = places[:, None] * frequencies
            self._angles[rope, room] = _engine.Angles(np.cos(angles), np.sin(angles))
        return self._angles[rope, room]

    def places(self) -> np.ndarray | None:
        """What is added to the embedding at each position, [positions, width], if anything: its own
        vector, and that of the first kind of text.
        """
        config = self.config
        if not config.positions and not config.segments:
            return None
        added = np.zeros((config.context_length, config.width), np.float32)
        if config.positions:
            added += vector(self.weights, "positions.weight")
        if config.segments:
            added += vector(self.weights, "segments.weight")[0]
        return added


def _alike(rows: list[Packed]) -> list[list[int]]:
    """The numbers of parts, neighbours of one type together."""
    numbers = groupby(range(len(rows)), key=lambda i: rows[i].source)
    return [list(group) for _, group in numbers]
