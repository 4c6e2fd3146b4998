"""The torch executor: one step of a ragged batch through a model, its states kept in slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from openhearth.models import Model, Piece, Ragged


@dataclass(frozen=True)
class Work:
    """Tokens of one sequence to compute; `wants_logits` when the token after them is to come."""

    tokens: Sequence[int]
    piece: Piece
    wants_logits: bool


class TorchExecutor:
    """A model with room for `slots` sequences of at most `capacity` tokens."""

    def __init__(self, model: Model, slots: int, capacity: int) -> None:
        self._model = model
        self._states = model.new_states(slots, capacity)

    @torch.inference_mode()
    def step(self, works: Sequence[Work]) -> torch.Tensor:
        """Compute all works; fp32 logits [n, vocab_size] of the n that want them, in order."""
        tokens = torch.tensor([token for work in works for token in work.tokens])
        batch = Ragged([work.piece for work in works])
        hidden = self._model(tokens, batch, self._states)
        lasts = [
            rows.stop - 1
            for (rows, _), work in zip(batch.spans, works, strict=True)
            if work.wants_logits
        ]
        return self._model.logits(hidden[lasts])
