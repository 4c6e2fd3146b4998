"""Mixers whose state has one size however long the text is, and how they run over a flat batch.

Such a mixer has two forms that must agree: `scan` computes a whole text at once, `step` one token
of many texts, each from the state that the text before it left behind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from itertools import groupby

import torch
from torch import nn

from openhearth.models.mixer_config import MixerPart, Shapes
from openhearth.models.ragged import Piece, Ragged

State = dict[str, torch.Tensor]  # by name, fp32 [texts, *shape]


class Slots:
    """The states of `slots` sequences, by name, fp32 [slots, *shape]."""

    def __init__(self, shapes: Shapes, slots: int) -> None:
        self.kept = {name: torch.zeros(slots, *shape) for name, shape in shapes.items()}

    def read(self, pieces: list[Piece], names: Iterable[str]) -> State:
        """What the sequences of `pieces` left behind: zeros where a sequence begins."""
        slots = torch.tensor([piece.slot for piece in pieces])
        begun = torch.tensor([piece.position > 0 for piece in pieces])
        found = {name: self.kept[name][slots] for name in names}
        return {
            name: torch.where(begun.view(-1, *[1] * (kept.dim() - 1)), kept, 0.0)
            for name, kept in found.items()
        }

    def write(self, pieces: list[Piece], state: State) -> None:
        """Keep what they leave behind now."""
        slots = torch.tensor([piece.slot for piece in pieces])
        for name, left in state.items():
            self.kept[name][slots] = left

    def copy(self, source: int, target: int) -> None:
        """Give one sequence the state of another."""
        for kept in self.kept.values():
            kept[target] = kept[source]


class Recurrence(nn.Module):
    """What gives `scan` and `step` over a state of these shapes, and so can `mix` a flat batch.

    A mixer is one. If matrices stand between two recurrences, as between Mamba's convolution and
    its scan, the first is a part of the mixer, so that each matrix sees the flat batch.
    """

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.shapes = shapes

    @abstractmethod
    def scan(self, made: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        """Whole texts [texts, length, in] -> [texts, length, out], and what they leave behind.

        They go on from `state`, or begin if there is none.
        """

    @abstractmethod
    def step(self, made: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """One token of each text, [texts, in] -> [texts, out], and what they leave behind."""

    def mix(self, made: torch.Tensor, batch: Ragged, slots: Slots | None) -> torch.Tensor:
        """All pieces of a flat batch, [rows, in] -> [rows, out]."""
        if slots is None:
            return self._apart(made, batch)
        rows_of, outs = [], []
        for rows, piece in batch.chunks:
            out, state = self.scan(made[rows][None], slots.read([piece], self.shapes))
            slots.write([piece], state)
            rows_of.append(torch.arange(rows.start, rows.stop))
            outs.append(out[0])
        if (step := batch.decodes) is not None:
            out, state = self.step(made[step.rows], slots.read(step.pieces, self.shapes))
            slots.write(step.pieces, state)
            rows_of.append(step.rows)
            outs.append(out)
        return torch.cat(outs)[torch.cat(rows_of).argsort()]

    def _apart(self, made: torch.Tensor, batch: Ragged) -> torch.Tensor:
        """Pieces that are whole texts; those of about the same length together, filled up."""

        def size(i: int) -> int:
            return batch.pieces[i].length.bit_length()

        outs: dict[int, torch.Tensor] = {}
        order = sorted(range(len(batch.pieces)), key=size)
        for group in (list(g) for _, g in groupby(order, key=size)):
            texts = [made[batch.spans[i][0]] for i in group]
            out, _ = self.scan(nn.utils.rnn.pad_sequence(texts, batch_first=True), None)
            outs |= {i: o[: len(t)] for i, o, t in zip(group, out, texts, strict=True)}
        return torch.cat([outs[i] for i in range(len(outs))])


class RecurrentMixer(Recurrence):
    """A mixer that calls `mix` in its forward pass."""

    def __init__(self, config: MixerPart, width: int) -> None:
        super().__init__(config.state_shapes(width))

    def new_state(self, pages: int, page: int, slots: int, dtype: torch.dtype) -> Slots:
        """Room for `slots` sequences, however long they are."""
        return Slots(self.shapes, slots)
