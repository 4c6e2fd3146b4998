"""The experts of a mixture are kept in use while it trains, in the way of its router.

Routers with biases (DeepSeek-V3) have them moved after each step; with any other a term of the loss
grows when few experts get most tokens. Both ways are in `openhearth.models.channels.routing`.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from openhearth.models import Model, Ragged
from openhearth.models.channels.routing import Router, balance_loss, routings, update_bias
from openhearth.models.part import Part


class Balance(Part):
    """`loss` is the share of the balance loss, `router_aux_loss_coef` elsewhere, and `rate` how far
    a bias moves at a step. With 0 neither does anything.
    """

    loss: Annotated[float, Field(ge=0)] = 0.01
    rate: Annotated[float, Field(ge=0, le=1)] = 0.001


class Balancer:
    """Counts the tokens of a step that each expert took, and then moves the biases.

    Of a frozen model, as beside an adapter, it changes nothing.
    """

    def __init__(self, recipe: Balance, model: Model) -> None:
        self._recipe = recipe
        # fp32, which counts exactly up to 2^24, so that they are summed along with gradients.
        self._loads = {
            module: torch.zeros_like(module.bias)
            for module in model.modules()
            if isinstance(module, Router) and module.bias is not None and module.bias.requires_grad
        }

    @property
    def loads(self) -> list[torch.Tensor]:
        """The counts so far, [experts] of each router that has biases."""
        return list(self._loads.values())

    def take(self, batch: Ragged) -> torch.Tensor:
        """Count what a forward pass did; return what to add to the mean loss for it.

        Before its backward pass, in which a model that recomputes would be counted again.
        """
        for made in routings(batch):
            if made.router in self._loads:
                self._loads[made.router] += made.loads
        return self._recipe.loss * balance_loss(batch)

    def step(self) -> None:
        """Move the biases by what was counted, and begin anew."""
        for router, loads in self._loads.items():
            update_bias(router, loads, self._recipe.rate)
            loads.zero_()
