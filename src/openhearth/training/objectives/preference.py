"""Prefer one answer to another: DPO and its relatives.

DPO: Rafailov et al. 2023, arXiv:2305.18290. Of each answer log p is the sum over its tokens, or by
`normalize` their mean, and without `reference` is not compared with what it was before training.
With `gamma` it is SimPO (Meng et al. 2024, arXiv:2405.14734): no reference, means, and a margin.
`rpo_alpha` adds the chosen answer's own loss (RPO, Liu et al. 2024, arXiv:2405.16436).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from openhearth.models import Model
from openhearth.training.items import Batch, Items
from openhearth.training.loss import token_nats
from openhearth.training.objectives.base import Objective


class Preference(Objective):
    """-log sigmoid(beta * (how much likelier the chosen answer became than the rejected one))."""

    name: Literal["preference"] = "preference"
    beta: Annotated[float, Field(gt=0)] = 0.1
    normalize: bool = False
    reference: bool = True
    gamma: Annotated[float, Field(ge=0)] | None = None
    rpo_alpha: Annotated[float, Field(ge=0)] = 0.0

    @property
    def together(self) -> int:
        return 2

    @property
    def needs_reference(self) -> bool:
        """Whether it compares with what the model said before training."""
        return self.reference and self.gamma is None

    def weight(self, items: Items, chosen: Sequence[int]) -> int:
        return len(chosen)

    def loss(self, model: Model, batch: Batch) -> torch.Tensor:
        hidden = model(batch.tokens, batch.ragged)[batch.targets - 1]
        nats = token_nats(hidden, model.unembedding, batch.labels)
        return self.of(nats, batch)

    def of(self, nats: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of the pairs whose tokens that count have these nats [n]."""
        gained = self._of_answers(-nats, batch)
        if self.needs_reference:
            gained = gained - self._of_answers(-batch.known["nats"], batch)
        chosen, rejected = gained.view(-1, 2).T
        margin = self.beta * (chosen - rejected) - (self.gamma or 0.0)
        loss = -F.logsigmoid(margin).sum()
        if self.rpo_alpha:
            lengths = batch.counts.view(-1, 2)[:, 0]
            loss = loss + self.rpo_alpha * (per_sequence(nats, batch)[::2] / lengths).sum()
        return loss

    def _of_answers(self, values: torch.Tensor, batch: Batch) -> torch.Tensor:
        summed = per_sequence(values, batch)
        return summed / batch.counts if self.normalize or self.gamma is not None else summed


def per_sequence(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Sums over the tokens that count [n] of each sequence [sequences]."""
    owner = torch.repeat_interleave(batch.counts)
    return values.new_zeros(len(batch.counts)).index_add(0, owner, values)
