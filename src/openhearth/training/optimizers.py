"""Which optimiser moves which weights, and what of it a checkpoint must keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field

from openhearth.models import choose
from openhearth.models.part import Part
from openhearth.training.muon import Muon
from openhearth.training.shares import by_kind, like

NOT_DECAYED = ("norm", "bias", "embed", "positions", "segments")
"""Parts of the names of weights whose size is not a matter of complexity."""


class OptimizerRecipe(Part):
    """`adamw` (Loshchilov & Hutter 2019, arXiv:1711.05101), or `muon` for the matrices of the
    blocks and AdamW for all else. Only matrices decay.
    """

    name: Literal["adamw", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    eps: Annotated[float, Field(gt=0)] = 1e-8
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95


class Optimizer:
    """The optimisers of named weights as one."""

    def __init__(self, recipe: OptimizerRecipe, weights: Mapping[str, torch.nn.Parameter]) -> None:
        self.recipe = recipe
        self.weights = weights
        matrices = [n for n, w in weights.items() if recipe.name == "muon" and is_matrix(n, w)]
        rest = [n for n in weights if n not in set(matrices)]
        self._owner: dict[str, torch.optim.Optimizer] = {}
        if matrices:
            self._owner |= dict.fromkeys(matrices, self._muon(matrices))
        if rest:
            self._owner |= dict.fromkeys(rest, self._adamw(rest))
        self._parts = list(dict.fromkeys(self._owner.values()))

    def _muon(self, names: list[str]) -> Muon:
        return Muon(
            [self.weights[name] for name in names],
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
            dtype=choose("auto"),
        )

    def _adamw(self, names: list[str]) -> torch.optim.AdamW:
        recipe = self.recipe
        groups: dict[float, list[torch.nn.Parameter]] = {}
        for name in names:
            decay = recipe.weight_decay if decays(name, self.weights[name]) else 0.0
            groups.setdefault(decay, []).append(self.weights[name])
        return torch.optim.AdamW(
            [
                {"params": weights, "weight_decay": decay}
                for decay, group in groups.items()
                for weights in by_kind(group)
            ],
            lr=recipe.learning_rate,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            fused=True,
        )

    def step(self, rate: float) -> None:
        """Update the weights at this share of the full learning rate."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * self.recipe.learning_rate
            part.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights.values():
            weight.grad = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """The state of every weight, as `name.what`."""
        return {
            f"{name}.{what}": value
            for name, owner in self._owner.items()
            for what, value in owner.state.get(self.weights[name], {}).items()
        }

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put the state back that `tensors` gave."""
        for key, value in tensors.items():
            name, _, what = key.rpartition(".")
            weight = self.weights[name]
            self._owner[name].state[weight][what] = like(value.to(weight.device), weight)


def decays(name: str, weight: torch.Tensor) -> bool:
    """Whether a weight is a matrix that should stay small."""
    return weight.dim() >= 2 and not any(word in name for word in NOT_DECAYED)


def is_matrix(name: str, weight: torch.Tensor) -> bool:
    """Whether Muon is for it: a matrix from hidden states to hidden states."""
    return weight.dim() == 2 and decays(name, weight) and name.startswith("blocks.")
