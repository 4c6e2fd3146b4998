"""What every objective is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch

from openhearth.models import Model
from openhearth.models.part import Part
from openhearth.training.items import Batch, Items


class Objective(Part):
    """Settings of a loss. A step's loss is the sum over its items, divided by their weight."""

    @property
    def together(self) -> int:
        """How many sequences an item has."""
        return 1

    @abstractmethod
    def weight(self, items: Items, chosen: Sequence[int]) -> int:
        """What the loss is counted in: the tokens that count, or the items."""

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> torch.Tensor:
        """The sum over a batch, a scalar with a gradient."""
