"""Predict the next token: pre-training on plain text, every token of which counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from openhearth.models import Model
from openhearth.training.items import Batch, Items
from openhearth.training.loss import weighted_nats
from openhearth.training.objectives.base import Objective


class Prediction(Objective):
    """Cross-entropy of the tokens that count, in nats; only their rows meet the head."""

    def weight(self, items: Items, chosen: Sequence[int]) -> int:
        return sum(items.counted(i) for i in chosen)

    def loss(self, model: Model, batch: Batch) -> torch.Tensor:
        hidden = model(batch.tokens, batch.ragged)[batch.targets - 1]
        ones = torch.ones(len(hidden), device=hidden.device)
        return weighted_nats(hidden, model.unembedding, batch.labels, ones)


class NextToken(Prediction):
    """Every token of a text but its first counts."""

    name: Literal["next_token"] = "next_token"
