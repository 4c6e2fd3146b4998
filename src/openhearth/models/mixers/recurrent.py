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
from openhearth.models.ragged import Ragged

State = dict[str, torch.Tensor]  # by name, fp32 [texts, *shape]


class Slots:
    """The states of `slots` sequences, by name, fp32 [slots, *shape]."""

    def __init__(self, shapes: Shapes, slots: int) -> None:
        self.kept = {name: torch.zeros(slots, *shape) for name, shape in shapes.items()}

    def read(self, slots: torch.Tensor, positions: torch.Tensor, names: Iterable[str]) -> State:
        """What sequences left in their `slots` [n]: zeros for those whose position [n] is 0."""
        begins = positions == 0
        found = {name: self.kept[name][slots] for name in names}
        return {
            name: kept.masked_fill(begins.view(-1, *[1] * (kept.dim() - 1)), 0)
            for name, kept in found.items()
        }

    def write(self, slots: torch.Tensor, state: State) -> None:
        """Keep what they leave behind now."""
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
        found: list[tuple[torch.Tensor | slice, torch.Tensor]] = []
        for rows, piece in batch.chunks:
            slot, position = torch.tensor([piece.slot]), torch.tensor([piece.position])
            out, state = self.scan(made[rows][None], slots.read(slot, position, self.shapes))
            slots.write(slot, state)
            found.append((rows, out[0]))
        if (step := batch.decodes) is not None:
            before = slots.read(step.slots, step.positions, self.shapes)
            out, state = self.step(made[step.rows], before)
            slots.write(step.slots, state)
            found.append((step.rows, out))
        mixed = found[0][1].new_empty(len(made), found[0][1].shape[-1])
        for where, out in found:
            mixed[where] = out
        return mixed

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
