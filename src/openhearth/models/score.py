"""How surprised a model is by the answers in token shards: the raw numbers of a quality measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from openhearth.models.model import Model
from openhearth.models.ragged import Piece, Ragged, neighbours
from openhearth.progress import Progress, silent

if TYPE_CHECKING:
    from openhearth.data import TokenShards

ROWS = 2048  # tokens of a flat batch


def answer_nats(
    model: Model,
    shards: TokenShards,
    indices: Sequence[int],
    *,
    adapter: str | None = None,
    progress: Progress = silent,
) -> list[np.ndarray]:
    """The loss, in nats, of each token that counts, for each example: float32 [n] arrays."""
    found: list[np.ndarray] = []
    for group in neighbours((int(shards.lengths[i]) for i in indices), ROWS):
        chosen = [indices[g] for g in group]
        found += _score(model, shards, chosen, adapter)
        progress("score", len(found), len(indices), "")
    return found


@torch.inference_mode()
def _score(
    model: Model, shards: TokenShards, indices: Sequence[int], adapter: str | None
) -> list[np.ndarray]:
    tokens = torch.from_numpy(np.concatenate([shards.tokens(i) for i in indices]).astype(np.int64))
    counts = [shards.loss(i) for i in indices]
    # A token is predicted from the row before it; the first of an example is never predicted.
    rows = torch.from_numpy(np.flatnonzero(np.concatenate(counts)))
    batch = Ragged([Piece(len(c), adapter=adapter) for c in counts])
    hidden = model(tokens, batch)
    losses = F.cross_entropy(model.logits(hidden[rows - 1]), tokens[rows], reduction="none")
    return np.split(losses.numpy(), np.cumsum([c.sum() for c in counts])[:-1])
