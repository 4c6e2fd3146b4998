"""Which experts a token takes, and how training keeps all of them in use.

Two ways: a loss that grows when a few experts get most tokens (`balance_loss`; Switch, Fedus et al.
2021, arXiv:2101.03961, used by Mixtral), and biases that a training loop moves after each step
(`update_bias`; loss-free balancing, Wang et al. 2024, arXiv:2408.15664, used by DeepSeek-V3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from openhearth.models.channel_config import MoE
from openhearth.models.ragged import Ragged


@dataclass(frozen=True, eq=False)
class Routing:
    """What a router did with a batch: `scores` [rows, experts], `chosen` [rows, active]."""

    router: Router
    scores: torch.Tensor
    chosen: torch.Tensor

    @property
    def loads(self) -> torch.Tensor:
        """Tokens that took each expert, [experts]."""
        return self.chosen.flatten().bincount(minlength=self.scores.shape[1])

    @property
    def shares(self) -> torch.Tensor:
        """Scores that add up to one for each row, as those of a softmax do."""
        return self.scores / self.scores.sum(-1, keepdim=True)


def routings(batch: Ragged) -> list[Routing]:
    """What the routers did in a forward pass with gradients, in the order of the layers."""
    found: list[Routing] = batch.once("routings", list)
    return found


class Router(nn.Module):
    """x [rows, width] -> the experts of each row and their weights, each [rows, active].

    It computes in fp32: near a tie, few digits would send a token elsewhere.
    """

    def __init__(self, config: MoE, width: int) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.experts, width), requires_grad=False)
        biases = nn.Parameter(torch.empty(config.experts), requires_grad=False)
        self.bias = biases if config.biased else None

    def forward(self, x: torch.Tensor, batch: Ragged) -> tuple[torch.Tensor, torch.Tensor]:
        logits = F.linear(x.float(), self.weight.float())
        scores = logits.softmax(-1) if self.config.score == "softmax" else logits.sigmoid()
        chosen = self._choose(scores.detach())
        if torch.is_grad_enabled():
            routings(batch).append(Routing(self, scores, chosen))
        weights = scores.gather(1, chosen)
        if self.config.normalised:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return chosen, weights * self.config.factor

    def _choose(self, scores: torch.Tensor) -> torch.Tensor:
        config = self.config
        if self.bias is not None:
            scores = scores + self.bias
        if config.groups > 1:
            grouped = scores.view(len(scores), config.groups, -1)
            best = grouped.topk(2, dim=-1).values.sum(-1).topk(config.active_groups).indices
            closed = torch.ones_like(grouped[..., 0], dtype=torch.bool).scatter(1, best, False)
            scores = grouped.masked_fill(closed[..., None], -torch.inf).flatten(1)
        return scores.topk(config.active).indices


def balance_loss(batch: Ragged) -> torch.Tensor:
    """The mean over the layers of experts * sum of f_e * P_e, `active` when all is even; 0 if
    nothing is balanced so, as the biases of routers that have some do it, and frozen routers stay.

    f_e is the share of the tokens that took expert e, P_e its mean share of the scores. Mixtral
    adds 0.02 of it to the loss. For a batch that went through a forward pass with gradients.
    """
    found = [
        made.scores.shape[1] * (made.loads / len(made.scores) * made.shares.mean(0)).sum()
        for made in routings(batch)
        if made.router.bias is None and made.router.weight.requires_grad
    ]
    return torch.stack(found).mean() if found else torch.zeros(())


@torch.no_grad()
def update_bias(router: Router, loads: torch.Tensor, rate: float) -> None:
    """By `rate` raise the bias of experts that got less than their share of the tokens, and lower
    the others'. `loads` [experts] are those of a whole step.
    """
    assert router.bias is not None
    router.bias.add_(rate * (loads.mean() - loads).sign())
