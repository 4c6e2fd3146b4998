"""Imitate a teacher: the divergence of the model's predictions from those of a larger one.

Hinton et al. 2015, arXiv:1503.02531. The teacher's likeliest tokens are computed once and kept in
the store; all others are one more outcome, so the divergence is a lower bound of the whole one, and
equal to it where they are the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch.utils.checkpoint import checkpoint

from openhearth.models import Model
from openhearth.models.unembedding import Unembedding
from openhearth.training.items import Batch, Items
from openhearth.training.loss import rows_at_once, weighted_nats
from openhearth.training.objectives.base import Objective


class Distill(Objective):
    """(1 - `mix`) * cross-entropy + `mix` * KL(teacher || model), in nats per token that counts.

    `likeliest` tokens of the teacher are kept for each place. `data` may be plain text or answers.
    """

    name: Literal["distill"] = "distill"
    teacher: str
    likeliest: Annotated[int, Field(ge=1, le=4096)] = 32
    mix: Annotated[float, Field(ge=0, le=1)] = 0.5

    def weight(self, items: Items, chosen: Sequence[int]) -> int:
        return sum(items.counted(i) for i in chosen)

    def loss(self, model: Model, batch: Batch) -> torch.Tensor:
        hidden = model(batch.tokens, batch.ragged)[batch.targets - 1]
        head = model.unembedding
        ones = torch.ones(len(hidden), device=hidden.device)
        loss = (1 - self.mix) * weighted_nats(hidden, head, batch.labels, ones)
        size = rows_at_once(hidden.device, len(head.weight))
        for start in range(0, len(hidden), size):
            rows = slice(start, start + size)
            known = batch.known["tokens"][rows], batch.known["log_probs"][rows]
            # Of a checkpoint no logits are kept for backward.
            apart = checkpoint(divergence, hidden[rows], head, *known, use_reentrant=False)
            loss = loss + self.mix * apart
        return loss


def divergence(
    hidden: torch.Tensor, head: Unembedding, tokens: torch.Tensor, log_probs: torch.Tensor
) -> torch.Tensor:
    """The sum over rows of KL(teacher || model), where the teacher gives `tokens` [n, k] these
    `log_probs` [n, k], and all others what is left.
    """
    logits = head.logits(hidden)
    mine = logits.gather(1, tokens) - logits.logsumexp(1, keepdim=True)
    both = [torch.cat((part, _rest(part)), dim=1) for part in (log_probs.float(), mine)]
    return F.kl_div(both[1], both[0], reduction="sum", log_target=True)


def _rest(log_probs: torch.Tensor) -> torch.Tensor:
    """The log of what is left of one [n, 1]."""
    left = 1 - log_probs.exp().sum(1, keepdim=True)
    return left.clamp(min=1e-9).log()
