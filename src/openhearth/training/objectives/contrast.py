"""Tell texts that belong together from others: InfoNCE, for encoders.

van den Oord et al. 2018, arXiv:1807.03748. The others are the positives, and negatives if there are
any, of the same micro-batch; so a larger `micro_tokens` makes the task harder and the model better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from openhearth.models import Model
from openhearth.training.items import Batch, Items
from openhearth.training.objectives.base import Objective


class Contrast(Objective):
    """Cross-entropy of finding an anchor's own positive by the cosine, over `temperature`.

    A text's vector is the mean of its hidden states. `sequences` is 3 where lines have a negative.
    """

    name: Literal["contrast"] = "contrast"
    temperature: Annotated[float, Field(gt=0)] = 0.05
    sequences: Literal[2, 3] = 2

    @property
    def together(self) -> int:
        return self.sequences

    def weight(self, items: Items, chosen: Sequence[int]) -> int:
        return len(chosen)

    def loss(self, model: Model, batch: Batch) -> torch.Tensor:
        vectors = F.normalize(text_vectors(model(batch.tokens, batch.ragged), batch), dim=-1)
        groups = vectors.view(-1, self.sequences, vectors.shape[-1])
        candidates = groups[:, 1:].transpose(0, 1).flatten(0, 1)  # all positives, then negatives
        scores = groups[:, 0] @ candidates.T / self.temperature
        own = torch.arange(len(groups), device=scores.device)
        return F.cross_entropy(scores, own, reduction="sum")


def text_vectors(hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The mean over each sequence's rows, fp32 [sequences, width]."""
    lengths = [piece.length for piece in batch.ragged.pieces]
    return torch.stack([rows.float().mean(0) for rows in hidden.split(lengths)])
